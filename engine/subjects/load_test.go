package subjects

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// loaded is a subject for Load.
type loaded struct {
	name string
	info Info
}

// listOf returns all of a tree, in order.
func listOf(t *Tree) (list []loaded) {
	everything := subject.Everything()
	t.Walk(&everything, func(name []byte, info Info) bool {
		info.ID = 0
		list = append(list, loaded{string(name), info})
		return true
	})
	return list
}

func load(seed uint64, list []loaded) (*Index, bool) {
	i := 0
	return Load(seed, len(list), func() ([]byte, *Info) {
		i++
		return []byte(list[i-1].name), &list[i-1].info
	})
}

func TestLoadIsWhatAddMakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{0, 1, 2, loadLeaf, loadLeaf + 1, 2000, loadLeaf*loadNode + 7}).Draw(t, "n")
		width := rapid.SampledFrom([]int{0, 3, 200, 2000}).Draw(t, "width")
		if n > 100 {
			width = min(width, 200)
		}
		counts := rapid.SampledFrom([]uint64{1, 7, many - 1, many, math.MaxUint32 + 5}).Draw(t, "count")
		added := New(3)
		sequence := uint64(1)
		for i := range n {
			name := fmt.Sprintf("a%s.%d.%d", strings.Repeat("x", i%(width+1)), i%17, i)
			count := counts
			if i%3 > 0 {
				count = 1
			}
			id := added.Add(name, count, sequence, sequence+count-1, true, uint32(30+i%5))
			sequence += count + uint64(i%2)*(1<<33)
			if i%11 == 0 && count > 2 {
				added.Removed(id, sequence)
				added.Lost(id, 1)
			}
		}
		want := listOf(added.Tree())
		x, ok := load(5, want)
		require.True(t, ok)
		require.NoError(t, x.check())
		require.Equal(t, want, listOf(x.Tree()))
		require.Equal(t, added.Tree().Len(), x.Tree().Len())
		require.Equal(t, added.Tree().Messages(), x.Tree().Messages())
		for i, s := range want { // it goes on as any other
			id, ok := x.Lookup(s.name)
			require.True(t, ok)
			if i%2 == 0 {
				x.RemovedMany(id, s.info.Count, s.info.Last)
			}
			x.Add(s.name+".more", 1, sequence+uint64(i), sequence+uint64(i), true, 40)
		}
		require.NoError(t, x.check())
		require.Len(t, listOf(x.Tree()), n/2+n)
	})
}

func TestLoadRefusesWhatIsNoList(t *testing.T) {
	one := Info{Count: 1, First: 1, Last: 1, FirstExact: true, LastExact: true}
	for name, list := range map[string][]loaded{
		"out of order": {{"b", one}, {"a", one}},
		"twice":        {{"a", one}, {"a", one}},
		"empty":        {{"", one}},
		"no messages":  {{"a", Info{}}},
		"too long":     {{strings.Repeat("a", math.MaxUint16+1), one}},
	} {
		t.Run(name, func(t *testing.T) {
			_, ok := load(1, list)
			require.False(t, ok)
		})
	}
	list := make([]loaded, 2*loadLeaf)
	for i := range list {
		list[i] = loaded{fmt.Sprintf("%04d", i), one}
	}
	_, ok := load(1, list)
	require.True(t, ok)
	slices.Reverse(list[loadLeaf-1 : loadLeaf+1])
	_, ok = load(1, list)
	require.False(t, ok, "across the end of a leaf")
	_, ok = Load(1, 1, func() ([]byte, *Info) { return nil, nil })
	require.False(t, ok)
}

func BenchmarkLoad(b *testing.B) {
	list := make([]loaded, 1_000_000)
	for i := range list {
		n := uint64(i + 1)
		list[i] = loaded{fmt.Sprintf("orders.%07d.new", i), Info{Count: 1, First: n, Last: n, FirstExact: true, LastExact: true}}
	}
	names := make([][]byte, len(list))
	for i := range list {
		names[i] = []byte(list[i].name)
	}
	for b.Loop() {
		i := -1
		_, ok := Load(7, len(list), func() ([]byte, *Info) { i++; return names[i], &list[i].info })
		require.True(b, ok)
	}
}
