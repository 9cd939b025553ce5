package engine_test

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/engine/subjects"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// entry is one message of the model.
type entry struct {
	sequence uint64
	time     int64
	subject  string
	header   string
	payload  string
}

func (m entry) size() int { return codec{}.Size(len(m.subject), len(m.header), len(m.payload)) }

// event is what one accepted command did to the log.
type event struct {
	messages []entry
	removed  []uint64 // sequences
	last     uint64   // sequence afterwards
	time     int64    // last time afterwards
	limits   *engine.Limits
	opened   bool // limits are those of an open, which applies MaxMsgsPer first

	truncates bool // all messages above a sequence are removed
	above     uint64
}

// model is a stream done in the most obvious way: a slice that is searched,
// summed up and cut from the front.
type model struct {
	limits engine.Limits
	begun  engine.Limits // the limits before the first event
	log    []event       // everything that was ever accepted
	live   []entry
	last   uint64
	time   int64 // of the last sequence
	first  uint64
	stamp  int64
	ended  bool
	// cleared tells that the stream was purged before it had used a sequence.
	cleared bool
	// discarded counts what MaxMsgs and MaxBytes removed.
	discarded int
	ids       map[string]uint64 // nil when none are remembered
}

func newModel(limits engine.Limits, first uint64) *model {
	m := &model{limits: limits, begun: limits, time: engine.NoTime}
	if first > 1 {
		m.first, m.last = first, first-1
	}
	return m
}

func (m *model) bytes() int {
	n := 0
	for _, e := range m.live {
		n += e.size()
	}
	return n
}

// apply predicts the reply to one command and changes the model accordingly.
func (m *model) apply(s sent, now int64) engine.Reply {
	r := engine.Reply{Tag: s.tag}
	if m.ended {
		r.Err = engine.ErrStopped
		return r
	}
	switch c := s.command.(type) {
	case *engine.Stop:
		m.ended = true
		r.Sequence = m.last
	case *engine.Flush, *engine.SetSync:
		r.Sequence = m.last
	case *engine.Skip:
		return m.skip(c, now, r)
	case *engine.Store:
		if m.duplicates([]engine.Message{c.Message}, &r) {
			return r
		}
		return m.store(r, []engine.Message{c.Message}, true, 0, c.Precondition, m.later(now))
	case *engine.StoreRaw:
		stamp := func() int64 { return c.Time }
		if c.StampNow {
			stamp = m.later(now)
		}
		return m.store(r, []engine.Message{c.Message}, c.CheckDiscardNew, c.Sequence, engine.Precondition{}, stamp)
	case *engine.Remove:
		return m.remove(c, r)
	case *engine.Erase:
		return m.erase(c, r)
	case *engine.Purge:
		return m.purge(c, r)
	case *engine.Compact:
		return m.compact(c.Sequence, r)
	case *engine.SyncDeleted:
		return m.syncDeleted(c, r)
	case *engine.Truncate:
		return m.truncate(c.Sequence, r)
	case *engine.StoreBatch:
		if len(c.Messages) == 0 {
			r.Err = engine.ErrEmptyBatch
			return r
		}
		if m.duplicates(c.Messages, &r) {
			return r
		}
		if slices.ContainsFunc(c.Messages[1:], func(m engine.Message) bool { return m.Rollup == engine.RollupAll }) {
			r.Err = engine.ErrRollupInBatch
			return r
		}
		return m.store(r, c.Messages, true, 0, c.Precondition, m.later(now))
	}
	return r
}

// later returns what stamps messages at a time.
func (m *model) later(now int64) func() int64 {
	return func() int64 {
		if m.stamp = max(m.stamp, now); m.stamp > now+24*3600*second {
			m.stamp = now
		}
		return m.stamp
	}
}

func (m *model) store(r engine.Reply, messages []engine.Message, check bool, wanted uint64, p engine.Precondition, stamp func() int64) engine.Reply {
	if r.Err = m.refusal(messages, check); r.Err == nil {
		r.Err = m.mismatch(wanted, p)
	}
	if r.Err == nil && check {
		r.Err = m.unexpected(messages)
	}
	if r.Err != nil {
		return r
	}
	time := stamp()
	ev := event{time: time}
	for _, msg := range messages {
		m.last++
		m.remember(msg, m.last, time)
		ev.removed = append(ev.removed, m.rolledUp(msg, ev.messages)...)
		ev.messages = append(ev.messages, entry{m.last, time, msg.Subject, string(msg.Header), string(msg.Payload)})
	}
	ev.last = m.last
	slices.Sort(ev.removed)
	m.add(ev)
	r.Sequence, r.Count, r.Time = m.last, len(messages), time
	return r
}

func (m *model) add(ev event) {
	m.log = append(m.log, ev)
	for _, e := range ev.messages {
		m.live = append(m.live, e)
		m.enforcePer(e.subject)
	}
	m.live = slices.DeleteFunc(m.live, func(e entry) bool {
		_, gone := slices.BinarySearch(ev.removed, e.sequence)
		return gone || ev.truncates && e.sequence > ev.above
	})
	m.last, m.time = ev.last, ev.time
	if ev.limits != nil {
		if m.limits = *ev.limits; ev.opened {
			m.thin()
		}
	}
	m.enforce()
	if ev.limits != nil {
		m.thin()
	}
}

// refusal returns why messages may not enter; check applies the limits of DiscardNew.
func (m *model) refusal(messages []engine.Message, check bool) error {
	n, bytes := 0, 0
	for _, msg := range messages {
		n, bytes = n+1, bytes+codec{}.Size(len(msg.Subject), len(msg.Header), len(msg.Payload))
	}
	if m.limits.Discard == engine.DiscardNew && check {
		if err := m.refusalPer(messages, &n, &bytes); err != nil {
			return err
		}
		if m.limits.MaxMsgs > 0 && n > 0 && len(m.live)+n > int(m.limits.MaxMsgs) {
			return engine.ErrMaxMsgs
		}
		if m.limits.MaxBytes > 0 && m.bytes()+bytes > int(m.limits.MaxBytes) {
			return engine.ErrMaxBytes
		}
	}
	for _, msg := range messages {
		if size := (codec{}).Size(len(msg.Subject), len(msg.Header), len(msg.Payload)); check && m.limits.MaxBytes > 0 && size > int(m.limits.MaxBytes) {
			return engine.ErrMaxBytes
		}
		if m.limits.MaxMsgSize > 0 && len(msg.Header)+len(msg.Payload) > m.limits.MaxMsgSize {
			return engine.ErrTooLarge
		}
	}
	return nil
}

func (m *model) mismatch(wanted uint64, p engine.Precondition) error {
	if wanted != 0 && wanted != m.last+1 || p.HasExpectLast && p.ExpectLast != m.last {
		return engine.ErrSequenceMismatch
	}
	return nil
}

func (m *model) skip(c *engine.Skip, now int64, r engine.Reply) engine.Reply {
	if c.Count == 0 {
		r.Sequence = m.last
		return r
	}
	if r.Err = m.mismatch(c.Sequence, engine.Precondition{}); r.Err != nil {
		return r
	}
	time := m.time
	switch {
	case c.HasTime:
		time = c.Time
	case time == engine.NoTime:
		time = now
	}
	m.add(event{last: m.last + c.Count, time: time})
	r.Sequence, r.Time = m.last, time
	return r
}

func (m *model) enforce() {
	if m.limits.Discard != engine.DiscardOld {
		return
	}
	for m.limits.MaxMsgs > 0 && len(m.live) > int(m.limits.MaxMsgs) ||
		m.limits.MaxBytes > 0 && m.bytes() > int(m.limits.MaxBytes) {
		m.live = m.live[1:]
		m.discarded++
	}
}

func (m *model) state() engine.State {
	s := engine.State{
		Messages: uint64(len(m.live)), Bytes: uint64(m.bytes()),
		FirstSequence: m.last + 1, FirstTime: engine.NoTime,
		LastSequence: m.last, LastTime: m.time,
	}
	if m.last == 0 && !m.cleared {
		s.FirstSequence = 0
	}
	subjects := map[string]bool{}
	for _, e := range m.live {
		if e.subject != "" {
			subjects[e.subject] = true
		}
	}
	s.Subjects = uint64(len(subjects))
	if len(m.live) > 0 {
		s.FirstSequence, s.FirstTime = m.live[0].sequence, m.live[0].time
		s.Deleted = s.LastSequence - s.FirstSequence + 1 - s.Messages
	}
	return s
}

// deleted lists the sequences between the first and the last without a message.
func (m *model) deleted() []engine.SequenceRange {
	var ranges []engine.SequenceRange
	if len(m.live) == 0 {
		return nil
	}
	next := m.live[0].sequence
	gap := func(to uint64) {
		if next <= to {
			ranges = append(ranges, engine.SequenceRange{First: next, Last: to})
		}
	}
	for _, e := range m.live {
		gap(e.sequence - 1)
		next = e.sequence + 1
	}
	gap(m.last)
	return ranges
}

// prefix returns the model as it was after so many events.
func (m *model) prefix(events int, first uint64) *model {
	p := newModel(m.begun, first)
	for _, ev := range m.log[:events] {
		p.add(ev)
	}
	return p
}

// matches returns what is wrong with a reply.
func matches(got, want engine.Reply) error {
	switch {
	case got.Tag != want.Tag:
		return fmt.Errorf("reply to %v, want the one to %v", got.Tag, want.Tag)
	case !errors.Is(got.Err, want.Err) || want.Err == nil && got.Err != nil:
		return fmt.Errorf("%v: error %v, want %v", got.Tag, got.Err, want.Err)
	case got.Err == nil && (got.Sequence != want.Sequence || got.Count != want.Count || got.Time != want.Time || got.Duplicate != want.Duplicate):
		return fmt.Errorf("%v: got %+v, want %+v", got.Tag, got, want)
	}
	return nil
}

// sameState returns what differs, the durable mark aside.
func sameState(got, want engine.State) error {
	got.Durable, want.Durable = 0, 0
	if got != want {
		return fmt.Errorf("state\n got %+v\nwant %+v", got, want)
	}
	return nil
}

// sameSubjects compares the index of subjects and the gaps of a snapshot with what
// readers should see.
func sameSubjects(got engine.Snapshot, want *snapshot) error {
	if err := sameState(got.State, want.state); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	sums := make(map[string]subjects.Info)
	for _, m := range want.live {
		info := sums[m.subject]
		if info.Count++; info.Count == 1 {
			info.First = m.sequence
		}
		info.Last, info.LastSize = m.sequence, uint32(m.size())
		sums[m.subject] = info
	}
	delete(sums, "")
	var err error
	everything := subject.Everything()
	got.Subjects.Walk(&everything, func(name []byte, info subjects.Info) bool {
		w := sums[string(name)]
		delete(sums, string(name))
		switch {
		case info.Count != w.Count, info.Last < w.Last, info.First > w.First,
			info.LastExact && info.Last != w.Last, info.LastSize != 0 && info.LastSize != w.LastSize,
			info.FirstExact && info.First != w.First:
			err = fmt.Errorf("subject %q: %+v, want %+v", name, info, w)
		}
		return err == nil
	})
	if err == nil && len(sums) > 0 {
		err = fmt.Errorf("subjects %v are missing", sums)
	}
	for i, b := range got.View.Blocks() {
		if from, to := b.First, got.LastSequence; err == nil && i+1 == len(got.View.Blocks()) && from <= to {
			live := uint64(0)
			for _, m := range want.live {
				if m.sequence >= from {
					live++
				}
			}
			if n := to - max(from, got.FirstSequence) + 1 - b.DeletedWithin(max(from, got.FirstSequence), to); got.FirstSequence <= to && n != live {
				err = fmt.Errorf("the last block has %d live messages, want %d", n, live)
			}
		}
	}
	return err
}

// verify compares what a reader sees with the messages that should be there.
func verify(s *shell, live []entry) error {
	for _, want := range live {
		got, ok := s.read(want.sequence)
		if !ok {
			return fmt.Errorf("message %d cannot be read", want.sequence)
		}
		if got.sequence != want.sequence || got.time != want.time || got.subject != want.subject ||
			string(got.header) != want.header || string(got.payload) != want.payload {
			return fmt.Errorf("message %d reads as %+v, want %+v", want.sequence, got, want)
		}
	}
	// The neighbours of every message, of which some are long gone.
	for i, want := range live {
		next := s.pub.Last() + 1
		if i+1 < len(live) {
			next = live[i+1].sequence
		}
		for sequence := want.sequence + 1; sequence < min(next, want.sequence+10); sequence++ {
			if _, ok := s.read(sequence); ok {
				return fmt.Errorf("message %d can be read, but is gone", sequence)
			}
		}
	}
	return nil
}
