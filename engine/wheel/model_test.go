package wheel

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func compare(a, b entry) int {
	return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.sequence, b.sequence))
}

// machine drives a wheel and the plain way, a sorted list.
type machine struct {
	w    Wheel
	list []entry
	now  int64
}

func (m *machine) add(t require.TestingT, e entry) {
	i, found := slices.BinarySearchFunc(m.list, e, compare)
	require.Equal(t, !found, m.w.Add(e.sequence, e.due))
	if !found {
		m.list = slices.Insert(m.list, i, e)
	}
}

func (m *machine) remove(t require.TestingT, e entry) {
	i, found := slices.BinarySearchFunc(m.list, e, compare)
	require.Equal(t, found, m.w.Remove(e.sequence, e.due))
	if found {
		m.list = slices.Delete(m.list, i, i+1)
	}
}

func (m *machine) removeRange(t require.TestingT, first, last uint64) {
	n := len(m.list)
	m.list = slices.DeleteFunc(m.list, func(e entry) bool { return first <= e.sequence && e.sequence <= last })
	require.Equal(t, n-len(m.list), m.w.RemoveRange(first, last))
}

// expire visits at most so many entries.
func (m *machine) expire(t require.TestingT, now int64, most int) {
	due := 0
	for due < len(m.list) && m.list[due].due <= now {
		due++
	}
	var visited []entry
	m.w.Expire(now, func(sequence uint64, due int64) bool {
		if len(visited) == most {
			return false
		}
		visited = append(visited, entry{due, sequence})
		return true
	})
	due = min(due, most)
	require.Equal(t, append([]entry(nil), m.list[:due]...), visited)
	m.list = slices.Delete(m.list, 0, due)
}

// check compares all that is there, and looks at the inside.
func (m *machine) check(t require.TestingT) {
	require.Equal(t, len(m.list), m.w.Len())
	due, ok := m.w.Next()
	require.Equal(t, len(m.list) > 0, ok)
	if ok {
		require.Equal(t, m.list[0].due, due)
	}
	all := m.w.top.gather(nil)
	require.True(t, slices.Equal(m.list, all))
	m.w.top.check(t)
}

// check looks at what must hold of every slot and ring, and returns the slot's entries.
func (s *slot) check(t require.TestingT) int {
	r := s.ring
	if r == nil {
		require.LessOrEqual(t, len(s.entries), most)
		require.LessOrEqual(t, cap(s.entries), max(2*len(s.entries), 2), "memory that is not used")
		return len(s.entries)
	}
	require.Nil(t, s.entries)
	require.Greater(t, r.n, few)
	require.GreaterOrEqual(t, len(r.slots), 2)
	n, i := 0, 0
	for value := range digitMask + 1 {
		if !r.has(value) {
			continue
		}
		in := r.slots[i].check(t)
		require.Positive(t, in)
		for _, e := range r.slots[i].gather(nil) {
			require.GreaterOrEqual(t, differ(r.like, e), r.digit)
			require.Equal(t, value, e.digit(r.digit))
		}
		n, i = n+in, i+1
	}
	require.Equal(t, len(r.slots), i)
	require.Equal(t, r.n, n)
	return n
}

// times draws due times: near a moving now, in bunches, at all distances, and at the ends
// of time.
func (m *machine) due(t *rapid.T) int64 {
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return m.now + rapid.Int64Range(-10, 10).Draw(t, "near")
	case 1:
		return m.now + rapid.Int64Range(-60e9, 60e9).Draw(t, "minute")
	case 2:
		return int64(rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, math.MaxInt64}).Draw(t, "end"))
	case 3:
		return m.now + int64(1)<<rapid.IntRange(0, 61).Draw(t, "bits")
	case 4:
		return rapid.SampledFrom([]int64{1e18, 1e18 + 1, 2e18}).Draw(t, "bunch")
	default:
		return rapid.Int64().Draw(t, "any")
	}
}

func (m *machine) sequence(t *rapid.T) uint64 {
	if rapid.IntRange(0, 9).Draw(t, "large") == 0 {
		return rapid.Uint64().Draw(t, "sequence")
	}
	return rapid.Uint64Range(1, 3000).Draw(t, "sequence")
}

// existing draws an entry that is there, most of the time.
func (m *machine) existing(t *rapid.T) entry {
	if n := len(m.list); n > 0 && rapid.IntRange(0, 9).Draw(t, "other") > 0 {
		return m.list[rapid.IntRange(0, n-1).Draw(t, "which")]
	}
	return entry{m.due(t), m.sequence(t)}
}

func TestWheelAgreesWithASortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{now: 1_700_000_000_000_000_000}
		t.Repeat(map[string]func(*rapid.T){
			"add":    func(t *rapid.T) { m.add(t, entry{m.due(t), m.sequence(t)}) },
			"again":  func(t *rapid.T) { m.add(t, m.existing(t)) },
			"remove": func(t *rapid.T) { m.remove(t, m.existing(t)) },
			"add many": func(t *rapid.T) {
				e := entry{m.due(t), m.sequence(t)}
				step := rapid.SampledFrom([]int64{0, 1, 37, 1e6, 1e9, 3600e9}).Draw(t, "step")
				for range rapid.IntRange(1, 700).Draw(t, "n") {
					m.add(t, e)
					e.due, e.sequence = e.due+step, e.sequence+1
				}
			},
			"remove many": func(t *rapid.T) {
				stride := rapid.IntRange(1, 5).Draw(t, "stride")
				for i := len(m.list) - 1; i >= 0; i-- {
					if i%stride != 0 {
						m.remove(t, m.list[i])
					}
				}
			},
			"remove range": func(t *rapid.T) {
				first := m.sequence(t)
				m.removeRange(t, first, first+rapid.Uint64Range(0, 500).Draw(t, "n"))
			},
			"truncate": func(t *rapid.T) {
				above := m.sequence(t)
				n := len(m.list)
				m.list = slices.DeleteFunc(m.list, func(e entry) bool { return e.sequence > above })
				require.Equal(t, n-len(m.list), m.w.RemoveAbove(above))
			},
			"clear": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "sure") == 0 {
					m.w.Clear()
					m.list = nil
				}
			},
			"time": func(t *rapid.T) {
				m.now += rapid.SampledFrom([]int64{1, 1e6, 1e9, 60e9, -60e9, 315360000e9, -315360000e9}).Draw(t, "jump") // up to ten years
				m.expire(t, m.now, rapid.SampledFrom([]int{0, 1, 50, math.MaxInt}).Draw(t, "most"))
			},
			"": func(t *rapid.T) { m.check(t) },
		})
	})
}
