package engine_test

import (
	"fmt"

	"github.com/seed-d8b58eba/millrace/engine"
)

// taker adds up the notices of a stream, which have to equal what readers are shown at any time.
type taker struct {
	pub             *engine.Published // that it was told of
	engine          *engine.Engine    // with which it is registered
	messages, bytes int64
	stored          map[uint64]engine.Notice // not told removed one by one
	list            []engine.Notice
	wrong           error
}

// listen lets a taker hear of all that the engine does from now on, also after it was recovered.
func (s *shell) listen() {
	s.taker = &taker{}
	s.register()
}

// register puts the taker in touch with a new engine, which may still be opening.
func (s *shell) register() {
	k := s.taker
	if k == nil {
		return
	}
	if k.pub == s.pub {
		k.engine = s.e
		s.e.NotifyOn(1)
		return
	}
	*k = taker{pub: s.pub, engine: s.e, wrong: k.wrong, stored: make(map[uint64]engine.Notice)}
	s.e.Notify()
}

// hear takes the notices that are due, and compares them with what readers see.
func (s *shell) hear() {
	k := s.taker
	if k == nil || s.e.Opening() || k.engine != s.e {
		return
	}
	list := s.e.Notices()
	for _, n := range list {
		if n.Reason == engine.NoticeRegistered {
			k.messages = int64(s.pub.State().Messages)
			for _, other := range list {
				k.messages -= other.Messages
			}
		}
	}
	for _, n := range list {
		k.take(n)
	}
	k.list = append(k.list, list...)
	messages, bytes := s.e.Untold()
	if state := s.pub.State(); k.messages+messages != int64(state.Messages) || k.bytes+bytes != int64(state.Bytes) {
		k.fail("the notices add up to %d messages and %d bytes, readers are shown %d and %d: %v",
			k.messages, k.bytes, state.Messages, state.Bytes, list)
	}
}

func (k *taker) fail(format string, args ...any) {
	if k.wrong == nil {
		k.wrong = fmt.Errorf(format, args...)
	}
}

func (k *taker) take(n engine.Notice) {
	k.messages, k.bytes = k.messages+n.Messages, k.bytes+n.Bytes
	before, known := k.stored[n.Sequence]
	switch {
	case n.Sequence == 0:
	case n.Messages > 0 && known:
		k.fail("stored twice: %v", n)
	case n.Messages > 0:
		k.stored[n.Sequence] = n
	case known:
		if delete(k.stored, n.Sequence); before.Subject != n.Subject || before.Bytes != -n.Bytes {
			k.fail("%v was stored, and %v removed", before, n)
		}
	}
}
