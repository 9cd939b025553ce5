package duplicates

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// known is what the plain way keeps of a message.
type known struct {
	id       string
	sequence uint64
	age      uint64 // in nanoseconds; the highest number when it is more
}

// machine drives a window and the plain way: a list, the oldest first.
type machine struct {
	w      *Window
	limits Limits
	list   []known
	now    int64
	last   uint64
}

func (m *machine) look(id string) (uint64, bool) {
	for _, k := range m.list {
		if k.id == id && k.age < uint64(m.limits.Age) {
			return k.sequence, true
		}
	}
	return 0, false
}

func (m *machine) add(t require.TestingT, id string, sequence uint64, stored int64) {
	age := uint64(0)
	if stored < m.now {
		age = uint64(m.now - stored)
	}
	want := m.limits.Entries > 0 && age < uint64(m.limits.Age) && id != "" && len(id) <= MaxID
	if want {
		m.truncate(sequence - 1)
		_, known := m.look(id)
		want = !known
	}
	require.Equal(t, want, m.w.Add(id, sequence, stored))
	if want {
		m.list = append(m.list, known{id, sequence, age})
		m.cut()
		m.last = sequence
	}
}

func (m *machine) cut() {
	if n := len(m.list) - m.limits.Entries; n > 0 {
		m.list = slices.Delete(m.list, 0, n)
	}
}

func (m *machine) truncate(sequence uint64) {
	m.list = slices.DeleteFunc(m.list, func(k known) bool { return k.sequence > sequence })
	m.last = min(m.last, sequence)
}

func (m *machine) advance(now int64) {
	if now > m.now {
		step := uint64(now - m.now)
		for i := range m.list {
			if m.list[i].age += step; m.list[i].age < step {
				m.list[i].age = math.MaxUint64
			}
		}
	}
	m.now = now
	m.w.Advance(now)
	for len(m.list) > 0 && m.list[0].age >= uint64(m.limits.Age) {
		m.list = m.list[1:]
	}
}

func (m *machine) setLimits(limits Limits) {
	for i := range m.list {
		if m.list[i].age >= uint64(m.limits.Age) {
			m.list[i].id = "" // forgotten for good
		}
	}
	if m.limits = limits; limits.Entries == 0 {
		m.list = nil
	}
	m.cut()
	m.w.SetLimits(limits)
	m.advance(m.now)
}

func (m *machine) check(t require.TestingT) {
	require.Equal(t, len(m.list), m.w.Len())
	ids := map[string]bool{"none": true}
	for _, k := range m.list {
		ids[k.id] = true
	}
	for id := range ids {
		want, known := m.look(id)
		got, ok := m.w.Look(id)
		require.Equal(t, known && id != "", ok, id)
		if ok {
			require.Equal(t, want, got)
		}
	}
	m.w.check(t)
}

// check looks at what must hold inside.
func (w *Window) check(t require.TestingT) {
	used := 0
	for at, place := range w.table.places {
		if place == 0 {
			continue
		}
		used++
		e := w.ring.entry(w.table.places[at].position())
		require.Equal(t, e.hash, place.hash())
		for i := w.table.home(e.hash); i != at; i = w.table.after(i) {
			require.False(t, w.table.free(i), "a free place on the way to an entry")
		}
	}
	require.Equal(t, w.table.used, used)
	require.LessOrEqual(t, used, w.ring.len())
	require.LessOrEqual(t, 4*used, 3*len(w.table.places))
	require.LessOrEqual(t, len(w.ring.chunks), w.ring.len()/chunkEntries+2)
	require.LessOrEqual(t, cap(w.ring.chunks), 4*len(w.ring.chunks)+4)
	if w.ring.len() == 0 {
		require.Empty(t, w.ring.chunks)
	}
}

func TestTheWindowAgreesWithAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := rapid.Custom(func(t *rapid.T) Limits {
			return Limits{rapid.SampledFrom([]int{0, 1, 3, 300, 2000}).Draw(t, "entries"), rapid.SampledFrom([]time.Duration{time.Nanosecond, time.Second, time.Minute, math.MaxInt64}).Draw(t, "age")}
		})
		m := &machine{now: 1_700_000_000e9, limits: limits.Draw(t, "limits")}
		m.w = New(m.limits, rapid.Uint64().Draw(t, "seed"), m.now)
		if rapid.Bool().Draw(t, "positions go around") {
			m.w.ring.first = positions &^ (4*chunkEntries - 1)
			m.w.ring.next = m.w.ring.first
		}
		id := func(t *rapid.T) string {
			switch rapid.IntRange(0, 9).Draw(t, "kind") {
			case 0:
				return strings.Repeat("x", rapid.IntRange(0, MaxID+1).Draw(t, "length"))
			case 1:
				return rapid.StringN(0, 20, 40).Draw(t, "id")
			default:
				return fmt.Sprint("id", rapid.IntRange(0, 40).Draw(t, "id"))
			}
		}
		stored := func(t *rapid.T) int64 {
			return m.now - rapid.SampledFrom([]int64{0, 0, 1, 3e8, 1e9, 59e9, 60e9, -1e9, 1e18, -1e18}).Draw(t, "ago")
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) { m.add(t, id(t), m.last+rapid.Uint64Range(1, 3).Draw(t, "step"), stored(t)) },
			"add one that is known": func(t *rapid.T) {
				if len(m.list) > 0 {
					m.add(t, m.list[rapid.IntRange(0, len(m.list)-1).Draw(t, "which")].id, m.last+1, stored(t))
				}
			},
			"add many": func(t *rapid.T) {
				at := stored(t)
				for range rapid.IntRange(1, 700).Draw(t, "n") {
					m.add(t, fmt.Sprint("many", m.last), m.last+1, at)
				}
			},
			"add below": func(t *rapid.T) { m.add(t, id(t), max(1, m.last-min(m.last, 2)), m.now) },
			"truncate": func(t *rapid.T) {
				sequence := rapid.Uint64Range(m.last/2, m.last+1).Draw(t, "sequence")
				m.truncate(sequence)
				m.w.Truncate(sequence)
			},
			"time": func(t *rapid.T) {
				m.advance(m.now + rapid.SampledFrom([]int64{0, 1, 1e8, 3e8, 1e9, 30e9, 60e9, 1e18, -1, -1e9, -1e17}).Draw(t, "jump"))
			},
			"limits": func(t *rapid.T) {
				if rapid.IntRange(0, 4).Draw(t, "sure") == 0 {
					m.setLimits(limits.Draw(t, "limits"))
				}
			},
			"clear": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "sure") == 0 {
					m.w.Clear()
					m.list = nil
				}
			},
			"": func(t *rapid.T) { m.check(t) },
		})
	})
}
