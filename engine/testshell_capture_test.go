package engine_test

import (
	"bytes"
	"fmt"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// capture keeps what the engine says of the stream, if it is at rest, for the next opening: every second one goes
// on from there, and reads no block.
func (s *shell) capture() {
	s.captured = nil
	if s.e == nil || !s.resumes {
		return
	}
	if c, ok := s.e.Capture(); ok && c != nil && s.e.CaptureDurable(c) {
		if s.captures++; s.captures%2 == 1 {
			s.captured = c
		}
	}
}

// restore fills a recovery from the capture, if there is one.
func (s *shell) restore(r *engine.Recovery) {
	c := s.captured
	s.captured = nil
	if c == nil {
		return
	}
	var list []engine.SubjectCapture
	everything := subject.Everything()
	c.Subjects.Walk(&everything, func(name []byte, info engine.SubjectInfo) bool {
		list = append(list, engine.SubjectCapture{Name: bytes.Clone(name), Info: info, Evicted: c.Evicted(info)})
		return true
	})
	if !r.Restore(restorable(c), len(list), func() *engine.SubjectCapture {
		next := &list[0]
		list = list[1:]
		return next
	}) {
		panic(fmt.Sprintf("an engine does not take what one said: %+v", restorable(c)))
	}
	s.restored++
}

// restorable returns a capture as it is after it was written and read.
func restorable(c *engine.Capture) *engine.Capture {
	own := *c
	own.Subjects, own.Schedules = nil, nil
	own.Blocks = make([]engine.BlockCapture, len(c.Blocks))
	for i := range c.Blocks {
		b := c.Blocks[i]
		b.EachDeleted(b.First, b.Last, func(first, last uint64) {
			b.Removed = append(b.Removed, engine.SequenceRange{First: first, Last: last})
		})
		for l := range b.Lives() {
			b.Ends = append(b.Ends, l)
		}
		own.Blocks[i] = b
	}
	return &own
}
