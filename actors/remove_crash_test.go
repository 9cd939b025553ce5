package actors_test

import (
	"fmt"
	"math/rand"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// crashes opens what each kind of crash would leave now of a stream in memory, without any file that can be made
// again: the blocks have to say it all.
func crashes(t *testing.T, config actors.Config, check func(*testing.T, *actors.Store)) {
	t.Helper()
	for _, mode := range blocktest.CrashModes {
		image := config.FS.(*blocktest.MemFS).CrashImage(mode, rand.New(rand.NewSource(1)))
		blocks := filepath.Join(config.Dir, "ORDERS", "msgs")
		entries, err := image.ReadDir(blocks)
		require.NoError(t, err)
		for _, entry := range entries {
			if !strings.HasSuffix(entry.Name, ".blk") {
				require.NoError(t, image.Remove(filepath.Join(blocks, entry.Name)))
			}
		}
		t.Run(mode.String(), func(t *testing.T) {
			config := config
			config.FS = image
			s := open(t, config)
			check(t, s)
			require.NoError(t, s.Stop(t.Context()))
		})
	}
}

func mustRemove(t *testing.T, s *actors.Store, sequences ...uint64) {
	t.Helper()
	for _, sequence := range sequences {
		removed, err := s.RemoveMsg(t.Context(), sequence)
		require.NoError(t, err)
		require.True(t, removed, "message %d", sequence)
	}
}

// TestRemovingTheNewestKeepsTheLastSequence, and its time, when the block that held it is gone, too.
func TestRemovingTheNewestKeepsTheLastSequence(t *testing.T) {
	config := inMemory()
	s := fooStream(t, config, 30)
	before := stateOf(t, s)
	mustRemove(t, s, 30, 29, 28, 27, 26, 25)
	check := func(t *testing.T, s *actors.Store) {
		state := stateOf(t, s)
		require.Equal(t, before.LastSequence, state.LastSequence)
		require.True(t, before.LastTime.Equal(state.LastTime), "%v and %v", before.LastTime, state.LastTime)
		got, _ := collect(t, s)
		require.Equal(t, sequences(1, 24), got)
		require.Equal(t, uint64(31), mustStore(t, s, "foo.A", "x").Sequence)
	}
	crashes(t, config, check)
	_, err := s.Purge(t.Context())
	require.NoError(t, err)
	crashes(t, config, func(t *testing.T, s *actors.Store) {
		state := stateOf(t, s)
		require.Equal(t, uint64(31), state.FirstSequence)
		require.Equal(t, before.LastSequence, state.LastSequence)
		require.True(t, before.LastTime.Equal(state.LastTime))
	})
}

// TestRemovalsSpreadOverLaterBlocksSurviveACrash: the tombstones of the messages of the first blocks are in many
// blocks behind them, of which some have nothing else, and the first sequence does not fall back.
func TestRemovalsSpreadOverLaterBlocksSurviveACrash(t *testing.T) {
	config := inMemory()
	s := fooStream(t, config, 90)
	var want []uint64
	for i := uint64(1); i <= 60; i++ {
		mustRemove(t, s, (i*37-1)%60+1) // 1 to 60, in an order of its own
		if i%2 == 0 {
			want = append(want, mustStore(t, s, "foo.A", fmt.Sprintf("%1200d", i)).Sequence)
		}
	}
	want = append(sequences(61, 90), want...)
	for _, sequence := range want[30:55] { // blocks in which tombstones stay without messages
		mustRemove(t, s, sequence)
	}
	want = append(want[:30:30], want[55:]...)
	require.Greater(t, s.Stats().Blocks, uint64(8))
	crashes(t, config, func(t *testing.T, s *actors.Store) {
		got, _ := collect(t, s)
		require.Equal(t, want, got)
		require.Equal(t, uint64(61), stateOf(t, s).FirstSequence)
		requireInvariants(t, s)
	})
}

// TestAppendingAndRemovingDoesNotGrow: tombstones go when the messages that they name are gone.
func TestAppendingAndRemovingDoesNotGrow(t *testing.T) {
	config := inMemory()
	config.Sync = actors.SyncNever
	s := open(t, config)
	stays := mustStore(t, s, "stays", strings.Repeat("x", 500)).Sequence
	for range 3000 {
		mustRemove(t, s, mustStore(t, s, "goes", "x").Sequence)
	}
	for turns := 0; s.Stats().Blocks > 6; turns++ { // 3,000 messages with their tombstones are 45 blocks
		require.Less(t, turns, 10_000, "%d blocks", s.Stats().Blocks)
		require.NoError(t, s.Flush(t.Context()))
	}
	got, _ := collect(t, s)
	require.Equal(t, []uint64{stays}, got)
}

// TestNewestOfASubjectRemovedAndStoredAgain at the limit of a subject: what the limit has evicted does not come
// back, and the limit does not evict what it let stay.
func TestNewestOfASubjectRemovedAndStoredAgain(t *testing.T) {
	config := inMemory()
	config.MaxMsgsPer = 3
	s := open(t, config)
	for i := range 40 {
		mustStore(t, s, fmt.Sprintf("k.%d", i%2), fmt.Sprintf("%600d", i))
	}
	mustRemove(t, s, 40, 38)
	mustStore(t, s, "k.1", "x")
	want := []uint64{35, 36, 37, 39, 41}
	check := func(t *testing.T, s *actors.Store) {
		t.Helper()
		got, _ := collect(t, s)
		require.Equal(t, want, got)
	}
	crashes(t, config, check)
	want = []uint64{36, 37, 39, 41}
	mustRemove(t, s, 35)
	check(t, s)
	crashes(t, config, check)
}

// TestNoSubjectHasMoreThanItMayHaveAfterACrash in the middle of stores at the limit.
func TestNoSubjectHasMoreThanItMayHaveAfterACrash(t *testing.T) {
	for _, level := range []actors.SyncLevel{actors.SyncAlways, actors.SyncNever} {
		config := inMemory()
		config.MaxMsgsPer, config.Sync = 4, level
		s := open(t, config)
		for i := range 100 {
			mustStore(t, s, fmt.Sprintf("k.%d", i%5), fmt.Sprintf("%300d", i))
			if i%25 != 24 {
				continue
			}
			if level == actors.SyncNever { // else a power loss may tear a block that is not synced, which is told as lost
				require.NoError(t, s.Flush(t.Context()))
			}
			crashes(t, config, func(t *testing.T, s *actors.Store) {
				totals, err := s.SubjectsTotals(t.Context())
				require.NoError(t, err)
				for subject, n := range totals {
					require.LessOrEqual(t, n, uint64(4), subject)
				}
				requireInvariants(t, s)
			})
		}
	}
}

// TestPurgesSurviveACrash: by subject, a compaction, all, each right after it was acknowledged.
func TestPurgesSurviveACrash(t *testing.T) {
	config := inMemory()
	s := fooStream(t, config, 40)
	n, err := s.PurgeEx(t.Context(), actors.Filter("foo.A"), 20, 0)
	require.NoError(t, err)
	require.Equal(t, uint64(10), n)
	var want []uint64
	check := func(t *testing.T, s *actors.Store) {
		t.Helper()
		got, _ := collect(t, s)
		require.Equal(t, want, got)
		requireInvariants(t, s)
		state := stateOf(t, s)
		require.Equal(t, uint64(40), state.LastSequence)
	}
	for sequence := uint64(2); sequence <= 40; sequence++ {
		if sequence%2 == 0 || sequence >= 20 {
			want = append(want, sequence)
		}
	}
	crashes(t, config, check)
	n, err = s.Compact(t.Context(), 30)
	require.NoError(t, err)
	require.Equal(t, uint64(len(want)-11), n)
	want = sequences(30, 40)
	crashes(t, config, check)
	_, err = s.Purge(t.Context())
	require.NoError(t, err)
	want = nil
	crashes(t, config, check)
}

// TestMaxMsgsPerBesideRemovals: stores at the limit of a subject, and removals of the same messages, leave counts
// that are those of the messages that are there.
func TestMaxMsgsPerBesideRemovals(t *testing.T) {
	config := inMemory()
	config.MaxMsgsPer, config.Sync = 5, actors.SyncNever
	s := open(t, config)
	var crew sync.WaitGroup
	for range 3 {
		crew.Go(func() {
			for range 300 {
				if ack, err := s.StoreMsg(t.Context(), "k", nil, []byte("x")); err == nil && ack.Sequence > 3 {
					_, _ = s.RemoveMsg(t.Context(), ack.Sequence-3) // another may have removed it
				}
			}
		})
	}
	crew.Wait()
	requireInvariants(t, s)
	require.NoError(t, s.Stop(t.Context()))
	requireInvariants(t, open(t, config))
}
