package blockindex

import (
	"bytes"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// held is how many pages of an index the cache has.
func held(x *Index) (n int) {
	for number, slot := range x.set.slot {
		if slot != 0 {
			n++
		} else if x.pages[number].Load() != nil {
			panic("a page that the cache does not have")
		}
	}
	return n
}

// TestPageCacheKeepsItsBound: whatever is asked of whichever index, the cache holds no
// more than it may, and the pages that the indexes have are those it counts.
func TestPageCacheKeepsItsBound(t *testing.T) {
	b := benchBlock(t, 2000, 300)
	image := b.image(t)
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(-1, 30*PageSize).Draw(t, "bytes")
		cache := NewPageCache(limit)
		var open [3]*Index
		for i := range open {
			var err error
			open[i], err = Open(image, b.identity(), Options{Pages: cache})
			require.NoError(t, err)
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			x := open[rapid.IntRange(0, 2).Draw(t, "index")]
			if rapid.IntRange(0, 30).Draw(t, "drop") == 0 {
				x.DropPages()
				require.Zero(t, held(x))
			} else {
				i := rapid.IntRange(0, 1999).Draw(t, "ordinal")
				r, err := x.Record(i)
				require.NoError(t, err)
				require.Equal(t, b.record[i].Offset, r.Offset)
			}
			require.LessOrEqual(t, cache.Bytes(), max(limit, 0))
			require.Equal(t, cache.Bytes(), int64(held(open[0])+held(open[1])+held(open[2]))*PageSize)
		}
	})
}

// TestPageCacheGivesASecondChance: a page in use outlives a scan of many that are used
// once.
func TestPageCacheGivesASecondChance(t *testing.T) {
	b := benchBlock(t, 4000, 3)
	cache := NewPageCache(4 * PageSize)
	x, err := Open(b.image(t), b.identity(), Options{Pages: cache})
	require.NoError(t, err)
	use := func(page int) *[PageSize]byte {
		p, err := x.sectionPage(kindRecords, uint32(page))
		require.NoError(t, err)
		return p
	}
	first := use(0)
	use(0)
	for page := 1; page < 20; page++ {
		require.True(t, first == use(0), "page %d", page)
		use(page)
	}
	require.Equal(t, 4, held(x))
	for page := 1; page < 6; page++ { // and goes when it is not used any more
		use(page)
	}
	require.False(t, first == use(0))
}

// TestPrivatePagesAreNotCopied: the memory of an image is there already.
func TestPrivatePagesAreNotCopied(t *testing.T) {
	b := smallBlocks()["gaps"]
	before := defaultPages.Bytes()
	image := b.image(t)
	x, err := OpenImage(image)
	require.NoError(t, err)
	_, err = ask(x)
	require.NoError(t, err)
	require.Equal(t, before, defaultPages.Bytes())
	p, err := x.page(1)
	require.NoError(t, err)
	require.True(t, &image[PageSize] == &p[0])
	x.DropPages()
	_, err = ask(x)
	require.NoError(t, err)
}

// TestPageCacheKeepsNoIndexAlive is about the bytes of an index: what a cache refers to
// must not lead to them.
func TestPageCacheKeepsNoIndexAlive(t *testing.T) {
	b := smallBlocks()["gaps"]
	x, err := Open(b.image(t), b.identity(), Options{Pages: NewPageCache(1 << 20)})
	require.NoError(t, err)
	_, err = ask(x)
	require.NoError(t, err)
	for _, slot := range x.set.cache.slots {
		require.False(t, &x.data[int(slot.number)*PageSize] == &slot.page[0])
	}
}

// TestManyReadersWhilePagesGo: several goroutines ask several indexes, the cache has
// room for few of their pages, and one goroutine throws out pages all the time.
func TestManyReadersWhilePagesGo(t *testing.T) {
	for _, room := range []int64{0, 2, 5, 100} {
		cache := NewPageCache(room * PageSize)
		var opened []*Index
		var right []answers
		for _, name := range []string{"plain", "gaps", "long"} {
			b := smallBlocks()[name]
			x, err := Open(bytes.Clone(imageOf(t, b, b.identity())), b.identity(), Options{Pages: cache})
			require.NoError(t, err)
			a, err := ask(x)
			require.NoError(t, err)
			opened, right = append(opened, x), append(right, a)
		}
		var readers, dropper sync.WaitGroup
		done := make(chan struct{})
		dropper.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
					opened[i%len(opened)].DropPages()
				}
			}
		})
		for reader := range 4 {
			readers.Go(func() {
				for i := range 60 {
					which := (reader + i) % len(opened)
					got, err := ask(opened[which])
					if err != nil {
						t.Error(err)
						return
					}
					if !equalAnswers(got, right[which]) {
						t.Error("wrong answers")
						return
					}
				}
			})
		}
		readers.Wait()
		close(done)
		dropper.Wait()
		require.LessOrEqual(t, cache.Bytes(), room*PageSize)
	}
}
