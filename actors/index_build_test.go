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

// TestABlockThatCanHaveNoIndexIsLeftAlone: one in which a record before the last is damaged, and the last
// one with its mark is zeros. Its old index is stale, and there can be no other.
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
	const frame = 30 + 31 + 340 // the mark, and the record
	clear(data[len(data)-frame-100:])
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
