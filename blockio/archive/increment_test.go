package archive_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/archive"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// incrementOf writes an archive of some blocks, without those that a catalog has; a whole one if that is nil.
func incrementOf(t testing.TB, since archive.Catalog, holds archive.Totals, blocks map[uint32][]byte) ([]byte, archive.Catalog) {
	t.Helper()
	var b bytes.Buffer
	w := archive.NewWriter(t.Context(), &b, stream, when)
	if since != nil {
		require.NoError(t, w.Increment(since))
	}
	require.NoError(t, w.Meta(metaOf(t, stream), holds))
	for id := range uint32(10) {
		if data, ok := blocks[id]; ok {
			require.NoError(t, w.Block(id, data))
		}
	}
	require.NoError(t, w.Close())
	catalog, _ := w.Catalog()
	read, err := archive.ReadCatalog(t.Context(), bytes.NewReader(b.Bytes()))
	require.NoError(t, err)
	require.Equal(t, catalog, read)
	return b.Bytes(), catalog
}

// three is a whole archive and two increments, each of the one before: block 1 never changes, 2 goes, 3 changes, 4 comes.
func three(t testing.TB) [3][]byte {
	whole, first := incrementOf(t, nil, archive.Totals{Messages: 9, Last: 9},
		map[uint32][]byte{1: block(1, 1, 3), 2: block(2, 4, 3), 3: block(3, 7, 3)})
	next, second := incrementOf(t, first, archive.Totals{Messages: 9, Last: 11},
		map[uint32][]byte{1: block(1, 1, 3), 2: block(2, 4, 3), 3: block(3, 7, 1), 4: block(4, 10, 2)})
	last, _ := incrementOf(t, second, archive.Totals{Messages: 7, Last: 12},
		map[uint32][]byte{1: block(1, 1, 3), 3: block(3, 7, 1), 4: block(4, 10, 3)})
	return [3][]byte{whole, next, last}
}

func readers(list ...[]byte) (all []io.Reader) {
	for _, data := range list {
		all = append(all, bytes.NewReader(data))
	}
	return all
}

// TestIncrementsAreRestored with all that they build on, from the latest to the whole one.
func TestIncrementsAreRestored(t *testing.T) {
	all := three(t)
	for n, want := range []map[uint32][]byte{
		{1: block(1, 1, 3), 2: block(2, 4, 3), 3: block(3, 7, 3)},
		{1: block(1, 1, 3), 2: block(2, 4, 3), 3: block(3, 7, 1), 4: block(4, 10, 2)},
		{1: block(1, 1, 3), 3: block(3, 7, 1), 4: block(4, 10, 3)},
	} {
		mem := blocktest.NewMemFS()
		destination := to(mem)
		for i := n - 1; i >= 0; i-- {
			destination.Bases = append(destination.Bases, bytes.NewReader(all[i]))
		}
		contents, err := archive.Unpack(t.Context(), bytes.NewReader(all[n]), destination)
		require.NoError(t, err)
		require.Equal(t, len(want), contents.Blocks)
		tree := treeOf(t, mem, "data")
		require.Len(t, tree, 5+len(want))
		size := len(tree["ORDERS/meta.inf"]) + len(tree["ORDERS/meta.sum"])
		for id, data := range want {
			name := "ORDERS/msgs/" + string(rune('0'+id)) + ".blk"
			require.Equal(t, string(data), tree[name])
			size += len(data)
		}
		if n > 0 {
			require.Greater(t, contents.Unpacked, int64(size)) // the list of what is left out among them
		}
	}
}

// TestBlocksThatHaveChangedAreNotTaken from a base that comes too early: the right one has them.
func TestBlocksThatHaveChangedAreNotTaken(t *testing.T) {
	all := three(t)
	mem := blocktest.NewMemFS()
	destination := to(mem)
	destination.Bases = readers(all[0], all[1])
	_, err := archive.Unpack(t.Context(), bytes.NewReader(all[2]), destination)
	require.NoError(t, err)
	tree := treeOf(t, mem, "data")
	require.Equal(t, string(block(3, 7, 1)), tree["ORDERS/msgs/3.blk"])
	require.Equal(t, string(block(1, 1, 3)), tree["ORDERS/msgs/1.blk"])
}

// TestIncrementsNeedWhatTheyBuildOn: what is missing, of another stream, or damaged, is refused, and nothing is left.
func TestIncrementsNeedWhatTheyBuildOn(t *testing.T) {
	all := three(t)
	other := archiveOf(t, func() []entry {
		list := plain(t)[:1]
		list[0].data = metaOf(t, "OTHER")
		return append(list, entry{name: "meta.sum", data: []byte(metaSumOf(t, "OTHER"))})
	}())
	flipped := bytes.Clone(all[0])
	flipped[len(flipped)/2] ^= 1
	for name, bases := range map[string][]io.Reader{
		"none":                   nil,
		"no whole one":           readers(all[1]),
		"the one in between not": readers(all[0]),
		"itself":                 readers(all[2]),
		"another stream's":       readers(other, all[1], all[0]),
		"a damaged one":          readers(all[1], flipped),
		"a cut one":              readers(all[1], all[0][:len(all[0])-1]),
	} {
		t.Run(name, func(t *testing.T) {
			mem := blocktest.NewMemFS()
			destination := to(mem)
			destination.Bases = bases
			_, err := archive.Unpack(t.Context(), bytes.NewReader(all[2]), destination)
			require.ErrorIs(t, err, archive.ErrArchive)
			require.Empty(t, treeOf(t, mem, "data"))
		})
	}
	_, err := archive.Read(t.Context(), bytes.NewReader(all[1]), 0, &files{})
	require.ErrorIs(t, err, archive.ErrArchive)
	require.ErrorContains(t, err, "increment")

	mem := blocktest.NewMemFS()
	destination := to(mem)
	destination.Bases, destination.MaxBytes = readers(all[1], all[0]), 1500
	_, err = archive.Unpack(t.Context(), bytes.NewReader(all[2]), destination)
	require.ErrorIs(t, err, archive.ErrLimit)
	require.Empty(t, treeOf(t, mem, "data"))
}

// TestDamagedIncrementsAreRefused at every cut and every flip, unless that means the same.
func TestDamagedIncrementsAreRefused(t *testing.T) {
	all := three(t)
	want := blocktest.NewMemFS()
	unpack := func(mem *blocktest.MemFS, data []byte) error {
		destination := to(mem)
		destination.Bases = readers(all[1], all[0])
		_, err := archive.Unpack(t.Context(), bytes.NewReader(data), destination)
		return err
	}
	require.NoError(t, unpack(want, all[2]))
	for cut := range len(all[2]) {
		mem := blocktest.NewMemFS()
		require.ErrorIs(t, unpack(mem, all[2][:cut]), archive.ErrArchive)
		require.Empty(t, treeOf(t, mem, "data"))
	}
	for bit := range 8 * len(all[2]) {
		flipped := bytes.Clone(all[2])
		flipped[bit/8] ^= 1 << (bit % 8)
		mem := blocktest.NewMemFS()
		if err := unpack(mem, flipped); err == nil {
			require.Equal(t, treeOf(t, want, "data"), treeOf(t, mem, "data"))
		} else {
			require.ErrorIs(t, err, archive.ErrArchive)
		}
	}
}

// TestHostileListsOfBlocksAreRefused.
func TestHostileListsOfBlocksAreRefused(t *testing.T) {
	valid := append([]byte{7}, make([]byte, 11)...)
	for name, change := range map[string]func([]entry) []entry{
		"no list":    func(l []entry) []entry { return l },
		"a cut list": func(l []entry) []entry { return append(l, entry{name: "increment/blocks", data: valid[:5]}) },
		"block 0":    func(l []entry) []entry { return append(l, entry{name: "increment/blocks", data: make([]byte, 12)}) },
		"the same twice": func(l []entry) []entry {
			return append(l, entry{name: "increment/blocks", data: append(valid, valid...)})
		},
		"a block that is there": func(l []entry) []entry {
			return append(l, entry{name: "increment/blocks", data: append([]byte{1}, make([]byte, 11)...)})
		},
		"something behind it": func(l []entry) []entry {
			return append(l, entry{name: "increment/blocks", data: valid}, entry{name: "increment/blocks", data: valid})
		},
		"another directory": func(l []entry) []entry { return append([]entry{{name: "msgs/", kind: '5'}}, l[1:]...) },
		"two of them":       func(l []entry) []entry { return append(l[:1:1], l...) },
	} {
		t.Run(name, func(t *testing.T) {
			l := append([]entry{{name: "increment/", kind: '5'}}, plain(t)...)
			_, err := archive.ReadCatalog(t.Context(), bytes.NewReader(archiveOf(t, change(l))))
			require.ErrorIs(t, err, archive.ErrArchive)
		})
	}
	whole := append(plain(t), entry{name: "increment/blocks", data: valid})
	_, err := archive.ReadCatalog(t.Context(), bytes.NewReader(archiveOf(t, whole)))
	require.ErrorIs(t, err, archive.ErrArchive, "it is none")
}
