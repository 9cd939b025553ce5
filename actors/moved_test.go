package actors_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestWhatAServerCompactedAwayIsNotLost: a nats-server removes messages for a limit without a tombstone, and then compacts
// their block, while the index beside it stays as it was. That the records are elsewhere in the block shows it, also when
// nothing else shows any more that a server has had the stream.
func TestWhatAServerCompactedAwayIsNotLost(t *testing.T) {
	dir := t.TempDir()
	config := actors.Config{Dir: dir, Name: "ORDERS", BlockSize: 2000, IndexFrom: 1, CompactBelow: -1}
	s := open(t, config)
	for i := range 60 {
		mustStore(t, s, fmt.Sprint("a", i), "payload")
		if i == 10 {
			_, err := s.RemoveMsg(t.Context(), 2) // the tombstone is in the same block, and in its index
			require.NoError(t, err)
		}
	}
	require.NoError(t, s.Stop(t.Context()))
	block := filepath.Join(dir, "ORDERS", "msgs", "1.blk")
	require.FileExists(t, filepath.Join(dir, "ORDERS", "msgs", "1.bix"))
	compactAsAServer(t, block, 2, 5, 6)

	for range 2 {
		s = open(t, config)
		state := stateOf(t, s)
		require.Zero(t, state.LostMessages)
		require.Equal(t, uint64(57), state.Messages)
		removed, err := s.Truncate(t.Context(), state.LastSequence-1)
		require.NoError(t, err)
		require.Equal(t, uint64(1), removed)
		require.Zero(t, stateOf(t, s).LostMessages)
		_, err = s.LoadMsg(t.Context(), 5)
		require.ErrorIs(t, err, actors.ErrNotFound)
		mustStore(t, s, "a", "payload")
		require.NoError(t, s.Stop(t.Context()))
	}
}

// compactAsAServer writes a block anew without some messages, and without anything but messages.
func compactAsAServer(t *testing.T, path string, without ...uint64) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var kept []byte
	for rest := data; len(rest) > 0; {
		size := binary.LittleEndian.Uint32(rest) &^ (1 << 31)
		sequence := binary.LittleEndian.Uint64(rest[4:])
		record := rest[:size]
		rest = rest[size:]
		gone := sequence == 0 || sequence>>62 != 0
		for _, w := range without {
			gone = gone || sequence == w
		}
		if !gone {
			kept = append(kept, record...)
		}
	}
	require.NoError(t, os.WriteFile(path, kept, 0o600))
}
