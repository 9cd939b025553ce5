package archive

import (
	"context"
	"errors"
	"sync"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// syncedBehind is how many files wait for their sync, at most, besides the one that is being synced. It bounds what is open.
const syncedBehind = 4

// errEnded keeps files from being synced that are removed.
var errEnded = errors.New("archive: nothing is unpacked any more")

// syncBehind makes files durable on a goroutine of its own: while the disk works on one, the next is read, checked and
// written.
type syncBehind struct {
	ctx   context.Context   // nothing is synced after its end
	files chan blockio.File // nil as long as there was none
	done  sync.WaitGroup

	mu  sync.Mutex
	err error // of those that were synced
}

// add has a file synced and closed that is complete. The error is that of an earlier one.
func (s *syncBehind) add(file blockio.File) error {
	if s.files == nil {
		files := make(chan blockio.File, syncedBehind)
		s.files = files
		s.done.Go(func() { s.run(files) })
	}
	s.files <- file
	return s.failed()
}

// run syncs what comes, and after an error only closes it.
func (s *syncBehind) run(files <-chan blockio.File) {
	for file := range files {
		err := s.failed()
		if err == nil && s.ctx.Err() != nil {
			err = context.Cause(s.ctx)
		}
		if err == nil {
			err = file.Sync()
		}
		if err = errors.Join(err, file.Close()); err != nil {
			s.fail(err)
		}
	}
}

func (s *syncBehind) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// fail keeps the first error.
func (s *syncBehind) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// wait returns when all files are durable and closed, or one of them failed and all are closed.
func (s *syncBehind) wait() error {
	if s.files != nil {
		close(s.files)
		s.done.Wait()
		s.files = nil
	}
	return s.failed()
}
