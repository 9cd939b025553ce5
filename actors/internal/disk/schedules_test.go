package disk

import (
	"encoding/binary"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/engine"
)

// bytesRead counts what is read of files, by the ends of their names.
type bytesRead struct {
	blockio.FS
	of map[string]int
}

type fileRead struct {
	blockio.File
	read func(n int)
}

func (b bytesRead) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	file, err := b.FS.OpenFile(name, mode)
	if err != nil {
		return nil, err
	}
	return fileRead{file, func(n int) { b.of[filepath.Base(name)] += n }}, nil
}

func (f fileRead) ReadAt(p []byte, offset int64) (int, error) {
	f.read(len(p))
	return f.File.ReadAt(p, offset)
}

// withoutBit makes the index of a block what it was before there was the bit that says that the block has no schedules.
func withoutBit(t *testing.T, f *Files, id uint32) {
	t.Helper()
	file, err := f.FS.OpenFile(indexOf(f, id), blockio.ModeReadWrite)
	require.NoError(t, err)
	page := make([]byte, 4096)
	_, err = file.ReadAt(page, 0)
	require.NoError(t, err)
	const unscheduled = 8
	flags := binary.LittleEndian.Uint32(page[160:])
	require.NotZero(t, flags&unscheduled)
	binary.LittleEndian.PutUint32(page[160:], flags&^unscheduled)
	table := crc32.MakeTable(crc32.Castagnoli)
	salt := crc32.Checksum(append(page[16:20:20], page[24:48]...), table)
	require.Equal(t, id, binary.LittleEndian.Uint32(page[16:]))
	binary.LittleEndian.PutUint32(page, crc32.Update(salt, table, page[4:]))
	_, err = file.WriteAt(page, 0)
	require.NoError(t, err)
	require.NoError(t, file.Close())
}

// TestBlocksWithoutSchedulesAreNotRead, where their indexes say that they have none. One of an earlier version does not.
func TestBlocksWithoutSchedulesAreNotRead(t *testing.T) {
	files := bytesRead{blocktest.NewMemFS(), make(map[string]int)}
	f := newTestFiles(t, files)
	var sizes []int64
	for id := uint32(1); id <= 4; id++ {
		codec := f.Blocks.Codec(id)
		var header []byte
		switch id {
		case 3:
			header = []byte("NATS/1.0\r\nNats-Schedule: @every 5s\r\nNats-Schedule-Target: b\r\n\r\n")
		case 4:
			header = []byte("NATS/1.0\r\nNats-Scheduler: a\r\nNats-Schedule-Next: purge\r\n\r\n")
		}
		data := codec.AppendMessage(nil, uint64(id), 1, "a", header, make([]byte, 1000))
		sizes = append(sizes, int64(len(data)))
		require.NoError(t, f.Commit(&engine.Commit{Ops: []engine.Op{
			{Kind: engine.OpCreate, Block: id},
			{Kind: engine.OpWrite, Block: id, Data: [][]byte{data}, Sync: true},
			{Kind: engine.OpSeal, Block: id, Offset: int64(len(data))},
		}}))
		written, err := f.WriteIndex(id, nil)
		require.NoError(t, err)
		require.True(t, written)
	}
	withoutBit(t, f, 2)
	find := func(id uint32) (found, read int) {
		clear(files.of)
		done := f.Work(engine.Work{Kind: engine.WorkSchedules, Block: id, Size: sizes[id-1]})
		require.NoError(t, done.Err)
		return len(done.Scheduled), files.of[filepath.Base(f.Blocks.Path(id))]
	}
	found, read := find(1)
	require.Zero(t, found)
	require.Less(t, read, 100, "no more than the end")
	for id, want := range map[uint32]int{2: 0, 3: 1, 4: 1} {
		found, read := find(id)
		require.Equal(t, want, found, id)
		require.Greater(t, read, 1000, id)
	}
	require.NoError(t, f.FS.Remove(indexOf(f, 1)))
	require.NotErrorIs(t, f.FS.Remove(indexOf(f, 2)), fs.ErrNotExist)
	for id := uint32(1); id <= 2; id++ {
		found, read := find(id)
		require.Zero(t, found)
		require.Greater(t, read, 1000, "there is no index")
	}
}
