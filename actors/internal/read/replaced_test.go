package read_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/actors/internal/read"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/engine"
)

// heap lends slices without a bound.
type heap struct{}

func (heap) Get() []byte      { return make([]byte, engine.BufferSize) }
func (heap) Put([]byte, bool) {}
func (heap) Tight() bool      { return false }

// TestReadersOfAViewReadItsFile: the block of a view is compacted, and the new one gets an index; what the view
// speaks of is read as it was, also by who opens the block only then, and no index is blamed. After one message
// of it was erased nobody reads that.
func TestReadersOfAViewReadItsFile(t *testing.T) {
	const dir = "/streams/ORDERS"
	fsys := blocktest.NewMemFS()
	bad := 0
	published := engine.NewPublished()
	source := read.NewSource(read.Config{
		Stream: "ORDERS", FS: fsys, Dir: dir, Published: published, Shared: read.NewShared(8, 1<<20, 1),
		Stopped: &atomic.Bool{}, Log: slog.New(slog.DiscardHandler), BadIndex: func(uint32, error) { bad++ },
	})
	files := &disk.Files{
		Log: slog.New(slog.DiscardHandler), FS: fsys, Source: source.Blocks(), Published: published,
		Blocks: blockio.NewBlocks(fsys, dir, "ORDERS", blockio.BlocksOptions{Source: source.Blocks(), Beside: []string{blockindex.Suffix}}),
	}
	require.NoError(t, fsys.MkdirAll(files.Blocks.Dir()))
	var data []byte
	for sequence := range uint64(20) {
		data = files.Blocks.Codec(1).AppendMessage(data, sequence+1, 1, "orders.new", nil, []byte("payload"))
	}
	for id, content := range [][]byte{data, files.Blocks.Codec(2).AppendMessage(nil, 21, 1, "orders.new", nil, nil)} {
		require.NoError(t, files.Commit(&engine.Commit{Ops: []engine.Op{
			{Kind: engine.OpCreate, Block: uint32(id + 1)},
			{Kind: engine.OpWrite, Block: uint32(id + 1), Data: [][]byte{content}, Sync: true},
			{Kind: engine.OpSeal, Block: uint32(id + 1), Offset: int64(len(content))},
		}}))
	}
	recovery := disk.Recovery{Files: files, Published: published, Scanners: 1, Config: engine.Config{
		BlockSize: 1 << 20, Codec: disk.Codec("ORDERS"), Buffers: heap{}, IndexFrom: -1,
	}}
	e, err := recovery.Run(context.Background())
	require.NoError(t, err)
	loadAll := func() {
		t.Helper()
		for sequence := range uint64(21) {
			var into read.Buffer
			require.NoError(t, source.Load(sequence+1, &into), "message %d", sequence+1)
			require.Equal(t, sequence+1, into.Record.Sequence)
		}
	}
	done, err := files.CompactFor(engine.Work{Block: 1, Compaction: &engine.Compaction{
		Generation: e.Generation() + 1, IndexFrom: -1,
		Live: func(sequence uint64) bool { return sequence > 15 }, KeepTombstone: func(uint64) bool { return true },
	}})
	require.NoError(t, err)
	require.NoError(t, done.Err)
	scan := done.Scan
	require.Equal(t, uint64(5), scan.Messages())
	written, err := files.WriteIndex(1, nil)
	require.NoError(t, err)
	require.True(t, written)
	loadAll()
	source.IndexWritten(1)
	loadAll()
	require.Zero(t, bad)

	info, found := scan.Find(18)
	require.True(t, found)
	require.NoError(t, files.Erase(1, 18, info.Offset, info.Size, rand.Reader))
	var into read.Buffer
	require.ErrorIs(t, source.Load(18, &into), blockio.ErrSuperseded)
	require.Zero(t, bad)
	require.NoError(t, files.Blocks.Close())
}
