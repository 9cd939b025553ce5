package actors_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// blockBytes returns the bytes of all block files.
func blockBytes(t *testing.T, config actors.Config) (size int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(config.Dir, config.Name, "msgs", "*.blk"))
	require.NoError(t, err)
	for _, name := range files {
		stat, err := os.Stat(name)
		if !os.IsNotExist(err) {
			require.NoError(t, err)
			size += stat.Size()
		}
	}
	return size
}

// TestDiskStaysBelowTwiceTheLiveBytes of a stream of keys that are written again and again.
func TestDiskStaysBelowTwiceTheLiveBytes(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", Sync: actors.SyncInterval, BlockSize: 64 << 10, MaxMsgsPer: 1, NoPreallocation: true}
	s := open(t, config)
	const keys = 3000
	p := s.Pipeline(1000, nil)
	put := func(round, key int) {
		_, err := p.Store(t.Context(), fmt.Sprintf("key.%d", key), nil, fmt.Appendf(nil, "%d.%d%s", round, key, strings.Repeat("v", 100)))
		require.NoError(t, err)
	}
	want := map[string]string{}
	for round := range 10 {
		for key := range keys {
			if round <= key%10 { // a few of each block stay
				put(round, key)
				want[fmt.Sprintf("key.%d", key)] = fmt.Sprintf("%d.%d", round, key)
			}
		}
	}
	require.NoError(t, p.Wait(t.Context()))
	require.NoError(t, s.Flush(t.Context()))
	live := int64(stateOf(t, s).Bytes)
	eventually(t, func() bool { return blockBytes(t, config) <= 2*live+64<<10 })
	check := func() {
		n := 0
		for m, err := range s.Messages(t.Context()) {
			require.NoError(t, err)
			value, _, _ := strings.Cut(string(m.Payload), "v")
			require.Equal(t, want[m.Subject], value)
			n++
		}
		require.Equal(t, keys, n)
		require.Zero(t, stateOf(t, s).LostMessages)
	}
	check()
	before := stateOf(t, s)
	require.NoError(t, s.Stop(t.Context()))
	s = open(t, config)
	check()
	require.Equal(t, before, stateOf(t, s))
	for key := range keys {
		_, err := s.PurgeEx(t.Context(), actors.Literal(fmt.Sprintf("key.%d", key)), 0, 0)
		require.NoError(t, err)
		if key == 20 {
			break
		}
	}
	require.NoError(t, s.Stop(t.Context()))
	s = open(t, config)
	require.Equal(t, uint64(keys-21), stateOf(t, s).Messages)
}

// TestACompactionLosesNothing in a crash before each of its file operations, and brings nothing back: removed
// messages of its own block, and of others whose tombstones it holds.
func TestACompactionLosesNothing(t *testing.T) {
	rewritten := 0 // images with a block that is being written anew; when it is, is not known beforehand
	for name, config := range map[string]actors.Config{
		"removed": {}, "limit of a subject": {MaxMsgsPer: 2}, "limit": {MaxMsgs: 60},
	} {
		t.Run(name, func(t *testing.T) {
			config.BlockSize, config.IndexFrom = 4<<10, 1
			var before []uint64
			steps := [][]uint64{}
			crashEach(t, config, func(s *actors.Store) {
				for i := range 30 {
					mustStore(t, s, fmt.Sprintf("s.%d", i%9), fmt.Sprintf("%600d", i))
				}
				_, _ = s.RemoveMsg(t.Context(), 16) // its tombstone is in a block that is compacted
				for i := range 10 {
					mustStore(t, s, fmt.Sprintf("t.%d", i%4), fmt.Sprintf("%600d", i))
				}
				before, _ = collect(t, s)
				steps = append(steps, before)
			}, func(s *actors.Store) {
				for _, sequence := range []uint64{27, 29, 31, 33, 35, 28, 32, 34} {
					_, err := s.RemoveMsg(t.Context(), sequence)
					require.NoError(t, err)
					got, _ := collect(t, s)
					steps = append(steps, got)
				}
				// The index of a block that was written anew is, too.
				eventually(t, func() bool { return s.Stats().Unindexed == 0 })
				for i := range 3 { // rolls
					mustStore(t, s, fmt.Sprintf("u.%d", i), fmt.Sprintf("%600d", i))
					got, _ := collect(t, s)
					steps = append(steps, got)
				}
				require.NoError(t, s.Stop(t.Context()))
			}, func(s *actors.Store, image crashImage) {
				got, _ := collect(t, s)
				if strings.Contains(image.op.Name, ".rewrite.tmp") {
					rewritten++
				}
				require.Zero(t, stateOf(t, s).LostMessages, "%v %v", image.op, image.mode)
				if image.done {
					require.Equal(t, steps[len(steps)-1], got, "%v %v", image.op, image.mode)
				} else {
					require.Contains(t, steps, got, "%v %v", image.op, image.mode)
				}
			})
		})
	}
	require.NotZero(t, rewritten, "nothing was compacted")
}

// TestScansRaceCompactions: readers of before go on, and see each message that stays once.
func TestScansRaceCompactions(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 16 << 10, Sync: actors.SyncInterval}
	s := open(t, config)
	for i := range 2000 {
		mustStore(t, s, fmt.Sprintf("s.%d", i%2), fmt.Sprintf("%d%s", i, strings.Repeat("x", 100)))
	}
	done := make(chan error, 4)
	stop := make(chan struct{})
	for range cap(done) {
		go func() {
			for {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				last, odd := uint64(0), 0
				for m, err := range s.Messages(t.Context()) {
					if err != nil || m.Sequence <= last {
						done <- fmt.Errorf("%d after %d: %w", m.Sequence, last, err)
						return
					}
					if last = m.Sequence; m.Subject == "s.0" {
						odd++
					}
				}
				if odd != 1000 {
					done <- fmt.Errorf("%d messages of 1000", odd)
					return
				}
			}
		}()
	}
	size := blockBytes(t, config)
	for sequence := uint64(2); sequence <= 2000; sequence += 2 {
		_, err := s.RemoveMsg(t.Context(), sequence)
		require.NoError(t, err)
	}
	for sequence := uint64(1); sequence <= 2000; sequence += 40 {
		_, err := s.LoadMsg(t.Context(), sequence)
		require.NoError(t, err)
	}
	close(stop)
	for range cap(done) {
		require.NoError(t, <-done)
	}
	_, err := s.PurgeEx(t.Context(), actors.Filter("s.0"), 1500, 0)
	require.NoError(t, err)
	require.NoError(t, s.Flush(t.Context()))
	eventually(t, func() bool { return blockBytes(t, config) < size/2 })
	got, _ := collect(t, s)
	require.Len(t, got, 250)
}

// TestACompactionKeepsTombstonesOfOtherBlocks, whose messages would be back without them.
func TestACompactionKeepsTombstonesOfOtherBlocks(t *testing.T) {
	config := inMemory()
	config.IndexFrom = 1
	s := open(t, config)
	put := func() { mustStore(t, s, "a", strings.Repeat("x", 900)) }
	for range 4 { // block 1: 1 to 4
		put()
	}
	put()
	mustRemove(t, s, 2) // its tombstone is in block 2, with 5 to 8
	for range 7 {
		put()
	}
	eventually(t, func() bool { return s.Stats().Unindexed == 0 })
	path := filepath.Join(config.Dir, config.Name, "ORDERS", "msgs", "2.blk")
	before := len(contentOf(t, config.FS, config.Dir)[path])
	mustRemove(t, s, 6, 7, 8)
	eventually(t, func() bool { return len(contentOf(t, config.FS, config.Dir)[path]) < before })
	crashes(t, config, func(t *testing.T, s *actors.Store) {
		got, _ := collect(t, s)
		require.Equal(t, []uint64{1, 3, 4, 5, 9, 10, 11, 12}, got)
	})
}

// TestACompactionPassesOverABlockThatHasToWait: one that alone shows what the last sequence is stays as it is until
// something is stored, and keeps no other block from being written anew.
func TestACompactionPassesOverABlockThatHasToWait(t *testing.T) {
	config := inMemory()
	config.IndexFrom = 1
	s := open(t, config)
	for range 8 { // 4 a block
		mustStore(t, s, "a", strings.Repeat("x", 930))
	}
	mustRemove(t, s, 5, 6, 7) // with tombstones in block 3: 8 alone shows the last sequence
	eventually(t, func() bool { return s.Stats().Unindexed == 0 })
	path := filepath.Join(config.Dir, "ORDERS", "msgs", "1.blk")
	before := len(contentOf(t, config.FS, config.Dir)[path])
	mustRemove(t, s, 2, 3, 4)
	eventually(t, func() bool { return len(contentOf(t, config.FS, config.Dir)[path]) < before })
	crashes(t, config, func(t *testing.T, s *actors.Store) {
		got, _ := collect(t, s)
		require.Equal(t, []uint64{1, 8}, got)
	})
}
