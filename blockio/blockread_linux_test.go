package blockio_test

import (
	"io"
	"os"
	"testing"

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
