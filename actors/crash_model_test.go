package actors

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// crashModel is a stream done in the most obvious way: the list of all that was
// ever accepted. What is live follows from the limits.
type crashModel struct {
	limits engine.Limits
	start  uint64 // last sequence before the first event
	events []crashEvent

	// Of the events, from the first on: how many were acknowledged, and how many
	// are known to be on stable storage.
	acked, durable int

	lives, marks bool        // messages have TTLs; there are delete markers
	waiting      []*crashTag // that were not answered, where there are markers
}

// crashEvent is what one accepted command added to the log.
type crashEvent struct {
	messages []crashMessage
	last     uint64 // sequence afterwards
}

type crashMessage struct {
	sequence uint64
	time     int64
	exact    bool // the time is known; otherwise it is at least time
	gone     bool // lost in a crash that was allowed to lose it
	engine.Message
}

func (m *crashMessage) size() int {
	return blockio.RecordSize(len(m.Subject), len(m.Header), len(m.Payload))
}

// crashTag says what the reply to a command must be.
type crashTag struct {
	event int // -1 for none
	last  uint64
	count int
	err   error
	flush bool
	until int // a flush: events that it makes durable
}

func newCrashModel(limits engine.Limits, first uint64) *crashModel {
	m := &crashModel{limits: limits}
	if first > 1 {
		m.start = first - 1
	}
	return m
}

func (m *crashModel) fork() *crashModel {
	f := *m
	f.events, f.waiting = slices.Clone(m.events), nil
	return &f
}

func (m *crashModel) last() uint64 {
	if n := len(m.events); n > 0 {
		return m.events[n-1].last
	}
	return m.start
}

// submit applies a command and returns what must be answered.
func (m *crashModel) submit(c engine.Command, now int64) *crashTag {
	tag := &crashTag{event: -1, last: m.last(), until: len(m.events)}
	if m.marks {
		m.waiting = append(m.waiting, tag)
	}
	e := crashEvent{last: m.last()}
	add := func(message engine.Message, time int64, exact bool) {
		e.last++
		e.messages = append(e.messages, crashMessage{sequence: e.last, time: time, exact: exact, Message: message})
	}
	var wanted uint64
	bounded := true // by DiscardNew
	switch c := c.(type) {
	case *engine.Flush:
		tag.flush = true
		return tag
	case *engine.Stop:
		return tag
	case *engine.Store:
		add(c.Message, now, false)
		if c.HasExpectLast {
			wanted = c.ExpectLast + 1
		}
	case *engine.StoreRaw:
		add(c.Message, c.Time, true)
		wanted, bounded = c.Sequence, false
	case *engine.StoreBatch:
		for _, message := range c.Messages {
			add(message, now, false)
		}
	case *engine.Skip:
		e.last += c.Count
		wanted, bounded = c.Sequence, false
	}
	if tag.err = m.refusal(wanted, len(e.messages), bounded); tag.err != nil {
		return tag
	}
	m.events = append(m.events, e)
	tag.event, tag.last, tag.count = len(m.events)-1, e.last, len(e.messages)
	return tag
}

func (m *crashModel) refusal(wanted uint64, messages int, bounded bool) error {
	if bounded && m.limits.Discard == engine.DiscardNew {
		if len(m.live(len(m.events)))+messages > int(m.limits.MaxMsgs) {
			return engine.ErrMaxMsgs
		}
	}
	if wanted != 0 && wanted != m.last()+1 {
		return engine.ErrSequenceMismatch
	}
	return nil
}

// reply checks a reply, and notes what it promises.
func (m *crashModel) reply(r engine.Reply, durable uint64) error {
	tag := r.Tag.(*crashTag)
	if i := slices.Index(m.waiting, tag); i >= 0 {
		m.waiting = slices.Delete(m.waiting, i, i+1)
		if tag.event < 0 {
			tag.last = max(tag.last, r.Sequence) // of a marker that was staged before
		}
	}
	switch {
	case tag.err != nil:
		if !errors.Is(r.Err, tag.err) {
			return fmt.Errorf("answered with error %v, not %v", r.Err, tag.err)
		}
		return nil
	case r.Err != nil:
		return fmt.Errorf("failed: %w", r.Err)
	case r.Sequence != tag.last || r.Count != tag.count:
		return fmt.Errorf("answered with sequence %d and count %d, not %d and %d", r.Sequence, r.Count, tag.last, tag.count)
	case tag.flush:
		if durable < tag.last {
			return fmt.Errorf("flushed up to %d, durable up to %d", tag.last, durable)
		}
		m.acked, m.durable = max(m.acked, tag.until), max(m.durable, tag.until)
		return nil
	case tag.event < 0:
		return nil
	}
	e := &m.events[tag.event]
	e.messages = slices.Clone(e.messages) // other forks have them, too
	for i := range e.messages {
		if known := &e.messages[i]; known.exact && known.time != r.Time || known.time > r.Time {
			return fmt.Errorf("message %d has time %d, not %d", known.sequence, r.Time, known.time)
		}
		e.messages[i].time, e.messages[i].exact = r.Time, true
	}
	m.acked = max(m.acked, tag.event+1)
	return nil
}

// upTo returns how many events end at or below a sequence.
func (m *crashModel) upTo(sequence uint64) int {
	n := len(m.events)
	for n > 0 && m.events[n-1].last > sequence {
		n--
	}
	return n
}

// lastAfter is the last sequence after so many events.
func (m *crashModel) lastAfter(events int) uint64 {
	if events == 0 {
		return m.start
	}
	return m.events[events-1].last
}

// live returns the messages that the limits leave of the first events, age apart.
func (m *crashModel) live(events int) []*crashMessage {
	var live []*crashMessage // the last one first
	msgs, bytes := int64(0), int64(0)
	limited := m.limits.Discard == engine.DiscardOld
	for i := events - 1; i >= 0; i-- {
		list := m.events[i].messages
		for j := len(list) - 1; j >= 0; j-- {
			message := &list[j]
			if message.gone {
				continue
			}
			msgs, bytes = msgs+1, bytes+int64(message.size())
			if limited && (m.limits.MaxMsgs > 0 && msgs > m.limits.MaxMsgs ||
				m.limits.MaxBytes > 0 && bytes > m.limits.MaxBytes) {
				slices.Reverse(live)
				return live
			}
			live = append(live, message)
		}
	}
	slices.Reverse(live)
	return live
}

// expire drops messages below first that may have gone for their age or by their TTL.
func (m *crashModel) expire(live []*crashMessage, first uint64, now int64) []*crashMessage {
	if !m.ages() {
		return live
	}
	return m.dropDue(live, nil, first, now)
}

// ages reports whether messages go with time.
func (m *crashModel) ages() bool { return m.lives || m.limits.MaxAge > 0 }

// cut forgets the events that a crash has taken, and trusts in the others.
func (m *crashModel) cut(events int) {
	m.events = m.events[:events:events]
	m.acked, m.durable = events, events
}
