package blockindex

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// smallBlocks are the blocks of the sweeps: together they have every kind of page.
func smallBlocks() map[string]*block {
	plain := newBlock()
	for i, name := range []string{"a.x.c", "a.y.c", "b", "a.x.c", "b.c"} {
		plain.message(uint64(10+i), int64(100*i), name, "payload")
	}
	gaps := newBlock()
	for i := range 30 {
		gaps.message(uint64(2*i+5), int64(100-i), []string{"", "a.1.c", "a.2.c", "b.1"}[i%4], "")
	}
	gaps.tombstone(7, 3)
	long := newBlock()
	for i := range 4 {
		long.message(uint64(i+1), int64(i), strings.Repeat("l", 1030)+decimal(i), "")
	}
	return map[string]*block{"empty": newBlock(), "plain": plain, "gaps": gaps, "long": long}
}

// imageOf is the index of a block with lost sequences, which needs no damage.
func imageOf(t require.TestingT, b *block, id Identity) []byte {
	builder := NewBuilder(id.Block)
	scan := blockio.ScanBlock("", testBlock, b.key, b.data, false, func(offset int64, r blockio.Record) { builder.Record(b.data, offset, &r) })
	scan.Lost, scan.LostBytes, scan.DamageCount = []uint64{3, 4}, 77, 1
	image, err := builder.Finish(id, &scan)
	require.NoError(t, err)
	return image
}

func isSentinel(err error) bool {
	return errors.Is(err, ErrDamaged) || errors.Is(err, ErrStale)
}

// try opens what became of an index and asks it everything. It says whether that led to
// an error or the right answers; an error must be one of ours.
func try(t *testing.T, data []byte, want Identity, right *answers, opts Options) bool {
	x, err := Open(data, want, opts)
	var got answers
	if err == nil {
		got, err = ask(x)
	}
	if err != nil {
		if !isSentinel(err) {
			t.Errorf("an error of another kind: %v", err)
		}
		return true
	}
	return reflect.DeepEqual(got, *right)
}

// stride is how far apart the bytes of a sweep are. With -short, under which the race detector runs, they are far apart: what
// opens an index and asks it has one goroutine, in which there is nothing for it to find.
func stride() int {
	if testing.Short() {
		return 23
	}
	return 1
}

// sweep changes an index in every way and counts the changes, those that led to wrong
// answers, and those that led to an error.
func sweep(t *testing.T, b *block, opts Options) (tried, wrong int) {
	id := b.identity()
	image := imageOf(t, b, id)
	x, err := Open(image, id, Options{})
	require.NoError(t, err)
	right, err := ask(x)
	require.NoError(t, err)
	check := func(what string, data []byte) {
		tried++
		if !try(t, data, id, &right, opts) {
			wrong++
			if !opts.unverified {
				t.Errorf("%s: wrong answers", what)
			}
		}
	}
	for at := 0; at < len(image); at += stride() {
		for _, bits := range []byte{1, 0x90, image[at]} {
			if bits == 0 || image[at] == 0 && bits == 1 { // most of a file is padding
				continue
			}
			image[at] ^= bits
			check(fmt.Sprintf("byte %d flipped by %02x", at, bits), image)
			image[at] ^= bits
		}
	}
	for size := 0; size < len(image); size += stride() {
		check(fmt.Sprintf("cut to %d", size), image[:size])
	}
	for _, more := range []int{1, 511, PageSize, 2 * PageSize} {
		check(fmt.Sprintf("%d zeros longer", more), append(image[:len(image):len(image)], make([]byte, more)...))
	}
	check("a page twice", append(image[:len(image):len(image)], image[:PageSize]...))
	pages := len(image) / PageSize
	page := func(data []byte, i int) []byte { return data[i*PageSize:][:PageSize] }
	other := id
	other.ModTime++
	stranger := imageOf(t, b, other)
	for i := range pages {
		for j := range pages {
			changed := append([]byte(nil), image...)
			if i == j {
				copy(page(changed, i), page(stranger, i))
			} else {
				copy(page(changed, i), page(image, j))
				copy(page(changed, j), page(image, i))
			}
			check(fmt.Sprintf("pages %d and %d swapped", i, j), changed)
		}
		changed := append([]byte(nil), image...)
		clear(page(changed, i))
		check(fmt.Sprintf("page %d zeros", i), changed)
		copy(changed[i*PageSize:], stranger[i*PageSize:])
		check(fmt.Sprintf("another index from page %d on", i), changed)
	}
	return tried, wrong
}

// TestEveryChangeIsFound: no change of the file leads to a wrong answer.
func TestEveryChangeIsFound(t *testing.T) {
	for name, b := range smallBlocks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tried, _ := sweep(t, b, Options{})
			t.Logf("%d changes", tried)
		})
	}
}

// TestSweepFindsAMissingChecksum: without the checksums the same sweep finds wrong
// answers, so it would see a checksum that does not do its work.
func TestSweepFindsAMissingChecksum(t *testing.T) {
	for name, b := range smallBlocks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tried, wrong := sweep(t, b, Options{unverified: true})
			require.Greater(t, wrong, 20/stride(), "of %d", tried)
		})
	}
}

// TestOtherIdentitiesAreStale: each field of an identity counts.
func TestOtherIdentitiesAreStale(t *testing.T) {
	b := smallBlocks()["plain"]
	image, id := b.image(t), b.identity()
	for _, change := range []func(*Identity){
		func(id *Identity) { id.Block++ },
		func(id *Identity) { id.Size-- },
		func(id *Identity) { id.ModTime = -id.ModTime },
		func(id *Identity) { id.LastChecksum ^= 1 << 63 },
	} {
		other := id
		change(&other)
		_, err := Open(image, other, Options{StrictModTime: true})
		require.ErrorIs(t, err, ErrStale)
		require.NotErrorIs(t, err, ErrDamaged)
		require.ErrorIs(t, Check(image, other), ErrStale)
	}
	later := append([]byte(nil), image...)
	later[5]++
	resum(later)
	_, err := Open(later, id, Options{})
	require.ErrorIs(t, err, ErrStale, "another version is no damage")
}

// resum makes all checksums right, as somebody would who wants to do harm.
func resum(image []byte) {
	if len(image) < PageSize {
		return
	}
	var h header
	h.decode(image)
	salt := h.id.salt()
	for i := 0; i+PageSize <= len(image); i += PageSize {
		put32(image[i:], pageSum(salt, uint32(i/PageSize), image[i:i+PageSize]))
	}
}

// TestRightChecksumsOfWrongContent: whatever a page says, nothing panics, and what
// does not go together is found by Check.
func TestRightChecksumsOfWrongContent(t *testing.T) {
	for name, b := range smallBlocks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := b.identity()
			image := imageOf(t, b, id)
			changed, missed := make([]byte, len(image)), 0
			for at := 0; at < len(image); at += stride() {
				for _, bits := range []byte{0x81, 1, 0x40} {
					if image[at] == 0 && bits != 0x81 {
						continue // most of a file is padding
					}
					copy(changed, image)
					changed[at] ^= bits
					var h header
					if h.decode(changed); at < PageSize {
						resum(changed)
					} else {
						page := at / PageSize
						put32(changed[page*PageSize:], pageSum(h.id.salt(), uint32(page), changed[page*PageSize:][:PageSize]))
					}
					x, err := Open(changed, h.id, Options{})
					if err == nil {
						_, err = ask(x)
					}
					if err != nil && !isSentinel(err) {
						t.Errorf("byte %d flipped by %02x: %v", at, bits, err)
					}
					if Check(changed, id) == nil && at%PageSize >= 4 {
						missed++
					}
				}
			}
			// What only the block itself could tell: offsets, times, checksums of
			// records, sequences of tombstones and lost ones, parts of the summary, and
			// what the subjects are.
			require.Less(t, missed, 16*4*(5+len(b.record))+3*len(strings.Join(b.names, "")))
		})
	}
}

// TestHugeCountsAllocateNothing: the header is held to the length of the file first.
func TestHugeCountsAllocateNothing(t *testing.T) {
	b := smallBlocks()["plain"]
	for _, at := range []int{atMessages, atSubjects, atRuns, atTombstones, atLost, atEmpty, atOverflow, atPages} {
		for _, value := range []uint32{math.MaxUint32, math.MaxInt32, 1 << 24, 7000} {
			image := b.image(t)
			put32(image[at:], value)
			resum(image)
			var err error
			require.Less(t, testing.AllocsPerRun(1, func() { _, err = Open(image, b.identity(), Options{}) }), 20.0)
			require.ErrorIs(t, err, ErrDamaged, "%d at %d", value, at)
		}
	}
}
