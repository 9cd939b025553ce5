package actors_test

import (
	"context"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// Here is what users of other stores reported about keys, and no other test shows: docs/pitfalls.md.

// keyFiles returns the key files of a stream with what is in them.
func keyFiles(t *testing.T, fsys blockio.FS) map[string]string {
	t.Helper()
	keys := treeOf(t, fsys, "data")
	for name := range keys {
		if !strings.HasSuffix(name, ".key") {
			delete(keys, name)
		}
	}
	return keys
}

// TestKeysStayThroughRestarts: with the files that can be made again and without, the keys of all blocks are those of
// before, and after a crash at any operation of an open everything is there.
func TestKeysStayThroughRestarts(t *testing.T) {
	for _, cipher := range []actors.Cipher{actors.CipherChaCha20, actors.CipherAES} {
		t.Run(cipher.String(), func(t *testing.T) {
			mem := blocktest.NewMemFS()
			config := secretConfig(mem)
			config.Key, config.Cipher, config.CompactBelow = key1, cipher, -1
			secretStream(t, config)
			keys := keyFiles(t, mem)
			require.Greater(t, len(keys), 5)
			var want picture
			for restart := range 4 {
				if restart%2 == 1 {
					for name := range treeOf(t, mem, "data") {
						if base := name[strings.LastIndex(name, "/")+1:]; strings.HasSuffix(base, ".bix") || strings.HasSuffix(base, ".db") {
							require.NoError(t, mem.Remove(name))
						}
					}
				}
				crashed := mem.Clone()
				faulty := blocktest.NewFaultFS(crashed)
				config.FS = faulty
				images, stop := takeImages(faulty, crashed, rand.New(rand.NewSource(1)), crashImage{})
				s := openToFail(t, config)
				stop()
				require.NoError(t, s.Stop(context.Background()))
				config.FS = mem
				s = openToFail(t, config)
				got := pictureOf(t, s)
				require.NoError(t, s.Stop(context.Background()))
				if restart == 0 {
					want = got
				}
				require.Equal(t, want, got)
				require.Equal(t, keys, keyFiles(t, mem), "restart %d", restart)
				for i, image := range *images {
					if i%4 != restart {
						continue
					}
					config.FS = image.mem
					s := openToFail(t, config)
					require.Equal(t, want, pictureOf(t, s), "%v, %v", image.op, image.mode)
					require.NoError(t, s.Stop(context.Background()))
				}
				config.FS = mem
			}
		})
	}
}

// TestAKeyFileOfAnyLength that is not its own is an error of Open, which changes nothing: no key is made in the place of
// one, and no block goes.
func TestAKeyFileOfAnyLength(t *testing.T) {
	mem := blocktest.NewMemFS()
	config := secretConfig(mem)
	config.Key = key1
	secretStream(t, config)
	keys := keyFiles(t, mem)
	s := openToFail(t, config)
	last := s.Stats().Blocks
	require.NoError(t, s.Stop(context.Background()))
	require.Greater(t, last, uint64(2))
	cut := 0
	for name, content := range keys {
		for length := 0; length <= len(content)+1; length++ {
			if length == len(content) {
				continue
			}
			copied := mem.Clone()
			text := (content + "\x00")[:length]
			require.NoError(t, blockio.ReplaceFile(copied, name, []byte(text)))
			before := treeOf(t, copied, "data")
			config.FS = copied
			_, err := actors.Open(t.Context(), quiet, config)
			require.ErrorIs(t, err, actors.ErrKey, "%s of %d bytes", name, length)
			require.Equal(t, before, treeOf(t, copied, "data"))
			cut++
			if length > 2 && length < len(content)-2 {
				length += 8 // some of those in between
			}
		}
	}
	require.Greater(t, cut, 20)
}

// TestPowerLossWhileBlocksAreBegun: whatever it leaves of the keys of the last blocks, what was acknowledged is there,
// and the stream goes on.
func TestPowerLossWhileBlocksAreBegun(t *testing.T) {
	config := actors.Config{BlockSize: 4 << 10, Key: key1, Sync: actors.SyncAlways}
	payload := func(i int) string { return fmt.Sprintf("%d %s", i, strings.Repeat("x", 1900)) }
	images := 0
	crashEach(t, config, func(s *actors.Store) {
		for i := range 4 { // two to a block
			mustStore(t, s, "a", payload(i))
		}
	}, func(s *actors.Store) {
		for i := 4; i < 9; i++ {
			mustStore(t, s, "a", payload(i))
		}
	}, func(s *actors.Store, image crashImage) {
		got, damage := collect(t, s)
		require.Empty(t, damage, "%v %v", image.op, image.mode)
		require.GreaterOrEqual(t, len(got), 4)
		require.Equal(t, sequences(1, uint64(len(got))), got)
		if image.done {
			require.Len(t, got, 9)
		}
		require.Zero(t, stateOf(t, s).LostMessages, "%v %v", image.op, image.mode)
		next := mustStore(t, s, "a", "next").Sequence
		require.Equal(t, uint64(len(got)+1), next)
		images++
	})
	require.Greater(t, images, 20)
}
