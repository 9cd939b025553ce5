package actors

import (
	"fmt"
	"time"

	"github.com/seed-d8b58eba/millrace/engine"
)

type (
	// SkipRequest uses up Count sequences from Sequence (0: the next) on. Reply:
	// *SkipReply.
	SkipRequest struct {
		Sequence, Count uint64
		Time            time.Time // if not zero, as of Store.SkipAt
		Tag             any
	}
	// SkipReply answers SkipRequest.
	SkipReply struct {
		Last uint64 // last sequence skipped
		Err  error
		Tag  any
	}
)

func (m *SkipRequest) fill(o *op) error {
	if m.Time.IsZero() {
		o.command = &engine.Skip{Sequence: m.Sequence, Count: m.Count}
		return nil
	}
	return o.fillSkipAt(m.Sequence, m.Count, m.Time)
}

func (m *SkipRequest) answer(r engine.Reply) any {
	return &SkipReply{Last: r.Sequence, Err: r.Err, Tag: m.Tag}
}

// fillSkipAt makes an op skip sequences as of a time.
func (o *op) fillSkipAt(sequence, count uint64, at time.Time) error {
	c := &engine.Skip{Sequence: sequence, Count: count, HasTime: true}
	o.command = c
	var err error
	if c.Time, err = nanoseconds(at); err == nil && (at.IsZero() || c.Time == 0) {
		err = fmt.Errorf("%w: a skip cannot have %v", ErrBadTime, at)
	}
	return err
}
