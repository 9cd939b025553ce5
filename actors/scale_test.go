package actors_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// heap returns the bytes of live objects.
func heap() int64 {
	// Pools survive one collection.
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What an open stream may cost, in bytes. Measured with Go 1.26 on amd64: 28 KB
// after a message, 14.5 KB when idle, 10 KB before the first message, 12 KB when it is opened again
// and nobody has stored anything since. The bounds leave
// room for other versions of Go, and for the race detector.
const (
	mostIdleBytes     = 16 << 10
	mostOpenedBytes   = 12 << 10
	mostReopenedBytes = 13 << 10
	mostFreshBytes    = 48 << 10
)

// TestIdleStreamsAreCheap: no goroutine each, and a few kilobytes.
func TestIdleStreamsAreCheap(t *testing.T) {
	const streams = 300
	var c clock
	rt := actors.NewRuntime(actors.RuntimeConfig{Clock: c.now})
	dir := t.TempDir()
	goroutines, base := runtime.NumGoroutine(), heap()
	stores := make([]*actors.Store, streams)
	var all sync.WaitGroup
	each := func(f func(i int)) {
		limit := make(chan struct{}, 16)
		for i := range stores {
			limit <- struct{}{}
			all.Go(func() { f(i); <-limit })
		}
		all.Wait()
	}
	open := func(i int) {
		s, err := actors.Open(t.Context(), quiet, actors.Config{Dir: dir, Name: fmt.Sprint("S", i), Runtime: rt})
		if err != nil {
			t.Error(err)
			return
		}
		stores[i] = s
	}
	stop := func(i int) {
		if err := stores[i].Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
	each(open)
	require.False(t, t.Failed())
	perStream := func() int64 { return (heap() - base) / int64(streams) }
	opened := perStream()
	each(func(i int) {
		if _, err := stores[i].StoreMsg(t.Context(), "a", nil, make([]byte, 128)); err != nil {
			t.Error(err)
		}
	})
	fresh := perStream()
	c.advance(11 * time.Second)
	each(func(i int) {
		if err := stores[i].Flush(t.Context()); err != nil {
			t.Error(err)
		}
	})
	idle := perStream()
	more := runtime.NumGoroutine() - goroutines
	each(stop)
	clear(stores)
	base = heap()
	each(open)
	require.False(t, t.Failed())
	reopened := perStream()
	t.Logf("%d streams: %d bytes each when opened, %d after a message, %d when idle, %d opened again; %d goroutines more",
		streams, opened, fresh, idle, reopened, more)
	each(stop)
	require.LessOrEqual(t, more, 10)
	require.Less(t, opened, int64(mostOpenedBytes))
	require.Less(t, reopened, int64(mostReopenedBytes))
	require.Less(t, fresh, int64(mostFreshBytes))
	require.Less(t, idle, int64(mostIdleBytes))
	runtime.KeepAlive(stores)
}

// TestOpeningAndClosingLeaksNothing: neither goroutines nor files.
func TestOpeningAndClosingLeaksNothing(t *testing.T) {
	const directory = "/proc/self/fd"
	files := func() int {
		entries, err := os.ReadDir(directory)
		if err != nil {
			return 0 // not Linux: the goroutines alone
		}
		return len(entries)
	}
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4 << 10, MaxMsgs: 50}
	cycle := func() {
		s, err := actors.Open(t.Context(), quiet, config)
		require.NoError(t, err)
		for range 20 {
			mustStore(t, s, "a", string(make([]byte, 500)))
		}
		collect(t, s)
		_, err = s.LoadMsg(t.Context(), stateOf(t, s).FirstSequence)
		require.NoError(t, err)
		_, err = s.Watch(t.Context())
		require.NoError(t, err)
		require.NoError(t, s.Stop(t.Context()))
	}
	cycle()
	open, goroutines := files(), runtime.NumGoroutine()
	for range 30 {
		cycle()
		// And what Open refuses.
		_, err := actors.Open(t.Context(), quiet, actors.Config{Dir: config.Dir, Name: "ORDERS", FS: refusing{blockio.OS}})
		require.Error(t, err)
	}
	require.LessOrEqual(t, files(), open)
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines+2)
}

// refusing is a file system on which no block can be read.
type refusing struct{ blockio.FS }

func (r refusing) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	f, err := r.FS.OpenFile(name, mode)
	if err != nil || mode != blockio.ModeRead {
		return f, err
	}
	return unreadable{f}, nil
}

type unreadable struct{ blockio.File }

func (unreadable) ReadAt([]byte, int64) (int, error) { return 0, os.ErrPermission }
