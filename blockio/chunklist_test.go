package blockio

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// countingFile counts reads.
type countingFile struct {
	File
	reads int
}

func (f *countingFile) ReadAt(p []byte, at int64) (int, error) {
	f.reads++
	return f.File.ReadAt(p, at)
}

// openCounted opens a compressed block and returns how many reads of the file that took.
func openCounted(t *testing.T, data []byte) (*compressedFile, int) {
	t.Helper()
	file := &countingFile{File: newMemFile(data)}
	plain, compressed, err := plainFile(file, "1.blk", FileStat{Size: int64(len(data))}, nil)
	require.NoError(t, err)
	require.True(t, compressed)
	return plain.(*compressedFile), file.reads
}

// TestABlockWithAListOfItsChunksIsOpenedAtOnce, however many there are, and one whose list is damaged as one without.
func TestABlockWithAListOfItsChunksIsOpenedAtOnce(t *testing.T) {
	for _, messages := range []int{100, 2000, 40_000} { // the last list is longer than what is read at first
		plain, _ := compressedBlock(messages)
		file := Compress(plain)
		heads := chunkHeads(file)
		opened, reads := openCounted(t, file)
		require.LessOrEqual(t, reads, 3)
		listed := opened.chunks
		if messages > 2000 {
			continue
		}
		list := heads[len(heads)-1]
		require.Equal(t, byte(chunkList), file[list])
		require.Len(t, listed, len(heads)-2+1) // without the beginning of the stream and the list, with the last bytes
		for at := list; at < len(file)-8; at++ {
			damaged := bytes.Clone(file)
			damaged[at] ^= 1 << (at % 8)
			opened, _ := openCounted(t, damaged)
			if at > list+3 { // the chunk can be passed over
				require.Equal(t, listed, opened.chunks, at)
			}
			got := plainOf(t, damaged)
			require.Equal(t, plain, got[:len(plain)], at)
		}
		without := slices.Concat(file[:list], file[len(file)-8:])
		opened, reads = openCounted(t, without)
		require.Greater(t, reads, len(heads)-2)
		require.Equal(t, listed[:len(listed)-1], opened.chunks[:len(listed)-1])
		require.Equal(t, plain, plainOf(t, without))
	}
	plain, _ := compressedBlock(3)
	require.Len(t, chunkHeads(Compress(plain)), 2) // one chunk needs no list
}

// TestAListOfChunksIsNotBelieved where it does not agree with the file.
func TestAListOfChunksIsNotBelieved(t *testing.T) {
	plain, _ := compressedBlock(300)
	file := Compress(plain)
	heads := chunkHeads(file)
	list := heads[len(heads)-1]
	count := (len(file) - 8 - list - chunkHead - chunkListFoot) / 2
	var lengths []uint16
	for i := range count {
		lengths = append(lengths, binary.LittleEndian.Uint16(file[list+chunkHead+2*i:]))
	}
	with := func(change func(lengths []uint16) ([]uint16, int)) []byte {
		changed, size := change(slices.Clone(lengths))
		return append(appendChunkList(bytes.Clone(file[:list]), changed, size), file[len(file)-8:]...)
	}
	for name, damaged := range map[string][]byte{
		"as it is":             with(func(l []uint16) ([]uint16, int) { return l, CompressedChunk }),
		"one less":             with(func(l []uint16) ([]uint16, int) { return l[1:], CompressedChunk }),
		"one more":             with(func(l []uint16) ([]uint16, int) { return append(l, 9), CompressedChunk }),
		"longer":               with(func(l []uint16) ([]uint16, int) { l[2]++; return l, CompressedChunk }),
		"empty":                with(func(l []uint16) ([]uint16, int) { l[2], l[3] = 0, l[3]+l[2]; return l, CompressedChunk }),
		"more than there are":  with(func(l []uint16) ([]uint16, int) { return l, CompressedChunk * 2 }),
		"less than there are":  with(func(l []uint16) ([]uint16, int) { return l, CompressedChunk / 2 }),
		"of nothing":           with(func(l []uint16) ([]uint16, int) { return l, 0 }),
		"of more than a chunk": with(func(l []uint16) ([]uint16, int) { return l, 1 << 30 }),
		"none":                 with(func(l []uint16) ([]uint16, int) { return nil, CompressedChunk }),
	} {
		require.Equal(t, plain, plainOf(t, damaged), name)
	}
	// What a chunk says that it has is not believed either.
	first := heads[1]
	bomb := bytes.Clone(file)
	copy(bomb[first+chunkHead+chunkSum:], binary.AppendUvarint(nil, 1<<32-1))
	opened, _ := openCounted(t, bomb)
	require.Less(t, testing.AllocsPerRun(5, func() {
		into := make([]byte, 100)
		n, err := opened.ReadAt(into, 3)
		require.NoError(t, err)
		require.Equal(t, bytes.Repeat([]byte{unreadableByte}, n), into)
	}), 20.0)
}

// TestChunkListGolden: its bytes.
func TestChunkListGolden(t *testing.T) {
	list := appendChunkList(nil, []uint16{1, 2, 3, 0x1234}, CompressedChunk)
	want := []byte("\x98\x18\x00\x00" + "\x01\x00\x02\x00\x03\x00\x34\x12" + "\x00\x20\x00\x00" + "\x04\x00\x00\x00")
	want = binary.LittleEndian.AppendUint32(want, crc32.Checksum(want[4:], crc32.MakeTable(crc32.Castagnoli)))
	require.Equal(t, append(want, "MCHL"...), list)
}

// TestListsOfChunksAreBoundedInMemory: blocks are closed for the lists of those that are opened after them.
func TestListsOfChunksAreBoundedInMemory(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(BlocksDir(dir), 0o700))
	plain, _ := compressedBlock(1000)
	file := Compress(plain)
	opened, _ := openCounted(t, file)
	each := heapOf(opened)
	require.Greater(t, each, int64(len(plain)/CompressedChunk*16))
	cache := NewBlockCache(100, 5*each+1)
	source := cache.Source(OS, dir, "S")
	defer source.Close()
	for id := uint32(1); id <= 20; id++ {
		require.NoError(t, os.WriteFile(BlockPath(dir, id), file, 0o600))
		block, err := source.Lease(BlockRef{ID: id}, LeaseOptions{Whole: true, Keep: true})
		require.NoError(t, err)
		block.Release()
		require.Equal(t, min(int(id), 5), cache.Open())
	}
	source.Forget(20)
	source.Close()
	require.Zero(t, cache.Open())
	require.Zero(t, cache.heap)
}
