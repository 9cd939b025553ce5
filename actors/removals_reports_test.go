package actors_test

import (
	"fmt"
	"math/rand"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestTruncateAtEveryBorderOfABlock, and beside it: the stream can be opened, goes on behind, and is what it was when it
// is opened again.
func TestTruncateAtEveryBorderOfABlock(t *testing.T) {
	for above := uint64(0); above <= 13; above++ {
		for _, removed := range []bool{false, true} {
			config := inMemory()
			s := open(t, config)
			for range 13 { // 3 a block
				mustStore(t, s, "a", strings.Repeat("x", 1300))
			}
			if removed && above > 0 {
				mustRemove(t, s, above)
			}
			_, err := s.Truncate(t.Context(), above)
			require.NoError(t, err)
			want := sequences(1, above)
			if removed && above > 0 {
				want = sequences(1, above-1)
			}
			for i := range 3 {
				got, _ := collect(t, s)
				require.Equal(t, want, got, "%d, opened %d times", above, i)
				require.Equal(t, above+uint64(i), stateOf(t, s).LastSequence)
				want = append(want, mustStore(t, s, "new", "x").Sequence)
				require.NoError(t, s.Stop(t.Context()))
				s = open(t, config)
			}
			requireInvariants(t, s)
		}
	}
}

// TestAnEraseKeepsTheRemovalsInItsBlock: tombstones of messages of other blocks, and the last sequence, which a block
// shows that a message is erased of, outlive that, with and without what can be made again from the blocks.
func TestAnEraseKeepsTheRemovalsInItsBlock(t *testing.T) {
	config := inMemory()
	s := open(t, config)
	for range 6 {
		mustStore(t, s, "a", strings.Repeat("x", 1300))
	}
	mustRemove(t, s, 2, 5)
	erased := mustStore(t, s, "a", "x").Sequence
	mustStore(t, s, "a", "x")
	mustRemove(t, s, 8, 3) // beside the message that is erased
	for range 3 {
		mustStore(t, s, "b", strings.Repeat("x", 1300))
	}
	removed, err := s.EraseMsg(t.Context(), erased)
	require.NoError(t, err)
	require.True(t, removed)
	check := func(t *testing.T, s *actors.Store) {
		got, _ := collect(t, s)
		require.Equal(t, []uint64{1, 4, 6, 9, 10, 11}, got)
		require.Equal(t, uint64(11), stateOf(t, s).LastSequence)
	}
	crashes(t, config, check)
	mustRemove(t, s, 11, 10, 9)
	removed, err = s.EraseMsg(t.Context(), 11) // shows the last sequence
	require.NoError(t, err)
	require.False(t, removed)
	crashes(t, config, func(t *testing.T, s *actors.Store) {
		got, _ := collect(t, s)
		require.Equal(t, []uint64{1, 4, 6}, got)
		require.Equal(t, uint64(12), mustStore(t, s, "a", "x").Sequence)
	})
}

// TestATruncationDoesNotTakeDamageForAbsence: of the messages that it leaves, a damaged one stays lost, and is told of; no
// sequence that was cut off is. One that is damaged and cut off is gone.
func TestATruncationDoesNotTakeDamageForAbsence(t *testing.T) {
	for _, above := range []uint64{4, 5, 6, 8, 9, 11} {
		t.Run(fmt.Sprint(above), func(t *testing.T) {
			config := inMemory()
			config.IndexFrom = -1
			s := open(t, config)
			for range 12 {
				mustStore(t, s, "a", strings.Repeat("x", 1300))
			}
			require.NoError(t, s.Stop(t.Context()))
			mem := config.FS.(*blocktest.MemFS)
			for _, id := range []uint32{2, 3} { // messages 5 and 8
				name := filepath.Join(config.Dir, "ORDERS", "msgs", fmt.Sprintf("%d.blk", id))
				file, err := mem.OpenFile(name, blockio.ModeReadWrite)
				require.NoError(t, err)
				_, err = file.WriteAt([]byte{'y'}, 1400+600)
				require.NoError(t, err)
				require.NoError(t, file.Close())
			}
			s = openToFail(t, config)
			require.Equal(t, uint64(2), stateOf(t, s).LostMessages)
			_, err := s.Truncate(t.Context(), above)
			require.NoError(t, err)
			lost := map[uint64]bool{5: above >= 5, 8: above >= 8}
			for range 2 {
				for sequence := uint64(1); sequence <= above; sequence++ {
					_, err := s.LoadMsg(t.Context(), sequence)
					if lost[sequence] {
						require.ErrorIs(t, err, actors.ErrCorrupt, "%d", sequence)
					} else {
						require.NoError(t, err, "%d", sequence)
					}
				}
				require.Equal(t, above, stateOf(t, s).LastSequence)
				_ = s.Stop(t.Context())
				s = openToFail(t, config)
			}
		})
	}
}

// withoutDerived removes what can be made again from the blocks.
func withoutDerived(t *testing.T, mem *blocktest.MemFS) *blocktest.MemFS {
	t.Helper()
	image := mem.CrashImage(blocktest.KeepAll, rand.New(rand.NewSource(1)))
	dir := filepath.Join("data", "ORDERS", "msgs")
	entries, err := image.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name, ".bix") {
			require.NoError(t, image.Remove(filepath.Join(dir, entry.Name)))
		}
	}
	return image
}
