package actors_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestZerosAheadInAnEncryptedStream, as a crash leaves them: they are cut off when the stream is opened, as nothing is written
// behind them any more, and a stop does not take them for what somebody else has written.
func TestZerosAheadInAnEncryptedStream(t *testing.T) {
	key := actors.ServerKey("$G", "a key")
	live := actors.Config{Dir: t.TempDir(), Name: "ORDERS", Key: key}
	s := open(t, live)
	for range 20 {
		mustStore(t, s, "s", "payload")
	}
	image := actors.Config{Dir: t.TempDir(), Name: "ORDERS", Key: key}
	require.NoError(t, os.CopyFS(filepath.Join(image.Dir, image.Name), os.DirFS(filepath.Join(live.Dir, live.Name))))
	block := blockio.BlockPath(filepath.Join(image.Dir, image.Name), 1)
	before, err := os.Stat(block)
	require.NoError(t, err)
	require.Greater(t, uint64(before.Size()), stateOf(t, s).Bytes+20*30, "there are zeros ahead")

	for range 2 {
		s = open(t, image)
		require.EqualValues(t, 20, stateOf(t, s).Messages)
		require.NoError(t, s.Stop(t.Context()))
		after, err := os.Stat(block)
		require.NoError(t, err)
		require.Less(t, after.Size(), before.Size())
	}
	s = open(t, image)
	require.EqualValues(t, 21, mustStore(t, s, "s", "payload").Sequence)
	require.NoError(t, s.Stop(t.Context()))
}
