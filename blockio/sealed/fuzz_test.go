package sealed

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// FuzzKeyFile: whatever is in the key file of a block, and in the block, opening it leads to an error or to the block, and
// changes nothing. What opens is wrapped again to the same bytes.
func FuzzKeyFile(f *testing.F) {
	for _, v := range vectors {
		f.Add(mustUnhex(v.key), mustUnhex(v.block))
	}
	f.Fuzz(func(t *testing.T, key, block []byte) {
		if secret, err := unwrap(key, vectorKey, "ENC:1"); err == nil {
			again, err := secret.wrap(vectorKey, "ENC:1")
			require.NoError(t, err)
			require.Equal(t, key, again)
		} else {
			require.ErrorIs(t, err, ErrKey)
		}
		files := blocktest.NewMemFS()
		require.NoError(t, files.MkdirAll("ENC/msgs"))
		put(t, files, "ENC/meta.key", unhex(t, vectorMetaKey))
		put(t, files, "ENC/msgs/1.key", key)
		put(t, files, "ENC/msgs/1.blk", block)
		s := New(Options{FS: files, Dir: "ENC", Stream: "ENC", Key: vectorKey, ReadOnly: true})
		require.NoError(t, s.Look())
		if err := s.Prepare(t.Context()); err != nil {
			require.ErrorIs(t, err, ErrKey)
			return
		}
		data, err := blockio.ReadFile(s, "ENC/msgs/1.blk", 1<<20)
		require.NoError(t, err)
		require.Len(t, data, len(block))
	})
}

// FuzzOtherFile: whatever a file of ours holds, it opens, and reads as no more bytes than it has.
func FuzzOtherFile(f *testing.F) {
	f.Add([]byte("plain"))
	f.Fuzz(func(t *testing.T, data []byte) {
		files := blocktest.NewMemFS()
		require.NoError(t, files.MkdirAll("ENC/msgs"))
		put(t, files, "ENC/meta.key", unhex(t, vectorMetaKey))
		put(t, files, "ENC/msgs/millrace.lost", data)
		put(t, files, "ENC/msgs/index.db", data)
		s := New(Options{FS: files, Dir: "ENC", Stream: "ENC", Key: vectorKey})
		require.NoError(t, s.Look())
		for _, name := range []string{"ENC/msgs/millrace.lost", "ENC/msgs/index.db"} {
			plain, err := blockio.ReadFile(s, name, 1<<20)
			require.NoError(t, err)
			require.LessOrEqual(t, len(plain), len(data))
		}
		if !bytes.HasPrefix(data, []byte(otherMagic)) {
			plain, err := blockio.ReadFile(s, "ENC/msgs/millrace.lost", 1<<20)
			require.NoError(t, err)
			require.True(t, bytes.Equal(plain, data))
		}
	})
}
