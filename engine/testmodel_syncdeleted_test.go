package engine_test

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
)

// syncDeleted takes the messages out that another copy of the stream does not have, one event each: a crash may
// leave the lowest of them removed.
func (m *model) syncDeleted(c *engine.SyncDeleted, r engine.Reply) engine.Reply {
	var gone []uint64
	for _, e := range m.live {
		if slices.ContainsFunc(c.Ranges, func(r engine.SequenceRange) bool { return r.First <= e.sequence && e.sequence <= r.Last }) {
			gone = append(gone, e.sequence)
		}
	}
	for _, sequence := range gone {
		m.add(event{removed: []uint64{sequence}, last: m.last, time: m.time})
	}
	r.Sequence, r.Count = m.last, len(gone)
	return r
}

// drawSyncDeleted draws what another copy may have lost: ranges in any order, some of which overlap or are empty.
func drawSyncDeleted(t *rapid.T, mc *machine) *engine.SyncDeleted {
	c := &engine.SyncDeleted{}
	last := mc.e.StagedState().LastSequence
	end := rapid.OneOf(rapid.Just(uint64(0)), rapid.Just(last), rapid.Just(last+5), rapid.Just(uint64(1)<<60))
	if n := len(mc.m.live); n > 0 {
		first := mc.m.live[0].sequence
		at := rapid.Map(rapid.IntRange(0, n-1), func(i int) uint64 { return mc.m.live[i].sequence })
		end = rapid.OneOf(at, at, at, rapid.Just(first-1), end)
	}
	for range rapid.IntRange(0, 4).Draw(t, "ranges") {
		from := end.Draw(t, "from")
		to := rapid.OneOf(rapid.Just(from), end).Draw(t, "to")
		if to < from && rapid.IntRange(0, 4).Draw(t, "the right way round") > 0 {
			from, to = to, from
		}
		c.Ranges = append(c.Ranges, engine.SequenceRange{First: from, Last: to})
	}
	return c
}
