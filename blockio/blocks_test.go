package blockio_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

func newBlocks(t testing.TB, fsys blockio.FS, opts blockio.BlocksOptions) *blockio.Blocks {
	t.Helper()
	blocks := blockio.NewBlocks(fsys, "/s", "S", opts)
	require.NoError(t, fsys.MkdirAll(blocks.Dir()))
	return blocks
}

func message(key *blockio.RecordCodec, sequence uint64, size int) []byte {
	return key.AppendMessage(nil, sequence, 1, "subject", nil, bytes.Repeat([]byte{'p'}, size))
}

// appendTo appends a message and returns the new end.
func appendTo(t testing.TB, blocks *blockio.Blocks, id uint32, end int64, sequence uint64, size int) int64 {
	t.Helper()
	record := message(blocks.Codec(id), sequence, size)
	require.NoError(t, blocks.Append(id, end, [][]byte{record}, true))
	return end + int64(len(record))
}

func fileSize(t testing.TB, blocks *blockio.Blocks, id uint32) int64 {
	t.Helper()
	list, err := blocks.List()
	require.NoError(t, err)
	for _, info := range list {
		if info.ID == id {
			return info.Size
		}
	}
	require.Fail(t, "no such block", "%d", id)
	return 0
}

func idsOf(list []blockio.BlockInfo) (ids []uint32) {
	for _, b := range list {
		ids = append(ids, b.ID)
	}
	return ids
}

func TestListTakesOnlyExactNames(t *testing.T) {
	m := blocktest.NewMemFS()
	var stray []string
	blocks := newBlocks(t, m, blockio.BlocksOptions{OnStray: func(name string) { stray = append(stray, name) }})
	for _, name := range []string{"10.blk", "2.blk", "04.blk", "0.blk", "junk.blk", "+3.blk", "4294967296.blk",
		"4294967295.blk", "2147483648.blk", "2147483647.blk", "1.blk.tmp", "1.new", "index.db", "5.BLK", "-1.blk", ".blk"} {
		_, err := m.OpenFile(filepath.Join(blocks.Dir(), name), blockio.ModeCreate)
		require.NoError(t, err)
	}
	require.NoError(t, m.MkdirAll(filepath.Join(blocks.Dir(), "7.blk")))
	list, err := blocks.List()
	require.NoError(t, err)
	require.Equal(t, []uint32{2, 10, blockio.MaxBlockID}, idsOf(list))
	require.ElementsMatch(t, []string{"04.blk", "0.blk", "junk.blk", "+3.blk", "4294967296.blk", "4294967295.blk", "2147483648.blk",
		"-1.blk", ".blk", "7.blk"}, stray)
	for _, id := range []uint32{0, blockio.MaxBlockID + 1, 1<<32 - 1} {
		require.ErrorIs(t, blocks.Create(id), blockio.ErrBlockID)
	}

	_, err = blockio.NewBlocks(m, "/none", "N", blockio.BlocksOptions{}).List()
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestAppendedIsReadBack(t *testing.T) {
	for _, fsys := range []blockio.FS{blocktest.NewMemFS(), blockio.OS} {
		dir := "/"
		if fsys == blockio.OS {
			dir = t.TempDir()
		}
		blocks := blockio.NewBlocks(fsys, dir, "S", blockio.BlocksOptions{})
		require.NoError(t, fsys.MkdirAll(blocks.Dir()))
		require.NoError(t, blocks.Create(1))
		require.ErrorIs(t, blocks.Create(1), fs.ErrExist)
		var all []byte
		for i, sizes := range [][]int{{5}, {10, 70000, 20, 300000, 1}, {}, {250 << 10, 250 << 10, 100}, {0, 0}} {
			var group [][]byte
			for _, size := range sizes {
				group = append(group, bytes.Repeat([]byte{byte('a' + i)}, size))
			}
			require.NoError(t, blocks.Append(1, int64(len(all)), group, i%2 == 0))
			all = append(all, bytes.Join(group, nil)...)
		}
		require.NoError(t, blocks.Sync(1))
		data, err := blocks.ReadAll(1, nil)
		require.NoError(t, err)
		require.True(t, bytes.Equal(all, bytes.TrimRight(data, "\x00")))
		again, err := blocks.ReadAll(1, data)
		require.NoError(t, err)
		require.Same(t, &data[0], &again[0], "the buffer is used again")
		require.NoError(t, blocks.Seal(1, int64(len(all))))
		require.Equal(t, int64(len(all)), fileSize(t, blocks, 1))
		require.ErrorIs(t, blocks.Append(1, int64(len(all)), nil, true), blockio.ErrNotOpen)
		require.ErrorIs(t, blocks.Sync(1), blockio.ErrNotOpen)
		require.NoError(t, blocks.Seal(1, int64(len(all))), "sealing again")
		_, err = blocks.ReadAll(2, nil)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, blocks.Close())
		require.NoError(t, blocks.Close())
	}
}

func TestUnexpectedOffsetWritesNothing(t *testing.T) {
	f := blocktest.NewFaultFS(blocktest.NewMemFS())
	blocks := newBlocks(t, f, blockio.BlocksOptions{})
	require.NoError(t, blocks.Create(1))
	end := appendTo(t, blocks, 1, 0, 1, 10)
	before := f.CountOf(blocktest.OpWrite)
	for _, at := range []int64{0, end - 1, end + 1, -1} {
		require.ErrorIs(t, blocks.Append(1, at, [][]byte{{1}}, true), blockio.ErrOffset)
	}
	require.ErrorIs(t, blocks.Seal(1, end-1), blockio.ErrOffset)
	require.Equal(t, before, f.CountOf(blocktest.OpWrite))
	appendTo(t, blocks, 1, end, 2, 10)
}

// TestFailureIsFinal: after a failed write or sync nothing is appended on top
// until recovery has cut the block.
func TestFailureIsFinal(t *testing.T) {
	for _, kind := range []blocktest.OpKind{blocktest.OpWrite, blocktest.OpSync} {
		f := blocktest.NewFaultFS(blocktest.NewMemFS())
		blocks := newBlocks(t, f, blockio.BlocksOptions{})
		require.NoError(t, blocks.Create(1))
		end := appendTo(t, blocks, 1, 0, 1, 10)
		f.SetHook(blocktest.FailFrom(0, blocktest.ErrIO, kind))
		require.ErrorIs(t, blocks.Append(1, end, [][]byte{{1, 2, 3}}, true), syscall.EIO)
		f.SetHook(nil)
		err := blocks.Append(1, end, [][]byte{{1, 2, 3}}, true)
		require.ErrorIs(t, err, blockio.ErrBroken)
		require.ErrorIs(t, err, syscall.EIO, "it says why")
		require.ErrorIs(t, blocks.Sync(1), blockio.ErrBroken)
		require.ErrorIs(t, blocks.Seal(1, end), blockio.ErrBroken)
		require.NoError(t, blocks.Truncate(1, end))
		require.NoError(t, blocks.OpenTail(1, end))
		appendTo(t, blocks, 1, end, 2, 10)
	}
}

func TestFailedSyncFromTheOtherLaneIsFinal(t *testing.T) {
	f := blocktest.NewFaultFS(blocktest.NewMemFS())
	blocks := newBlocks(t, f, blockio.BlocksOptions{})
	require.NoError(t, blocks.Create(1))
	require.NoError(t, blocks.Append(1, 0, [][]byte{{1}}, false))
	f.SetHook(blocktest.FailAt(f.Count(), blocktest.ErrNoSpace))
	require.ErrorIs(t, blocks.Sync(1), syscall.ENOSPC)
	require.ErrorIs(t, blocks.Append(1, 1, [][]byte{{1}}, false), blockio.ErrBroken)
}

func TestZerosAreWrittenAheadOfSmallSyncedAppends(t *testing.T) {
	m := blocktest.NewMemFS()
	f := blocktest.NewFaultFS(m)
	blocks := newBlocks(t, f, blockio.BlocksOptions{BlockSize: 200 << 10})
	require.NoError(t, blocks.Create(1))
	end := int64(0)
	grown := 0
	for i := range 1500 {
		before := end
		size := int64(0)
		if i > 0 {
			size = fileSize(t, blocks, 1)
		}
		end = appendTo(t, blocks, 1, end, uint64(i+1), 80)
		after := fileSize(t, blocks, 1)
		if after > size {
			grown++
		}
		if i < 8 {
			require.Equal(t, end, after, "a stream with little to do stays small")
		}
		require.GreaterOrEqual(t, after, end)
		require.LessOrEqual(t, after, max(end, 200<<10), "never beyond the block's size")
		require.Less(t, before, end)
	}
	require.Less(t, grown, 20)
	data, err := blocks.ReadAll(1, nil)
	require.NoError(t, err)
	scan := blockio.ScanBlock("", 1, blocks.Codec(1), data, true, nil)
	require.Equal(t, blockio.BlockScan{End: end}, scan)
	for _, mode := range blocktest.CrashModes {
		image := newBlocks(t, m.CrashImage(mode, rand.New(rand.NewSource(1))), blockio.BlocksOptions{})
		data, err := image.ReadAll(1, nil)
		require.NoError(t, err)
		require.Equal(t, end, blockio.ScanBlock("", 1, image.Codec(1), data, true, nil).End, "%v", mode)
	}
	require.NoError(t, blocks.Seal(1, end))
	require.Equal(t, end, fileSize(t, blocks, 1))
	crashed := newBlocks(t, m.CrashImage(blocktest.DropUnsynced, nil), blockio.BlocksOptions{})
	require.Equal(t, end, fileSize(t, crashed, 1), "sealed is durable")
}

func TestNoZerosWhenNotWanted(t *testing.T) {
	rows := []struct {
		name string
		opts blockio.BlocksOptions
		size int
		sync bool
	}{
		{"switched off", blockio.BlocksOptions{NoZeroAhead: true}, 80, true},
		{"not synced", blockio.BlocksOptions{}, 80, false},
		{"block full", blockio.BlocksOptions{BlockSize: 100}, 80, true},
	}
	for _, row := range rows {
		blocks := newBlocks(t, blocktest.NewMemFS(), row.opts)
		require.NoError(t, blocks.Create(1))
		end := int64(0)
		for i := range 15 {
			record := message(blocks.Codec(1), uint64(i+1), row.size)
			require.NoError(t, blocks.Append(1, end, [][]byte{record}, row.sync))
			end += int64(len(record))
			require.Equal(t, end, fileSize(t, blocks, 1), row.name)
		}
	}
}

func TestOpenTailGoesOn(t *testing.T) {
	m := blocktest.NewMemFS()
	blocks := newBlocks(t, m, blockio.BlocksOptions{})
	require.NoError(t, blocks.Create(1))
	end := int64(0)
	for i := range 20 {
		end = appendTo(t, blocks, 1, end, uint64(i+1), 80)
	}
	size := fileSize(t, blocks, 1)
	require.Greater(t, size, end)
	require.ErrorIs(t, blocks.OpenTail(1, end), fs.ErrExist, "it is open")

	next := newBlocks(t, m.CrashImage(blocktest.DropUnsynced, nil), blockio.BlocksOptions{})
	require.ErrorIs(t, next.OpenTail(1, end-1), blockio.ErrOffset, "there is data behind")
	require.ErrorIs(t, next.OpenTail(1, size+1), blockio.ErrOffset, "it is shorter")
	require.ErrorIs(t, next.OpenTail(2, 0), fs.ErrNotExist)
	require.NoError(t, next.OpenTail(1, end))
	last := appendTo(t, next, 1, end, 21, 80)
	require.Equal(t, size, fileSize(t, next, 1), "the zeros that are there are used")
	data, err := next.ReadAll(1, nil)
	require.NoError(t, err)
	require.Equal(t, last, blockio.ScanBlock("", 1, next.Codec(1), data, true, nil).End)
}

func TestSealOfAnOldTailCutsNothingButZeros(t *testing.T) {
	m := blocktest.NewMemFS()
	blocks := newBlocks(t, m, blockio.BlocksOptions{})
	require.NoError(t, blocks.Create(1))
	end := int64(0)
	for i := range 20 {
		end = appendTo(t, blocks, 1, end, uint64(i+1), 80)
	}
	next := newBlocks(t, m.Clone(), blockio.BlocksOptions{})
	require.ErrorIs(t, next.Seal(1, end-5), blockio.ErrOffset)
	require.NoError(t, next.Seal(1, end))
	require.Equal(t, end, fileSize(t, next, 1))
}

func TestRemoveIsDurableAndRepeatable(t *testing.T) {
	m := blocktest.NewMemFS()
	f := blocktest.NewFaultFS(m)
	blocks := newBlocks(t, f, blockio.BlocksOptions{})
	for id := uint32(1); id <= 3; id++ {
		require.NoError(t, blocks.Create(id))
	}
	before := f.CountOf(blocktest.OpSyncDir)
	require.NoError(t, blocks.Remove(1, 2, 9))
	require.Equal(t, before+1, f.CountOf(blocktest.OpSyncDir), "one sync for all")
	require.NoError(t, blocks.Remove(1, 2))
	require.NoError(t, blocks.Remove())
	require.Equal(t, before+1, f.CountOf(blocktest.OpSyncDir))
	image := newBlocks(t, m.CrashImage(blocktest.DropUnsynced, nil), blockio.BlocksOptions{})
	list, err := image.List()
	require.NoError(t, err)
	require.Equal(t, []uint32{3}, idsOf(list))
	require.ErrorIs(t, blocks.Append(1, 0, nil, false), blockio.ErrNotOpen)

	f.SetHook(blocktest.FailFrom(0, blocktest.ErrIO, blocktest.OpRemove))
	require.ErrorIs(t, blocks.Remove(3), syscall.EIO)
}

func TestRemoveDerived(t *testing.T) {
	m := blocktest.NewMemFS()
	blocks := newBlocks(t, m, blockio.BlocksOptions{})
	_, err := m.OpenFile(filepath.Join(blocks.Dir(), "index.db"), blockio.ModeCreate)
	require.NoError(t, err)
	require.NoError(t, m.SyncDir(blocks.Dir()))
	require.NoError(t, blocks.RemoveDerived("thw.db", "index.db"))
	require.NoError(t, blocks.RemoveDerived("index.db"))
	entries, err := m.CrashImage(blocktest.DropUnsynced, nil).ReadDir(blocks.Dir())
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestCreateIsDurable(t *testing.T) {
	m := blocktest.NewMemFS()
	blocks := newBlocks(t, m, blockio.BlocksOptions{})
	require.NoError(t, blocks.Create(1))
	end := appendTo(t, blocks, 1, 0, 1, 10)
	image := newBlocks(t, m.CrashImage(blocktest.DropUnsynced, nil), blockio.BlocksOptions{})
	require.Equal(t, end, fileSize(t, image, 1))
}

func TestSetAsideKeepsTheNewest(t *testing.T) {
	m := blocktest.NewMemFS()
	blocks := newBlocks(t, m, blockio.BlocksOptions{})
	require.NoError(t, blocks.Create(1))
	data := append(bytes.Repeat([]byte{7}, 3<<20), make([]byte, 100)...)
	require.NoError(t, blocks.Append(1, 0, [][]byte{data}, true))
	for i := range 11 {
		require.NoError(t, blocks.SetAside(1, int64(i), int64(i+5)))
	}
	require.NoError(t, blocks.SetAside(1, 3<<20, 3<<20+100), "zeros")
	require.NoError(t, blocks.SetAside(1, 50, 50))
	require.NoError(t, blocks.SetAside(1, 100, 3<<20))
	entries, err := m.CrashImage(blocktest.DropUnsynced, nil).ReadDir("/s/lost+found")
	require.NoError(t, err)
	names := make(map[string]int64)
	for _, entry := range entries {
		names[entry.Name] = entry.Size
	}
	for n := 5; n <= 11; n++ {
		name := fmt.Sprintf("1-%d-%d.bin", n-1, n)
		require.Equal(t, int64(5), names[name], name)
		delete(names, name)
	}
	require.Equal(t, int64(blockio.SetAsideLimit), names["1-100-12.bin"])
	delete(names, "1-100-12.bin")
	delete(names, "1-3-4.bin") // its removal was not synced
	for name := range names {
		require.Regexp(t, `^1-[0-3]-[1-4]\.bin$`, name)
	}
	live, err := m.ReadDir("/s/lost+found")
	require.NoError(t, err)
	require.Len(t, live, blockio.SetAsideFiles)
	require.ErrorIs(t, blocks.SetAside(9, 0, 5), fs.ErrNotExist)
}

func TestTruncateRefusesToMakeABlockLonger(t *testing.T) {
	blocks := newBlocks(t, blocktest.NewMemFS(), blockio.BlocksOptions{})
	require.NoError(t, blocks.Create(1))
	require.ErrorIs(t, blocks.Truncate(1, 5), blockio.ErrOffset)
	require.ErrorIs(t, blocks.Truncate(2, 0), fs.ErrNotExist)
}

func TestKeysAreKept(t *testing.T) {
	blocks := blockio.NewBlocks(blocktest.NewMemFS(), "/", "S", blockio.BlocksOptions{})
	key := blocks.Codec(7)
	require.Same(t, key, blocks.Codec(7))
	for id := uint32(100); id < 200; id++ {
		blocks.Codec(id)
	}
	require.Equal(t, message(key, 1, 5), message(blocks.Codec(7), 1, 5))
}

// TestLanesOverlap runs both writers and a reader at once, for the race detector.
func TestLanesOverlap(t *testing.T) {
	blocks := newBlocks(t, blocktest.NewMemFS(), blockio.BlocksOptions{})
	sealed := make(chan uint32, 100)
	var work sync.WaitGroup
	work.Go(func() {
		defer close(sealed)
		for id := uint32(1); id <= 20; id++ {
			if !noError(t, blocks.Create(id)) {
				return
			}
			record := message(blocks.Codec(id), 1, 100)
			for i := range 10 {
				if !noError(t, blocks.Append(id, int64(i*len(record)), [][]byte{record}, true)) {
					return
				}
				sealed <- 0
			}
			sealed <- id
		}
	})
	work.Go(func() {
		size := int64(10 * len(message(blocks.Codec(1), 1, 100)))
		for id := range sealed {
			if id == 0 {
				_, err := blocks.List()
				noError(t, err)
				continue
			}
			noError(t, blocks.Sync(id))
			noError(t, blocks.Seal(id, size))
			_, err := blocks.ReadAll(id, nil)
			noError(t, err)
			noError(t, blocks.Remove(id))
		}
	})
	work.Wait()
	require.NoError(t, blocks.Close())
}

func noError(t *testing.T, err error) bool {
	if err != nil {
		t.Error(err)
	}
	return err == nil
}

func TestAppendAllocatesNothing(t *testing.T) {
	blocks := blockio.NewBlocks(blockio.OS, t.TempDir(), "S", blockio.BlocksOptions{})
	require.NoError(t, blockio.OS.MkdirAll(blocks.Dir()))
	require.NoError(t, blocks.Create(1))
	record := message(blocks.Codec(1), 1, 100)
	group := [][]byte{record, record}
	end := int64(0)
	run := func() {
		if err := blocks.Append(1, end, group, false); err != nil {
			t.Error(err)
		}
		end += int64(2 * len(record))
	}
	require.Zero(t, testing.AllocsPerRun(50, run))
	require.NoError(t, blocks.Close())
}
