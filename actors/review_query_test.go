package actors_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// What an independent review of the queries found, each as a test.

// TestScanOfATrimmedTail: a tail of which only the newest part is in memory, and only
// the older part in the file, is damaged nowhere.
func TestScanOfATrimmedTail(t *testing.T) {
	files := blocktest.NewFaultFS(blocktest.NewMemFS())
	s := open(t, actors.Config{
		FS: files, Dir: "streams", Sync: actors.SyncNever, Runtime: actors.NewRuntime(actors.RuntimeConfig{TailBytes: 1}),
	})
	payload := strings.Repeat("x", 1000)
	for range 3 {
		for range 800 {
			mustStore(t, s, "a", payload)
		}
		require.NoError(t, s.Flush(t.Context()))
	}
	release := make(chan struct{})
	defer close(release)
	files.SetHook(onBlocks(blocktest.OpWrite, func() blocktest.Fault {
		return blocktest.Fault{Wait: func() { <-release }}
	}))
	for range 3 {
		mustStore(t, s, "a", payload)
	}
	next := uint64(1)
	for m, err := range s.Messages(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, next, m.Sequence)
		next++
	}
	require.Equal(t, uint64(2404), next)
}

// TestStopDoesNotWaitForIndexes, but for the one that is being written.
func TestStopDoesNotWaitForIndexes(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, IndexFrom: -1, NoPreallocation: true}
	s := open(t, config)
	for range 100 {
		mustStore(t, s, "a", strings.Repeat("x", 1000))
	}
	require.NoError(t, s.Stop(context.Background()))
	files := blocktest.NewFaultFS(blockio.OS)
	var written atomic.Int64
	begun, release := make(chan struct{}), make(chan struct{})
	files.SetHook(func(op blocktest.Op) blocktest.Fault {
		if strings.HasSuffix(op.Name, ".bix.tmp") && op.Kind == blocktest.OpWrite {
			if written.Add(1) == 1 {
				close(begun)
			}
			return blocktest.Fault{Wait: func() { <-release }}
		}
		return blocktest.Fault{}
	})
	config.FS, config.IndexFrom = files, 1
	s = open(t, config)
	<-begun
	var stopping sync.WaitGroup
	stopping.Go(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	// Stop has been taken when nothing is accepted any more.
	for {
		if _, err := s.StoreMsg(t.Context(), "a", nil, nil); err != nil {
			require.ErrorIs(t, err, actors.ErrStopped)
			break
		}
	}
	close(release)
	stopping.Wait()
	require.LessOrEqual(t, written.Load(), int64(2))
}

// TestABlockThatCanHaveNoIndexIsLeftAlone: one whose end is damaged and zeros. Its old
// index is stale, and there can be no other.
func TestABlockThatCanHaveNoIndexIsLeftAlone(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, IndexFrom: 1}
	s := open(t, config)
	for range 40 {
		mustStore(t, s, "a", strings.Repeat("x", 340))
	}
	bix := strings.TrimSuffix(blockPath(config, 1), ".blk") + ".bix"
	eventually(t, func() bool { _, err := os.Stat(bix); return err == nil })
	require.NoError(t, s.Stop(context.Background()))
	data, err := os.ReadFile(blockPath(config, 1))
	require.NoError(t, err)
	clear(data[len(data)-100:])
	require.NoError(t, os.WriteFile(blockPath(config, 1), data, 0o600))
	s = open(t, config)
	eventually(t, func() bool {
		_, err := s.LoadMsg(t.Context(), 1)
		require.NoError(t, err)
		_, err = os.Stat(bix)
		return err != nil
	})
	found := s.Stats().BadIndexes
	for range 100 {
		_, err = s.LoadMsg(t.Context(), 1)
		require.NoError(t, err)
	}
	require.Equal(t, found, s.Stats().BadIndexes)
	require.LessOrEqual(t, found, uint64(2))
}

// TestAReaderOfTheTailOutlivesItsSeal, which cuts off what was written ahead.
func TestAReaderOfTheTailOutlivesItsSeal(t *testing.T) {
	var c clock
	config := actors.Config{
		Dir: t.TempDir(), Name: "ORDERS", BlockSize: 64 << 10, IndexFrom: -1,
		Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: c.now}),
	}
	s := open(t, config)
	for range 33 {
		mustStore(t, s, "a", strings.Repeat("x", 1000))
	}
	dropMemory(t, s, &c)
	_, err := s.LoadMsg(t.Context(), 1)
	require.NoError(t, err)
	mustStore(t, s, "a", strings.Repeat("x", 40<<10))
	dropMemory(t, s, &c)
	_, err = s.LoadMsg(t.Context(), 33)
	require.NoError(t, err)
	require.Zero(t, s.Stats().BadIndexes)
}

// TestWhatEvictionFindsLostIsNotCounted in the index of subjects either.
func TestWhatEvictionFindsLostIsNotCounted(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, IndexFrom: -1, MaxMsgs: 40}
	s := open(t, config)
	for i := range 40 {
		mustStore(t, s, fmt.Sprintf("d.%d", i+1), fmt.Sprintf("secret-%d;%0340d", i+1, 0))
	}
	require.NoError(t, s.Stop(context.Background()))
	s = open(t, config)
	for b := 1; b < 9; b++ {
		data, err := os.ReadFile(blockPath(config, b))
		if err == nil && strings.Contains(string(data), "secret-25;") {
			flip(t, blockPath(config, b), "secret-25;")
		}
	}
	for i := range 60 {
		mustStore(t, s, fmt.Sprintf("e.%d", i%5), fmt.Sprintf("secret-%d;%0340d", 1000+i, 0))
	}
	totals, err := s.SubjectsTotals(t.Context())
	require.NoError(t, err)
	var sum uint64
	for _, n := range totals {
		sum += n
	}
	state := stateOf(t, s)
	require.Equal(t, state.Messages, sum)
	require.Equal(t, uint64(5), state.Subjects)
	_, err = s.LoadLastMsg(t.Context(), actors.Literal("d.25"))
	require.ErrorIs(t, err, actors.ErrNotFound)
}

// TestAReaderKnowsAllOfTheFileItMaps, also when that grows while it is opened.
func TestAReaderKnowsAllOfTheFileItMaps(t *testing.T) {
	var c clock
	config := actors.Config{
		Dir: t.TempDir(), Name: "ORDERS", BlockSize: 1 << 20, IndexFrom: -1, Sync: actors.SyncNever, NoPreallocation: true,
		Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: c.now, MaxOpenFiles: 1}),
	}
	s := open(t, config)
	for range 49 {
		mustStore(t, s, "a", strings.Repeat("x", 25000))
	}
	mustStore(t, s, "a", strings.Repeat("x", 100))
	for round := range uint64(20) {
		dropMemory(t, s, &c)
		var writing sync.WaitGroup
		writing.Go(func() {
			for range 40 {
				mustStore(t, s, "a", strings.Repeat("x", 100))
				if err := s.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
		first := 50 + round*40 // the last one in the file: needs a reader of its own
		for range 6 {
			_, err := s.LoadMsg(t.Context(), 1)
			require.NoError(t, err)
			_, err = s.LoadMsg(t.Context(), first)
			require.NoError(t, err)
		}
		writing.Wait()
		dropMemory(t, s, &c)
		for sequence := first; sequence <= first+40; sequence++ {
			_, err := s.LoadMsg(t.Context(), sequence)
			require.NoError(t, err)
		}
	}
}

// TestIndexBuildsAreBounded over all streams of a Runtime.
func TestIndexBuildsAreBounded(t *testing.T) {
	const streams, workers = 12, 2
	dir, shared := t.TempDir(), actors.NewRuntime(actors.RuntimeConfig{Workers: workers})
	files := blocktest.NewFaultFS(blockio.OS)
	config := func(i int, from int64) actors.Config {
		return actors.Config{
			Dir: dir, Name: fmt.Sprintf("S%d", i), BlockSize: 4096, IndexFrom: from, Runtime: shared, NoPreallocation: true, FS: files,
		}
	}
	for i := range streams {
		s := open(t, config(i, -1))
		for range 15 {
			mustStore(t, s, "a", strings.Repeat("x", 1000))
		}
		require.NoError(t, s.Stop(context.Background()))
	}
	var now, peak, all atomic.Int64
	release := make(chan struct{})
	files.SetHook(func(op blocktest.Op) blocktest.Fault {
		if strings.HasSuffix(op.Name, ".bix.tmp") && op.Kind == blocktest.OpWrite {
			return blocktest.Fault{Wait: func() {
				n := now.Add(1)
				for most := peak.Load(); n > most && !peak.CompareAndSwap(most, n); most = peak.Load() {
				}
				all.Add(1)
				<-release
				now.Add(-1)
			}}
		}
		return blocktest.Fault{}
	})
	for i := range streams {
		mustStore(t, open(t, config(i, 1)), "a", "x")
	}
	eventually(t, func() bool { return now.Load() == workers })
	close(release)
	eventually(t, func() bool { return all.Load() >= streams })
	require.Equal(t, int64(workers), peak.Load())
}
