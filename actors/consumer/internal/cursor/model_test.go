package cursor

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// naive is what a consumer has to do, the plain way: a record for each message of the stream, and loops over all of them.
type naive struct {
	messages map[uint64]message // by sequence
	position uint64
	number   uint64
	paused   int64
	counts   Counts
}

type message struct {
	key        uint64
	status     status
	numbers    []uint64 // of its deliveries
	deliveries int      // that count
	due        int64
	loading    bool
}

type status uint8

const (
	unread status = iota
	waiting
	inFlight
	settled
)

func (n *naive) clone() *naive {
	c := *n
	c.messages = maps.Clone(n.messages)
	for sequence, m := range c.messages {
		m.numbers = slices.Clone(m.numbers)
		c.messages[sequence] = m
	}
	return &c
}

func (n *naive) sequences(of ...status) (list []uint64) {
	for sequence, m := range n.messages {
		if slices.Contains(of, m.status) {
			list = append(list, sequence)
		}
	}
	slices.Sort(list)
	return list
}

func (n *naive) set(sequence uint64, change func(m *message)) {
	m := n.messages[sequence]
	change(&m)
	n.messages[sequence] = m
}

// keyBusy reports whether a message of the key is in flight, or is being loaded, or waits before this one.
func (n *naive) keyBusy(key, before uint64) bool {
	for sequence, m := range n.messages {
		if m.key == key && (m.status == inFlight || m.status == waiting && (m.loading || sequence < before)) {
			return true
		}
	}
	return false
}

// next is what Cursor.Next has to return.
func (n *naive) next(s Settings, now int64) (uint64, Pick) {
	if n.paused > now {
		return 0, PickNone
	}
	pending, held, loading := 0, 0, 0
	for _, sequence := range n.sequences(inFlight) {
		if m := n.messages[sequence]; m.due <= now && !m.loading {
			return sequence, PickAgain
		}
		pending++
	}
	for _, sequence := range n.sequences(waiting) {
		held++
		if n.messages[sequence].loading {
			loading++
		}
	}
	if pending+loading >= s.MaxPending {
		return 0, PickNone
	}
	for _, sequence := range n.sequences(waiting) {
		if m := n.messages[sequence]; !m.loading && !n.keyBusy(m.key, sequence) {
			return sequence, PickHeld
		}
	}
	if held >= s.MaxPending {
		return 0, PickNone
	}
	return 0, PickNew
}

// world is a consumer beside its model, and what is durable of both.
type world struct {
	t        *rapid.T
	settings Settings
	now      int64
	stream   uint64 // last sequence

	cursor *Cursor
	model  *naive

	snapshot []byte
	log      [][]byte
	durable  *naive
}

func (w *world) wait(n int) int64 {
	if len(w.settings.Waits) > 0 {
		return w.now + int64(w.settings.Waits[min(max(n, 1), len(w.settings.Waits))-1])
	}
	return w.now + int64(w.settings.Wait)
}

func (w *world) publish() {
	for range rapid.IntRange(1, 4).Draw(w.t, "count") {
		w.stream++
		key := uint64(rapid.IntRange(1, 3).Draw(w.t, "key"))
		w.model.messages[w.stream] = message{key: key}
		w.durable.messages[w.stream] = message{key: key}
	}
}

// deliver has one message delivered, as an actor does.
func (w *world) deliver() {
	w.expire()
	sequence, pick := w.cursor.Next(w.now)
	wantSequence, wantPick := w.model.next(w.settings, w.now)
	require.Equal(w.t, wantPick, pick)
	require.Equal(w.t, wantSequence, sequence)
	switch pick {
	case PickAgain, PickHeld:
		w.model.set(sequence, func(m *message) { m.loading = true })
		if rapid.Bool().Draw(w.t, "later") {
			return // it is still being loaded
		}
		w.loaded(sequence)
	case PickNew:
		w.read()
	}
}

// loaded ends the loading of a message.
func (w *world) loaded(sequence uint64) {
	m := w.model.messages[sequence]
	if rapid.IntRange(0, 9).Draw(w.t, "putback") == 0 {
		w.cursor.Putback(sequence)
		w.model.set(sequence, func(m *message) { m.loading = false })
		return
	}
	number, deliveries, ok := w.cursor.Loaded(sequence, m.key, w.now)
	require.Equal(w.t, m.loading, ok)
	if ok {
		w.took(sequence, number, deliveries)
	}
}

func (w *world) read() {
	for sequence := w.model.position; sequence <= w.stream; sequence++ {
		m := w.model.messages[sequence]
		if m.status == settled { // it was removed
			continue
		}
		if w.settings.Ordered && w.model.keyBusy(m.key, sequence) {
			require.True(w.t, w.cursor.Blocked(m.key))
			w.cursor.Hold(sequence, m.key)
			w.model.set(sequence, func(m *message) { m.status = waiting })
			w.model.position = sequence + 1
			return
		}
		require.False(w.t, w.cursor.Blocked(m.key))
		number, ok := w.cursor.Deliver(sequence, m.key, w.now)
		require.True(w.t, ok)
		w.took(sequence, number, 1)
		return
	}
	w.cursor.Advance(w.stream + 1)
	w.model.position = w.stream + 1
}

func (w *world) took(sequence, number, deliveries uint64) {
	w.model.number++
	require.Equal(w.t, w.model.number, number)
	w.model.set(sequence, func(m *message) {
		m.numbers = append(m.numbers, number)
		if m.deliveries++; m.deliveries > 1 {
			w.model.counts.Redelivered++
		}
		m.status, m.loading, m.due = inFlight, false, w.wait(m.deliveries)
	})
	w.model.position = max(w.model.position, sequence+1)
	require.Equal(w.t, w.model.messages[sequence].deliveries, int(deliveries))
	if most := w.settings.MaxDeliver; most > 0 {
		require.LessOrEqual(w.t, deliveries, most)
	}
}

func (w *world) expire() {
	w.cursor.Expire(w.now)
	for _, sequence := range w.model.sequences(inFlight) {
		m := w.model.messages[sequence]
		if most := w.settings.MaxDeliver; !m.loading && m.due <= w.now && most > 0 && uint64(m.deliveries) >= most {
			w.model.set(sequence, func(m *message) { m.status = settled })
			w.model.counts.Exhausted++
		}
	}
}

// verdict judges a message about a delivery that was handed out some time.
func (w *world) verdict() {
	known := w.model.sequences(inFlight, settled)
	if len(known) == 0 {
		return
	}
	sequence := rapid.SampledFrom(known).Draw(w.t, "sequence")
	m := w.model.messages[sequence]
	number := uint64(1)
	if len(m.numbers) > 0 {
		number = rapid.SampledFrom(m.numbers).Draw(w.t, "number")
	}
	want := Done
	latest := len(m.numbers) > 0 && number == m.numbers[len(m.numbers)-1]
	what := rapid.IntRange(0, 4).Draw(w.t, "what")
	switch {
	case m.status != inFlight:
		want = NotPending
	case what > 0 && !latest:
		want = Stale
	}
	require.Equal(w.t, want != NotPending, w.cursor.IsPending(sequence, number))
	var got Verdict
	change := func(m *message) { m.status = settled }
	switch what {
	case 0:
		got = w.cursor.Acked(sequence, number)
		w.count(want, &w.model.counts.Acked)
	case 1:
		got = w.cursor.Terminated(sequence, number, w.now)
		w.count(want, &w.model.counts.Terminated)
	case 2:
		until := w.now + int64(rapid.IntRange(0, 30).Draw(w.t, "delay"))
		got = w.cursor.Delayed(sequence, number, until)
		w.count(want, &w.model.counts.Delayed)
		change = func(m *message) { m.due, m.loading = until, false }
	case 4:
		got = w.cursor.Returned(sequence, number, w.now)
		change = func(m *message) { m.due, m.loading, m.deliveries = w.now, false, max(m.deliveries-1, 0) }
	case 3:
		got = w.cursor.Extended(sequence, number, w.now)
		w.count(want, &w.model.counts.Extended)
		change = func(m *message) { m.due, m.loading = w.wait(m.deliveries), false }
	}
	require.Equal(w.t, want, got)
	if want == Done {
		w.model.set(sequence, change)
	}
}

func (w *world) count(v Verdict, counter *uint64) {
	if v == Done {
		*counter++
	}
}

// remove has the stream lose a message.
func (w *world) remove() {
	if w.stream == 0 {
		return
	}
	sequence := rapid.Uint64Range(1, w.stream).Draw(w.t, "sequence")
	m := w.model.messages[sequence]
	known := m.status == waiting || m.status == inFlight
	require.Equal(w.t, known, w.cursor.Removed(sequence, w.now))
	if known {
		w.model.counts.Removed++
	}
	if m.status != settled {
		w.model.set(sequence, func(m *message) { m.status, m.loading = settled, false })
	}
}

// commit makes durable what has happened, as a snapshot or as events.
func (w *world) commit() {
	events := w.cursor.Take()
	require.False(w.t, w.cursor.Changed())
	if rapid.IntRange(0, 4).Draw(w.t, "snapshot") == 0 {
		w.snapshot, w.log = w.cursor.Snapshot(), nil
	} else {
		w.log = append(w.log, events)
	}
	w.durable = w.model.clone()
	rebuilt := w.rebuild()
	if rebuilt.position == w.cursor.position {
		require.Equal(w.t, w.cursor.Snapshot(), rebuilt.Snapshot())
	}
	require.LessOrEqual(w.t, rebuilt.position, w.cursor.position)
	require.Equal(w.t, w.cursor.counts, rebuilt.counts)
}

func (w *world) rebuild() *Cursor {
	c, err := Restore(w.settings, w.snapshot)
	require.NoError(w.t, err)
	for _, events := range w.log {
		require.NoError(w.t, c.Replay(events))
	}
	return c
}

// crash loses what is not durable.
func (w *world) crash() {
	w.cursor, w.model = w.rebuild(), w.durable.clone()
	w.model.position = w.cursor.position // it may have moved, without an event, over what is of no interest
	for sequence := range w.model.messages {
		w.model.set(sequence, func(m *message) { m.loading = false })
	}
}

func (w *world) check() {
	c, n := w.cursor, w.model
	require.Equal(w.t, n.counts, c.Counts())
	require.Equal(w.t, n.number, c.Delivered())
	require.Len(w.t, n.sequences(inFlight), c.Pending())
	require.Len(w.t, n.sequences(waiting), c.Held())
	outstanding := slices.Sorted(c.Outstanding())
	require.ElementsMatch(w.t, n.sequences(inFlight, waiting), outstanding)
	require.LessOrEqual(w.t, c.Pending(), w.settings.MaxPending)
	floor := n.position - 1
	if len(outstanding) > 0 {
		floor = min(floor, outstanding[0]-1)
	}
	require.Equal(w.t, floor, c.Floor())
	settledFor := c.counts.Exhausted + c.counts.Terminated + c.counts.Removed + c.counts.Damaged
	require.Equal(w.t, min(int(settledFor), mostNotices), len(c.Notices(0)))
	if !w.settings.Ordered {
		return
	}
	busy := map[uint64]bool{}
	for _, sequence := range n.sequences(inFlight) {
		key := n.messages[sequence].key
		require.False(w.t, busy[key], "two messages of a key are in flight")
		busy[key] = true
	}
}

// TestCursorAgreesWithNaive runs scripts against a consumer and its model, with crashes: what was made durable is there
// exactly, and nothing else.
func TestCursorAgreesWithNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Settings{
			Wait: time.Duration(rapid.IntRange(1, 20).Draw(t, "wait")), MaxPending: rapid.IntRange(1, 6).Draw(t, "maxPending"),
			MaxDeliver: uint64(rapid.IntRange(0, 3).Draw(t, "maxDeliver")), Ordered: rapid.Bool().Draw(t, "ordered"),
		}
		if rapid.Bool().Draw(t, "waits") {
			s.Waits = []time.Duration{3, 10}
		}
		begin := &naive{messages: map[uint64]message{}, position: 1}
		w := &world{t: t, settings: s, cursor: New(s, []byte("config"), 1, 0), model: begin, durable: begin.clone()}
		w.snapshot = w.cursor.Snapshot()
		t.Repeat(map[string]func(*rapid.T){
			"publish": func(*rapid.T) { w.publish() },
			"deliver": func(*rapid.T) { w.deliver() },
			"again":   func(*rapid.T) { w.deliver() },
			"loaded": func(*rapid.T) {
				for _, sequence := range w.model.sequences(inFlight, waiting) {
					if w.model.messages[sequence].loading {
						w.loaded(sequence)
					}
				}
			},
			"verdict": func(*rapid.T) { w.verdict() },
			"remove":  func(*rapid.T) { w.remove() },
			"time":    func(*rapid.T) { w.now += int64(rapid.IntRange(1, 15).Draw(t, "time")); w.expire() },
			"pause": func(*rapid.T) {
				until := w.now + int64(rapid.IntRange(-5, 10).Draw(t, "until"))
				w.cursor.Pause(until)
				w.model.paused = until
			},
			"commit": func(*rapid.T) { w.commit() },
			"crash":  func(*rapid.T) { w.crash() },
			"":       func(*rapid.T) { w.check() },
		})
	})
}
