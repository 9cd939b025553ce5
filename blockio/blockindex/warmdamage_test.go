package blockindex

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// A warmIndex is an index that is in use while the bytes below it change, with what it
// answered before.
type warmIndex struct {
	image []byte // as it was written
	data  []byte // what the index reads, changed in place
	index *Index
	right answers
}

func warm(t require.TestingT, b *block, pages *PageCache) *warmIndex {
	w := &warmIndex{image: imageOf(t, b, b.identity())}
	w.data = bytes.Clone(w.image)
	var err error
	w.index, err = Open(w.data, b.identity(), Options{Pages: pages})
	require.NoError(t, err)
	w.right, err = ask(w.index)
	require.NoError(t, err)
	return w
}

// try asks an index everything after its bytes have changed, and puts them right.
func (w *warmIndex) try(t *testing.T, what string, mayFail bool) {
	got, err := ask(w.index)
	switch {
	case err != nil && (!mayFail || !isSentinel(err)):
		t.Errorf("%s: %v", what, err)
	case err == nil && !equalAnswers(got, w.right):
		t.Errorf("%s: wrong answers", what)
	}
	copy(w.data, w.image)
}

// eachDamage overwrites the bytes below an index in every way in turn.
func (w *warmIndex) eachDamage(t *testing.T, b, neighbour *block, try func(what string)) {
	for _, fill := range []byte{0, 0xff} {
		for from := 0; from < len(w.data); from += PageSize {
			copy(w.data[from:], bytes.Repeat([]byte{fill}, PageSize))
			try(fmt.Sprintf("%02x over the page at %d", fill, from))
		}
		copy(w.data, bytes.Repeat([]byte{fill}, len(w.data)))
		try(fmt.Sprintf("%02x over all", fill))
	}
	step := 1
	if testing.Short() {
		step = 37
	}
	for at := 0; at < len(w.data); at += step {
		if w.data[at] == 0 && at%(16*step) != 0 { // most of a file is padding
			continue
		}
		w.data[at] ^= 1 << (at % 8)
		try(fmt.Sprintf("a bit of byte %d", at))
	}
	older := b.identity()
	older.ModTime--
	strangers := map[string][]byte{
		"an older copy": imageOf(t, b, older), "a neighbour's file": imageOf(t, neighbour, neighbour.identity()),
	}
	for what, stranger := range strangers {
		for from := 0; from < min(len(w.data), len(stranger)); from += PageSize {
			copy(w.data[from:], stranger[from:from+PageSize])
			try(fmt.Sprintf("%s in the page at %d", what, from))
		}
		copy(w.data, stranger)
		try(what)
	}
	for from := PageSize; from < len(w.data); from += PageSize {
		copy(w.data[from:from+PageSize], w.image[from-PageSize:])
		try(fmt.Sprintf("the page before in that at %d", from))
	}
}

// TestDamageUnderAnIndexInUse: whatever happens to the file of an index that is in use,
// its answers are the right ones, or there is an error that says it is damaged.
func TestDamageUnderAnIndexInUse(t *testing.T) {
	blocks := smallBlocks()
	for name, b := range blocks {
		neighbour := blocks["plain"]
		if name == "plain" {
			neighbour = blocks["gaps"]
		}
		t.Run(name, func(t *testing.T) {
			t.Run("every page in memory", func(t *testing.T) {
				t.Parallel()
				w := warm(t, b, NewPageCache(1<<20))
				w.eachDamage(t, b, neighbour, func(what string) { w.try(t, what, false) })
			})
			t.Run("no page in memory", func(t *testing.T) {
				t.Parallel()
				w := warm(t, b, NewPageCache(1<<20))
				w.eachDamage(t, b, neighbour, func(what string) {
					w.index.DropPages()
					w.try(t, what, true)
				})
			})
			for _, pages := range []int64{0, 1, 3} {
				t.Run(fmt.Sprintf("room for %d pages", pages), func(t *testing.T) {
					t.Parallel()
					w := warm(t, b, NewPageCache(pages*PageSize))
					w.eachDamage(t, b, neighbour, func(what string) { w.try(t, what, true) })
				})
			}
		})
	}
}

// TestDamageOfAMappedFile is the same with a file that somebody else writes to, and with
// one that is cut off: that is an error, and no fault.
func TestDamageOfAMappedFile(t *testing.T) {
	b := benchBlock(t, 600, 500)
	path := filepath.Join(t.TempDir(), "7.blk")
	image := b.image(t)
	changes := map[string]func() error{
		"zeros":    func() error { return os.WriteFile(Path(path), make([]byte, len(image)), 0o600) },
		"ones":     func() error { return os.WriteFile(Path(path), bytes.Repeat([]byte{0xff}, len(image)), 0o600) },
		"cut":      func() error { return os.Truncate(Path(path), PageSize) },
		"empty":    func() error { return os.Truncate(Path(path), 0) },
		"restored": func() error { return os.WriteFile(Path(path), image, 0o600) },
	}
	for what, change := range changes {
		for _, pages := range []int64{1 << 10, 4, 0} {
			require.NoError(t, os.WriteFile(Path(path), image, 0o600))
			x, err := OpenFile(blockio.OS, path, b.identity(), Options{Pages: NewPageCache(pages * PageSize)})
			require.NoError(t, err)
			right, err := ask(x.Index)
			require.NoError(t, err)
			require.NoError(t, change())
			got, err := ask(x.Index)
			switch {
			case err == nil:
				require.Equal(t, right, got, what)
			case x.Mapped() && pages == 1<<10, !isSentinel(err) && !errors.Is(err, blockio.ErrMapped):
				require.NoError(t, err, what)
			}
			x.DropPages()
			if _, err = ask(x.Index); err != nil && !isSentinel(err) {
				require.ErrorIs(t, err, blockio.ErrMapped, what)
			} else if x.Mapped() && what != "restored" {
				require.Error(t, err, what)
			}
			require.NoError(t, x.Close())
		}
	}
}

// hostileNumber is one that a decoder might trip over.
func hostileNumber(t *rapid.T) uint32 {
	return rapid.OneOf(
		rapid.Uint32Range(0, 40), rapid.Uint32Range(PageSize-30, PageSize+30), rapid.Uint32(),
		rapid.SampledFrom([]uint32{1<<32 - 1, 1<<31 - 1, 1 << 31, 1 << 16, 1<<16 - 1, longFlag, headLimit, headLimit | longFlag, maxRest}),
	).Draw(t, "number")
}

// TestHostilePages: pages of any content, with right checksums and the right kind, lead
// to answers or to an error: no decoder panics, hangs, or takes memory without end.
func TestHostilePages(t *testing.T) {
	images := map[string][]byte{}
	for name, b := range smallBlocks() {
		images[name] = imageOf(t, b, b.identity())
	}
	rapid.Check(t, func(t *rapid.T) {
		data := bytes.Clone(images[rapid.SampledFrom([]string{"plain", "gaps", "long"}).Draw(t, "block")])
		for range rapid.IntRange(1, 3).Draw(t, "pages") {
			number := rapid.IntRange(0, len(data)/PageSize-1).Draw(t, "page")
			page := data[number*PageSize:][:PageSize]
			at := pageHead - 2 // the number of entries too
			if number == 0 {
				at = atPages
			}
			for ; at+4 <= PageSize && rapid.IntRange(0, 60).Draw(t, "more") > 0; at += rapid.SampledFrom([]int{2, 4, 4, 8, 20, 24}).Draw(t, "step") {
				if v := hostileNumber(t); rapid.Bool().Draw(t, "16 bits") {
					put16(page[at:], v)
				} else {
					put32(page[at:], v)
				}
			}
		}
		resum(data)
		askAnything(t, data, "a.*.c", 17)
	})
}
