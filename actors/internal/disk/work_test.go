package disk

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/engine"
)

const streamDir = "/streams/ORDERS"

// newTestFiles returns the files of a new stream in a file system.
func newTestFiles(t *testing.T, fsys blockio.FS) *Files {
	t.Helper()
	source := blockio.NewBlockCache(4, 1<<20).Source(fsys, streamDir, "ORDERS")
	f := &Files{
		Log: slog.New(slog.DiscardHandler), FS: fsys, Source: source, Derived: []string{"index.db"}, Published: engine.NewPublished(),
		Blocks: blockio.NewBlocks(fsys, streamDir, "ORDERS", blockio.BlocksOptions{Source: source, Beside: []string{blockindex.Suffix}}),
	}
	require.NoError(t, fsys.MkdirAll(f.Blocks.Dir()))
	return f
}

// writeBlock writes a block of n messages, and seals it if asked to.
func writeBlock(t *testing.T, f *Files, id uint32, first uint64, n int, seal bool) (size int64) {
	t.Helper()
	codec := f.Blocks.Codec(id)
	var data []byte
	for i := range n {
		data = codec.AppendMessage(data, first+uint64(i), int64(i), "orders.new", nil, []byte("payload"))
	}
	c := &engine.Commit{Ops: []engine.Op{
		{Kind: engine.OpCreate, Block: id},
		{Kind: engine.OpWrite, Block: id, Data: [][]byte{data}, Sync: true},
	}}
	size = int64(len(data))
	if seal {
		c.Ops = append(c.Ops, engine.Op{Kind: engine.OpSeal, Block: id, Offset: size})
	}
	require.NoError(t, f.Commit(c))
	return size
}

func exists(t *testing.T, fsys blockio.FS, name string) bool {
	t.Helper()
	file, err := fsys.OpenFile(name, blockio.ModeRead)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	require.NoError(t, err)
	require.NoError(t, file.Close())
	return true
}

func readFile(t *testing.T, fsys blockio.FS, name string) []byte {
	t.Helper()
	file, err := fsys.OpenFile(name, blockio.ModeRead)
	require.NoError(t, err)
	stat, err := file.Stat()
	require.NoError(t, err)
	data := make([]byte, stat.Size)
	_, err = file.ReadAt(data, 0)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	return data
}

// TestCommitStopsAtTheFirstError, and says which operation failed.
func TestCommitStopsAtTheFirstError(t *testing.T) {
	f := newTestFiles(t, blocktest.NewMemFS())
	err := f.Commit(&engine.Commit{Ops: []engine.Op{
		{Kind: engine.OpCreate, Block: 1},
		{Kind: engine.OpWrite, Block: 1, Offset: 7, Data: [][]byte{{1, 2, 3}}},
		{Kind: engine.OpCreate, Block: 2},
	}})
	require.ErrorIs(t, err, blockio.ErrOffset)
	require.ErrorContains(t, err, "write 1 [7..10)")
	require.False(t, exists(t, f.FS, f.Blocks.Path(2)))
	require.ErrorContains(t, f.Commit(&engine.Commit{Ops: []engine.Op{{Kind: 99}}}), "unknown operation")
	require.ErrorContains(t, f.Work(engine.Work{ID: 3, Kind: 99}).Err, "unknown work")
	require.Equal(t, engine.WorkID(3), f.Work(engine.Work{ID: 3, Kind: 99}).ID)
	require.NoError(t, f.Blocks.Close())
}

// TestSyncOfASealedBlockIsDone: the seal has synced it.
func TestSyncOfASealedBlockIsDone(t *testing.T) {
	f := newTestFiles(t, blocktest.NewMemFS())
	writeBlock(t, f, 1, 1, 3, true)
	require.NoError(t, f.Work(engine.Work{Kind: engine.WorkSync, Block: 1}).Err)
}

// TestTableOfABlock is the same from its index and from its records, ends where it is asked to, and is
// empty when the block has gone.
func TestTableOfABlock(t *testing.T) {
	f := newTestFiles(t, blocktest.NewMemFS())
	size := writeBlock(t, f, 1, 5, 20, true)
	load := func(size int64) *engine.Table {
		done := f.Work(engine.Work{Kind: engine.WorkLoad, Block: 1, Size: size})
		require.NoError(t, done.Err)
		return done.Table
	}
	scanned := load(size)
	require.Equal(t, 20, scanned.Len())
	written, err := f.WriteIndex(1, nil)
	require.NoError(t, err)
	require.True(t, written)
	indexed := load(size)
	require.Equal(t, scanned.Len(), indexed.Len())
	for i := range scanned.Len() {
		// The numbers of the subjects are each table's own.
		want, got := scanned.At(i), indexed.At(i)
		want.Subject, got.Subject = 0, 0
		require.Equal(t, want, got)
	}
	require.Equal(t, 10, load(size/2).Len(), "the index is of more than is asked for")
	require.NoError(t, f.Work(engine.Work{Kind: engine.WorkRemove, Block: 1}).Err)
	require.Zero(t, load(size).Len())
}

// TestWriteIndex writes none of a block that has gone, and of one that cannot have one it removes what says nothing.
func TestWriteIndex(t *testing.T) {
	f := newTestFiles(t, blocktest.NewMemFS())
	written, err := f.WriteIndex(7, nil)
	require.NoError(t, err)
	require.False(t, written)

	size := writeBlock(t, f, 1, 1, 20, true)
	written, err = f.WriteIndex(1, nil)
	require.NoError(t, err)
	require.True(t, written)
	require.True(t, exists(t, f.FS, blockindex.Path(f.Blocks.Path(1))))
	// Zeros behind the records: the block is not sealed.
	file, err := f.FS.OpenFile(f.Blocks.Path(1), blockio.ModeReadWrite)
	require.NoError(t, err)
	_, err = file.WriteAt(make([]byte, 100), size)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	written, err = f.WriteIndex(1, nil)
	require.NoError(t, err)
	require.False(t, written)
	require.True(t, exists(t, f.FS, blockindex.Path(f.Blocks.Path(1))), "it says what the block had")
	file, err = f.FS.OpenFile(blockindex.Path(f.Blocks.Path(1)), blockio.ModeReadWrite)
	require.NoError(t, err)
	_, err = file.WriteAt(make([]byte, 100), 0)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	written, err = f.WriteIndex(1, nil)
	require.NoError(t, err)
	require.False(t, written)
	require.False(t, exists(t, f.FS, blockindex.Path(f.Blocks.Path(1))))
}

// TestWriteIndexFromMemory makes the index that the block would make, and does not read that; not when there is an
// index already, which may show a loss, nor when the file is not what was written.
func TestWriteIndexFromMemory(t *testing.T) {
	f := newTestFiles(t, blocktest.NewMemFS())
	writeBlock(t, f, 1, 1, 20, true)
	path, index := f.Blocks.Path(1), blockindex.Path(f.Blocks.Path(1))
	block := readFile(t, f.FS, path)
	write := func(memory [][]byte) []byte {
		written, err := f.WriteIndex(1, memory)
		require.NoError(t, err)
		require.True(t, written)
		return readFile(t, f.FS, index)
	}
	want := write(nil)
	size := len(block) / 20
	other := bytes.Clone(block)
	other[size+40] ^= 1 // in the second message, and the end is the same
	require.Equal(t, want, write([][]byte{other}), "there is an index, so the block is read")

	remove := func() { require.NoError(t, f.FS.Remove(index)) }
	remove()
	require.Equal(t, want, write([][]byte{block[:7*size], block[7*size:]}))
	remove()
	require.NotEqual(t, want, write([][]byte{other}), "what was written counts: that the block differs is damage")
	remove()
	require.Equal(t, want, write([][]byte{block[:19*size]}), "the file is longer")
	remove()
	require.Equal(t, want, write([][]byte{block[:size-1]}), "no whole records")
}

// TestNothingStaysOpen after work of every kind, also when it fails.
func TestNothingStaysOpen(t *testing.T) {
	cache := blockio.NewBlockCache(4, 1<<20)
	mem := blocktest.NewMemFS()
	f := newTestFiles(t, mem)
	f.Source = cache.Source(mem, streamDir, "ORDERS")
	size := writeBlock(t, f, 1, 1, 20, true)
	for _, w := range []engine.Work{
		{Kind: engine.WorkIndex, Block: 1}, {Kind: engine.WorkLoad, Block: 1, Size: size},
		{Kind: engine.WorkLoad, Block: 1, Size: size - 1}, {Kind: engine.WorkLoad, Block: 9}, {Kind: engine.WorkIndex, Block: 9},
	} {
		require.NoError(t, f.Work(w).Err, "%v", w)
		require.Zero(t, cache.Open(), "%v", w)
	}
}
