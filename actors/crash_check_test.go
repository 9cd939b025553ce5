package actors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// crashKind is how a store came to its end.
type crashKind uint8

const (
	killed    crashKind = iota // the process; the machine has all that was written
	powerless                  // the machine
)

// floor returns how many events must have survived.
func (l *crashLife) floor(c crashKind) int {
	if c == powerless || l.plan.config.Sync == SyncNever {
		return l.model.durable
	}
	return l.model.acked
}

// exact reports whether what is left must be exactly what some prefix of the
// commands made. Weak levels do not order their writes against a loss of power.
func (l *crashLife) exact(c crashKind) bool {
	return c == killed || l.plan.config.Sync == SyncAlways
}

// check compares a store that has just been opened with the model, and brings the
// model to where the store is.
func (l *crashLife) check(c crashKind) error {
	state := l.stream.published.State()
	events := l.model.upTo(state.LastSequence)
	floor := l.floor(c)
	if last := l.model.lastAfter(floor); state.LastSequence < last {
		return fmt.Errorf("last sequence %d, but %d was acknowledged", state.LastSequence, last)
	}
	found, err := l.read()
	if err != nil {
		return err
	}
	exact := l.exact(c)
	if exact && state.Durable != state.LastSequence && len(l.model.events) > 0 {
		return fmt.Errorf("opened, and durable is %d of %d", state.Durable, state.LastSequence)
	}
	if exact || l.errors.first == "" && state.LostMessages == 0 {
		if l.errors.first != "" {
			return fmt.Errorf("logged: %s", l.errors.first)
		}
		if state.LostMessages != 0 || state.LostBytes != 0 {
			return fmt.Errorf("lost %d messages and %d bytes", state.LostMessages, state.LostBytes)
		}
	}
	if exact && l.model.lastAfter(events) != state.LastSequence {
		return fmt.Errorf("last sequence %d is inside a command", state.LastSequence)
	}
	if !exact {
		if events, err = l.punch(found, floor); err != nil {
			return err
		}
		if l.model.lastAfter(events) != state.LastSequence {
			return fmt.Errorf("last sequence %d is inside a command", state.LastSequence)
		}
	}
	live := l.model.expire(l.model.live(events), state.FirstSequence, l.now)
	if l.model.ages() {
		live = l.model.dropDue(live, sequencesOf(found), everything, l.now)
	}
	if l.plan.config.Sync == SyncAlways && l.model.marks {
		if err := l.model.markersOf(events, sequencesOf(found)); err != nil {
			return err
		}
	}
	if err := l.compare(found, live); err != nil {
		return err
	}
	if err := sameState(state, l.stateOf(live, events)); err != nil {
		return err
	}
	l.model.cut(events)
	return nil
}

// read gives all messages that a reader of the store gets.
func (l *crashLife) read() ([]Message, error) {
	var found []Message
	var failure error
	var all readOptions
	all.Set = subject.Everything()
	sc := l.stream.scan(context.Background(), all, func(m Message, err error) bool {
		if err != nil && failure == nil {
			failure = fmt.Errorf("read: %w", err)
		}
		if err == nil {
			found = append(found, m)
		}
		return true
	})
	sc.Run()
	if failure != nil && l.errors.first != "" && errors.Is(failure, ErrCorrupt) {
		failure = nil // said already
	}
	if n := len(found); failure == nil && n > 0 {
		m := found[n/2]
		var got MessageBuffer
		err := l.stream.load(m.Sequence, &got)
		if err != nil || !bytes.Equal(got.Payload, m.Payload) {
			return nil, fmt.Errorf("load of %d gives %v, %w", m.Sequence, got.Message, err)
		}
	}
	return found, failure
}

// compare checks messages that were read against those that should be there.
func (l *crashLife) compare(found []Message, live []*crashMessage) error {
	for i := range max(len(found), len(live)) {
		switch {
		case i == len(found):
			return fmt.Errorf("message %d is lost", live[i].sequence)
		case i == len(live):
			return fmt.Errorf("message %d should not be there", found[i].Sequence)
		case found[i].Sequence != live[i].sequence:
			return fmt.Errorf("message %d where %d should be", found[i].Sequence, live[i].sequence)
		}
		if err := same(&found[i], live[i]); err != nil {
			return err
		}
	}
	return nil
}

func same(got *Message, want *crashMessage) error {
	nanos := engine.NoTime
	if !got.Time.IsZero() {
		nanos = got.Time.UnixNano()
	}
	if got.Subject != want.Subject || !bytes.Equal(got.HeaderBlock, want.Header) || !bytes.Equal(got.Payload, want.Payload) ||
		want.exact && nanos != want.time || nanos < want.time {
		return fmt.Errorf("message %d is %s %q at %d, not %s %q at %d", want.sequence,
			got.Subject, short(got.Payload), nanos, want.Subject, short(want.Payload), want.time)
	}
	return nil
}

func short(b []byte) []byte { return b[:min(len(b), 12)] }

// inLastBlock reports whether a message is in the block that was written last.
func (l *crashLife) inLastBlock(sequence uint64) bool {
	return l.stream.published.View().Find(sequence).ID == l.highest
}

// punch takes out of the model the messages that a loss of power has cost a weak
// level. Nothing that was durable may be missing. A part of a batch may be: several
// groups were unsynced, and where a later one is there, a torn one is taken for
// damage, and said to be. Only in blocks before the last can a batch end early
// without a word.
func (l *crashLife) punch(found []Message, floor int) (events int, err error) {
	there := sequencesOf(found)
	first, last := l.stream.published.First(), l.stream.published.Last()
	for i := floor; i < len(l.model.events); i++ {
		e := &l.model.events[i]
		e.messages = slices.Clone(e.messages)
		kept, holes := uint64(0), 0
		for j := range e.messages {
			m := &e.messages[j]
			if l.model.ages() && l.model.due(m, l.now) {
				continue
			}
			if m.gone = !there[m.sequence] && m.sequence >= first; m.gone {
				holes++
			} else if there[m.sequence] {
				kept = m.sequence
			}
		}
		if kept > 0 && holes > 0 && l.errors.first == "" && l.inLastBlock(kept) {
			return 0, fmt.Errorf("%d of the %d messages of the batch that ends at %d are gone", holes, len(e.messages), e.last)
		}
		if len(e.messages) > 0 && e.messages[0].sequence <= last && last < e.last {
			e.last = last
		}
	}
	events = l.model.upTo(last)
	for l.punchHead(events, l.model.lastAfter(floor)) {
	}
	return events, nil
}

// punchHead takes out the last message before the first one there is that neither
// was durable nor has any other reason to be missing.
func (l *crashLife) punchHead(events int, durable uint64) bool {
	first := l.stream.published.First()
	live := l.model.expire(l.model.live(events), first, l.now)
	for _, m := range slices.Backward(live) {
		if m.sequence > durable && m.sequence < first {
			m.gone = true
			return true
		}
	}
	return false
}

// stateOf is the state with these live messages after so many events.
func (l *crashLife) stateOf(live []*crashMessage, events int) engine.State {
	last := l.model.lastAfter(events)
	s := engine.State{Messages: uint64(len(live)), FirstSequence: last + 1, LastSequence: last}
	if last == 0 {
		s.FirstSequence = 0
	}
	subjects := make(map[string]bool)
	for _, m := range live {
		s.Bytes += uint64(m.size())
		if m.Subject != "" {
			subjects[m.Subject] = true
		}
	}
	s.Subjects = uint64(len(subjects))
	if len(live) > 0 {
		s.FirstSequence = live[0].sequence
		s.Deleted = last - s.FirstSequence + 1 - s.Messages
	}
	return s
}

// sameState compares states, their times and what follows from damage apart.
func sameState(got, want engine.State) error {
	got.FirstTime, got.LastTime, got.Durable, got.LostMessages, got.LostBytes = 0, 0, 0, 0, 0
	if got != want {
		return fmt.Errorf("state %+v, not %+v", got, want)
	}
	return nil
}

// again opens a recovered store once more: nothing is left to be done.
func (l *crashLife) again() error {
	l.end()
	before := l.stream.published.State()
	var changed error
	damaged := l.errors.first != ""
	l.fs.SetHook(func(op blocktest.Op) blocktest.Fault {
		switch op.Kind {
		case blocktest.OpRemove:
			if l.plan.config.Sync != SyncAlways {
				break // a block that was made to mark an end, and has a successor since
			}
			fallthrough
		case blocktest.OpCreate, blocktest.OpWrite, blocktest.OpTruncate, blocktest.OpRename:
			if op.Kind == blocktest.OpTruncate && l.plan.config.Key != nil {
				break // zeros ahead of what the recovery has written itself: an encrypted block takes no more records after a crash
			}
			changed = errors.Join(changed, fmt.Errorf("recovery of a recovered store: %v", op))
		}
		return blocktest.Fault{}
	})
	err := errors.Join(l.open(), changed)
	l.fs.SetHook(nil)
	after := l.stream.published.State()
	before.Durable, after.Durable = 0, 0 // weak levels may be writing still
	if damaged {
		// The damage may have been in what is cut off or evicted now.
		before.LostMessages, before.LostBytes = after.LostMessages, after.LostBytes
	}
	if err == nil && after != before {
		err = fmt.Errorf("recovered %+v, and then %+v", before, after)
	}
	return err
}
