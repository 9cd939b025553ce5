package blockindex

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestPassReadsWhatRecordDoes: any ordinals, up and down, of several indexes in turn,
// whatever the cache has room for.
func TestPassReadsWhatRecordDoes(t *testing.T) {
	b := benchBlock(t, 3000, 40)
	image := b.image(t)
	rapid.Check(t, func(t *rapid.T) {
		cache := NewPageCache(rapid.Int64Range(0, 20).Draw(t, "pages") * PageSize)
		var open [2]*Index
		for i := range open {
			var err error
			open[i], err = Open(image, b.identity(), Options{Pages: cache, Populate: func(int64, int64) error { return nil }})
			require.NoError(t, err)
		}
		var p Pass
		for range rapid.IntRange(1, 10).Draw(t, "questions") {
			ordinals := rapid.SliceOfN(rapid.IntRange(0, 2999), 0, 64).Draw(t, "ordinals")
			slices.Sort(ordinals)
			if rapid.Bool().Draw(t, "downwards") {
				slices.Reverse(ordinals)
			}
			got, err := passed(open[rapid.IntRange(0, 1).Draw(t, "index")], &p, ordinals)
			require.NoError(t, err)
			for i, ordinal := range ordinals {
				want := b.record[ordinal]
				want.Subject = got[i].Subject // which the block does not know
				require.Equal(t, want, got[i])
			}
			require.LessOrEqual(t, cache.Bytes(), int64(cache.most)*PageSize)
		}
	})
}

// TestPassKeepsNoPageThatIsUsedOnce: a pass over everything leaves the cache alone, one
// over few of the records does so the first time.
func TestPassKeepsNoPageThatIsUsedOnce(t *testing.T) {
	b := benchBlock(t, 4000, 3)
	x, err := Open(b.image(t), b.identity(), Options{Pages: NewPageCache(1 << 20)})
	require.NoError(t, err)
	for range 3 {
		_, err = passed(x, new(Pass), ordinalsBy(4000, 1))
		require.NoError(t, err)
		require.Zero(t, held(x))
	}
	_, err = passed(x, new(Pass), ordinalsBy(4000, 100))
	require.NoError(t, err)
	require.Zero(t, held(x))
	_, err = passed(x, new(Pass), ordinalsBy(4000, 100))
	require.NoError(t, err)
	require.Equal(t, 3900/recordsPerPage+1, held(x))
}

// TestPassAllocatesNothing when it puts no page into the cache.
func TestPassAllocatesNothing(t *testing.T) {
	b := benchBlock(t, 2000, 3)
	x := b.open(t)
	defer x.DropPages()
	var p Pass
	var into [64]Record
	ordinals := ordinalsBy(2000, 1)
	require.Zero(t, testing.AllocsPerRun(10, func() {
		for i := 0; i+64 <= len(ordinals); i += 64 {
			if err := p.Records(x, ordinals[i:i+64], into[:]); err != nil {
				panic(err)
			}
		}
	}))
}

// TestPassVerifiesWhatItHasNot: a page that changed is found to be damaged, unless the
// pass or the cache has the right one.
func TestPassVerifiesWhatItHasNot(t *testing.T) {
	b := benchBlock(t, 2000, 3)
	data := bytes.Clone(b.image(t))
	x, err := Open(data, b.identity(), Options{Pages: NewPageCache(1 << 20)})
	require.NoError(t, err)
	var p Pass
	first := []int{0, 1, 2, 3, 4, 5, 6, 7}
	want, err := passed(x, &p, first)
	require.NoError(t, err)
	data[PageSize+pageHead+recordSize] ^= 1
	got, err := passed(x, &p, first)
	require.NoError(t, err)
	require.Equal(t, want, got, "the pass still has the page")
	_, err = passed(x, new(Pass), first)
	require.ErrorIs(t, err, ErrDamaged)
	p.Forget()
	_, err = passed(x, &p, first)
	require.ErrorIs(t, err, ErrDamaged)
	_, err = passed(x, &p, first)
	require.ErrorIs(t, err, ErrDamaged, "nothing is left of a page that is damaged")
	_, err = passed(x, &p, []int{1000})
	require.NoError(t, err)
}

func TestPassRefusesOrdinalsThatTheIndexHasNot(t *testing.T) {
	b := benchBlock(t, 300, 3)
	x := b.open(t)
	defer x.DropPages()
	for _, ordinals := range [][]int{{-1}, {300}, {0, 300}, {299, -1}, {170, 1 << 40}} {
		_, err := passed(x, new(Pass), ordinals)
		require.ErrorIs(t, err, ErrRange, "%v", ordinals)
	}
}

// TestPassPopulatesStretchesTogether: those beside each other at once, no others, and each
// of them once.
func TestPassPopulatesStretchesTogether(t *testing.T) {
	const perStretch = populatePages * recordsPerPage
	n := 20 * perStretch
	b := benchBlock(t, n, 3)
	for name, ordinals := range map[string][]int{
		"up":   {0, 9 * perStretch, 10 * perStretch, 11 * perStretch, 19 * perStretch},
		"down": {19 * perStretch, 11 * perStretch, 10 * perStretch, 9 * perStretch, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var calls [][2]int64
			x, err := Open(b.image(t), b.identity(), Options{Populate: func(from, to int64) error {
				calls = append(calls, [2]int64{from / populateStretch, to / populateStretch})
				return nil
			}})
			require.NoError(t, err)
			defer x.DropPages()
			calls = nil
			for range 2 {
				_, err = passed(x, new(Pass), ordinals)
				require.NoError(t, err)
			}
			slices.SortFunc(calls, func(a, b [2]int64) int { return int(a[0] - b[0]) })
			require.Equal(t, [][2]int64{{0, 1}, {9, 12}, {19, 20}}, calls)
		})
	}
}
