package blockindex

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestMessagesNamesAll: what an index names is what the block held.
func TestMessagesNamesAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBlock(t)
		x, err := OpenForEvidence(b.image(t), testBlock, Options{Pages: NewPageCache(3 * PageSize)})
		require.NoError(t, err)
		i := 0
		require.NoError(t, x.Messages(func(m *Message) bool {
			r := b.record[i]
			require.Equal(t, Message{b.seq[i], r.Time, r.Offset, r.Size, r.CRC, m.Subject}, *m)
			require.Equal(t, b.names[i], string(m.Subject))
			i++
			return true
		}))
		require.Equal(t, len(b.seq), i)
		if i > 0 {
			i = 0
			require.NoError(t, x.Messages(func(*Message) bool { i++; return false }))
			require.Equal(t, 1, i)
		}
		require.LessOrEqual(t, x.set.cache.Bytes(), int64(3*PageSize))
	})
}

// TestEvidenceIsVerifiedInFull: the file of the block may be anything, that of the index
// may not.
func TestEvidenceIsVerifiedInFull(t *testing.T) {
	b := mixedBlock()
	path := filepath.Join(t.TempDir(), "7.blk")
	_, err := OpenFileForEvidence(blockio.OS, path, testBlock, Options{})
	require.ErrorIs(t, err, ErrMissing)
	image := b.image(t)
	require.NoError(t, os.WriteFile(Path(path), image, 0o600))
	x, err := OpenFileForEvidence(blockio.OS, path, testBlock, Options{})
	require.NoError(t, err)
	require.Equal(t, b.identity(), x.Identity())
	require.NoError(t, x.Close())
	_, err = OpenFileForEvidence(blockio.OS, path, testBlock+1, Options{})
	require.ErrorIs(t, err, ErrStale)
	for at := range image {
		if image[at] == 0 && at%64 != 0 { // most of a file is padding
			continue
		}
		data := bytes.Clone(image)
		data[at] ^= 8
		_, err := OpenForEvidence(data, testBlock, Options{})
		require.True(t, isSentinel(err), "byte %d: %v", at, err)
	}
}
