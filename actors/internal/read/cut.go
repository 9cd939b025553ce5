package read

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// A truncation changes the files first, and what readers are shown when that is done. Who needs a file meanwhile that
// is no longer what it was waits for the end of it, and asks again then.

// cut is a truncation that is being carried out.
type cut struct {
	over   chan struct{}
	failed bool // it is carried out when the stream recovers; set before over is closed
}

// BeginCut tells that files are about to be cut and removed that readers are still shown.
func (s *Source) BeginCut() { s.cut.Store(&cut{over: make(chan struct{})}) }

// EndCut tells that readers are shown what is in the files, or that nothing was changed. Without a BeginCut it does
// nothing.
func (s *Source) EndCut() {
	if c := s.cut.Swap(nil); c != nil && !c.failed {
		close(c.over)
	}
}

// FailCut tells that the truncation has failed, and is carried out when the stream recovers; EndCut comes then.
func (s *Source) FailCut() {
	if c := s.cut.Load(); c != nil && !c.failed {
		c.failed = true
		close(c.over)
	}
}

// afterCut waits for the end of a truncation, if there is one that err may come from, and reports whether the question
// is to be asked again. A truncation that has failed is an error.
func (s *Source) afterCut(ctx context.Context, err error) (again bool, failure error) {
	c := s.cut.Load()
	if c == nil || !worthAnotherTry(err) {
		return false, nil
	}
	select {
	case <-c.over:
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	if c.failed {
		return false, fmt.Errorf("%w: the stream is being truncated, which has failed, and goes on when it recovers: %w", engine.ErrUnreadable, err)
	}
	return true, nil
}

// LoadSince is Load of a message that there was, or had been, after the last sequence had gone back so often: what
// has its sequence now, if it has gone back below that since, is another one.
func (s *Source) LoadSince(rewinds, sequence uint64, into *Buffer) error {
	err := s.Load(sequence, into)
	if errors.Is(err, ErrEOF) {
		return notFound(sequence)
	}
	if _, last, ok := s.Published.RewoundTo(rewinds); ok && sequence > last {
		into.Record = blockio.Record{}
		return notFound(sequence)
	}
	return err
}
