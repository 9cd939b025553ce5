package wheel

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// memory returns how many bytes a slot holds on to.
func (s *slot) memory() int {
	n := cap(s.entries) * int(unsafe.Sizeof(entry{}))
	if s.ring == nil {
		return n
	}
	n += int(unsafe.Sizeof(ring{})) + cap(s.ring.slots)*int(unsafe.Sizeof(slot{}))
	for i := range s.ring.slots {
		n += s.ring.slots[i].memory()
	}
	return n
}

func (w *Wheel) perEntry() float64 { return float64(w.top.memory()) / float64(w.n) }

// nested returns a wheel with entries at ever smaller distances from one point: a ring at
// nearly every digit, and in the last of them as few entries as it can have.
func nested() *Wheel {
	const point = 0x777 << 8
	w := new(Wheel)
	for i := range uint64(most + 1) {
		w.Add(point+i, start)
	}
	for i := range digits - 2 {
		w.Add(point, start^1<<(i*digitBits))
		w.Add(point^1<<((i+2)*digitBits), start)
	}
	for i := uint64(0); w.top.depth() > digitCount-4; i++ {
		w.Remove(point+i, start)
	}
	return w
}

func (s *slot) depth() int {
	deepest := 0
	if s.ring != nil {
		for i := range s.ring.slots {
			deepest = max(deepest, 1+s.ring.slots[i].depth())
		}
	}
	return deepest
}

func TestMemoryIsBounded(t *testing.T) {
	const n = 200_000
	for name, row := range map[string]struct {
		list []entry
		most float64
	}{"spread": {spread(n), 26}, "ascending": {ascending(n), 26}, "together": {together(n), 18}} {
		w := fill(row.list)
		require.Less(t, w.perEntry(), row.most, name)
		for i, e := range row.list { // most of them go
			if i%97 != 0 {
				w.Remove(e.sequence, e.due)
			}
		}
		require.Less(t, w.perEntry(), 36.0, "%s, after removals", name)
		for i, e := range row.list {
			if i%97 == 0 {
				w.Remove(e.sequence, e.due)
			}
		}
		require.Equal(t, slot{}, w.top, "%s: nothing is left", name)
	}
}

func TestMemoryOfEntriesThatAreChosenToBeNested(t *testing.T) {
	w := nested()
	require.Greater(t, w.top.depth(), 20)
	t.Logf("%d entries, %.1f bytes each", w.n, w.perEntry())
	require.Less(t, w.perEntry(), 60.0)
}
