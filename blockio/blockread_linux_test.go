package blockio_test

import (
	"io"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestPopulateFailureIsReadFromTheFile: the stretch reaches behind the end of a file
// that was cut, and cannot be populated, but the record in it is there. No other system
// populates.
func TestPopulateFailureIsReadFromTheFile(t *testing.T) {
	dir := t.TempDir()
	putBlocks(t, blockio.OS, dir, 1, bigBlock)
	s := blockio.NewBlockCache(1, 0).Source(blockio.OS, dir, "S")
	b := lease(t, s, 1, lookUp)
	require.True(t, b.Mapped())
	require.NoError(t, os.Truncate(b.Path(), 5000)) // the first two pages of four in the stretch
	buffer := make([]byte, 10)
	data, err := b.At(4000, 10, &buffer)
	require.NoError(t, err)
	require.Same(t, &buffer[0], &data[0], "it was not read from the mapping")
	require.Equal(t, plain(1, bigBlock)[4000:4010], data)
	data, err = b.At(4995, 10, &buffer)
	require.Equal(t, io.ErrUnexpectedEOF, err)
	require.Len(t, data, 5)
	require.NoError(t, os.Remove(b.Path()))
	require.NoError(t, os.WriteFile(b.Path(), make([]byte, bigBlock), 0o600))
	data, err = b.At(4000, 10, &buffer)
	require.NoError(t, err)
	require.Equal(t, plain(1, bigBlock)[4000:4010], data, "of the file that was leased, not of the one that took its name")
	b.Release()
	s.Close()
}

// TestStretchIsPopulatedOnce: what is resident is not asked for again, and so served from
// the mapping also when it could not be populated any more.
func TestStretchIsPopulatedOnce(t *testing.T) {
	dir := t.TempDir()
	putBlocks(t, blockio.OS, dir, 1, bigBlock)
	s := blockio.NewBlockCache(1, 0).Source(blockio.OS, dir, "S")
	defer s.Close()
	b := lease(t, s, 1, lookUp)
	defer b.Release()
	var buffer []byte
	_, err := b.At(70_000, 100_000, &buffer) // stretches 4 to 10
	require.NoError(t, err)
	require.NoError(t, os.Truncate(b.Path(), 0))
	for _, offset := range []int64{1 << 16, 100_000, 11<<14 - 10} {
		data, err := b.At(offset, 10, &buffer)
		require.NoError(t, err)
		require.Len(t, data, 10)
		require.Nil(t, buffer)
	}
	for _, offset := range []int64{1<<14 - 10, 11<<14 - 9} { // what the system does not map along with them
		data, err := b.At(offset, 10, &buffer)
		require.Equal(t, io.ErrUnexpectedEOF, err)
		require.Empty(t, data)
	}
}

// TestStretchesAroundAreNoted: what the system has in memory around a stretch that was populated is mapped with it. Holes of
// a file are not in memory before they are read.
func TestStretchesAroundAreNoted(t *testing.T) {
	for _, holes := range []bool{false, true} {
		dir := t.TempDir()
		putBlocks(t, blockio.OS, dir, 1, bigBlock)
		s := blockio.NewBlockCache(1, 0).Source(blockio.OS, dir, "S")
		b := lease(t, s, 1, lookUp)
		if holes {
			require.NoError(t, os.Truncate(b.Path(), 0))
			require.NoError(t, os.Truncate(b.Path(), bigBlock))
		}
		require.Empty(t, b.Resident(5<<14, 10))
		var buffer []byte
		_, err := b.At(5<<14, 10, &buffer)
		require.NoError(t, err)
		require.Len(t, b.Resident(5<<14, 10), 10, "holes %v", holes)
		// The system maps 64 KiB that begin at such an address.
		address := int64(uintptr(unsafe.Pointer(&b.Resident(5<<14, 10)[0])))
		from := 5<<14 - address%(64<<10)
		around := 0
		for i := range int64(12) {
			noted := i == 5 || !holes && i<<14 >= from && (i+1)<<14 <= from+64<<10
			require.Equal(t, noted, len(b.Resident(i<<14, 1<<14)) == 1<<14, "stretch %d, holes %v", i, holes)
			if noted {
				around++
			}
		}
		require.Equal(t, holes, around == 1)
		require.Empty(t, b.Resident(9<<14-1, 2))
		for _, at := range [][2]int64{{-1, 5}, {5 << 14, 0}, {5 << 14, -1}, {bigBlock, 1}, {1 << 62, 1 << 62}} {
			require.Empty(t, b.Resident(at[0], int(at[1])), "%v", at)
		}
		b.Release()
		s.Close()
	}
}

// TestLeaksNoMappings: a block is unmapped when it is closed, and not while it is leased.
func TestLeaksNoMappings(t *testing.T) {
	dir := t.TempDir()
	putBlocks(t, blockio.OS, dir, 2, bigBlock)
	mapped := func() int {
		maps, err := os.ReadFile("/proc/self/maps")
		require.NoError(t, err)
		return strings.Count(string(maps), dir)
	}
	s := blockio.NewBlockCache(2, 0).Source(blockio.OS, dir, "S")
	b := lease(t, s, 1, lookUp)
	touch(t, s, 2)
	require.Equal(t, 2, mapped())
	s.Close()
	require.Equal(t, 1, mapped())
	b.Release()
	require.Zero(t, mapped())
}

// TestPrepareMakesPiecesResident: those are served from the mapping when the file cannot
// be read any more, and nothing else is, nor are pieces that the block does not have.
func TestPrepareMakesPiecesResident(t *testing.T) {
	const stretch = 16 << 10
	dir := t.TempDir()
	putBlocks(t, blockio.OS, dir, 1, bigBlock)
	s := blockio.NewBlockCache(1, 0).Source(blockio.OS, dir, "S")
	defer s.Close()
	b := lease(t, s, 1, lookUp)
	defer b.Release()
	for _, pieces := range [][][2]int64{
		{{-1, 10}, {0, -1}, {bigBlock, 10}, {bigBlock - 5, 10}, {1 << 62, 1 << 62}},
		{{5 * stretch, 10}, {5*stretch + 100, 10}, {4 * stretch, 10}, {7*stretch - 5, 10}, {2 * stretch, 10}},
		{{5 * stretch, 10}, {1 * stretch, 10}}, // the first one is resident, so the others have to wait
	} {
		b.Prepare(len(pieces), func(i int) (int64, int) { return pieces[i][0], int(pieces[i][1]) })
	}
	require.NoError(t, os.Truncate(b.Path(), 0))
	for i := range int64(9) {
		var buffer []byte
		data, err := b.At(i*stretch, 10, &buffer)
		if i == 2 || i >= 4 && i <= 7 {
			require.NoError(t, err, "stretch %d", i)
			require.Empty(t, buffer, "it was read from the mapping")
			require.Len(t, data, 10)
		} else {
			require.Equal(t, io.ErrUnexpectedEOF, err, "stretch %d", i)
			require.Empty(t, data)
		}
	}
}
