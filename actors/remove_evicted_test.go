package actors_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// entombedIn returns the sequences of which the first block of a stream has tombstones, once each.
func entombedIn(t *testing.T, config actors.Config) (sequences []uint64) {
	t.Helper()
	path := filepath.Join(config.Dir, "ORDERS", "msgs", "1.blk")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	blockio.ScanBlock(path, 1, blockio.NewRecordCodec("ORDERS", 1), data, true, func(_ int64, r blockio.Record) {
		if r.Kind == blockio.KindTombstone {
			sequences = append(sequences, r.Sequence)
		}
	})
	slices.Sort(sequences)
	return slices.Compact(sequences)
}

// TestWhatALimitEvictedIsEntombedWithWhatIsRemoved: a nats-server knows no floor. With the newer messages of a subject
// gone it would take those back which MaxMsgsPer has evicted, if there were no tombstones of them.
func TestWhatALimitEvictedIsEntombedWithWhatIsRemoved(t *testing.T) {
	evicting := func(t *testing.T) (actors.Config, *actors.Store) {
		config := actors.Config{Dir: t.TempDir(), MaxMsgsPer: 1}
		s := open(t, config)
		for _, subject := range []string{"a", "b", "a", "b", "c", "b"} { // 3, 5 and 6 stay
			mustStore(t, s, subject, "x")
		}
		return config, s
	}
	t.Run("by a compaction", func(t *testing.T) {
		config, s := evicting(t)
		n, err := s.Compact(t.Context(), 5)
		require.NoError(t, err)
		require.Equal(t, uint64(1), n)
		require.NoError(t, s.Stop(t.Context()))
		require.Equal(t, []uint64{1, 2, 3, 4}, entombedIn(t, config))
	})
	t.Run("below a floor that was there at open", func(t *testing.T) {
		config, s := evicting(t)
		mustRemove(t, s, 5) // with a floor of 3, which is before it
		require.NoError(t, s.Stop(t.Context()))
		require.Equal(t, []uint64{5}, entombedIn(t, config))
		s = open(t, config)
		mustRemove(t, s, 3)
		require.NoError(t, s.Stop(t.Context()))
		require.Equal(t, []uint64{1, 3, 5}, entombedIn(t, config))
	})
}
