package actors

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// sweepWorld is a stream of 60 messages in blocks of 4 KiB, all of which have been read, in a bubble.
type sweepWorld struct {
	t      *testing.T
	files  *blocktest.MemFS
	shared *Runtime
	store  *Store
	back   atomic.Int64 // by how much the clock was set back
	plant  atomic.Pointer[func(message any)]
}

func inSweepWorld(t *testing.T, mostOpen int, test func(w *sweepWorld)) {
	synctest.Test(t, func(t *testing.T) {
		w := &sweepWorld{t: t, files: blocktest.NewMemFS()}
		w.shared = NewRuntime(RuntimeConfig{MaxOpenFiles: mostOpen, Clock: func() time.Time {
			return time.Now().Add(-time.Duration(w.back.Load()))
		}})
		w.shared.plant = func(message any) {
			if plant := w.plant.Load(); plant != nil {
				(*plant)(message)
			}
		}
		var err error
		w.store, err = Open(t.Context(), faultSystem, Config{
			Dir: "data", Name: "ORDERS", FS: w.files, BlockSize: 4 << 10, Runtime: w.shared, RetryMin: time.Millisecond,
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, w.store.Stop(t.Context())) }()
		for range 60 {
			w.storeOne()
		}
		w.read(60)
		test(w)
	})
}

func (w *sweepWorld) storeOne() {
	_, err := w.store.StoreMsg(w.t.Context(), "a", nil, fmt.Appendf(nil, "%1200d", 0))
	require.NoError(w.t, err)
}

// read loads a message of each block up to a sequence.
func (w *sweepWorld) read(to uint64) {
	for sequence := uint64(1); sequence <= to; sequence += 3 {
		_, err := w.store.LoadMsg(w.t.Context(), sequence)
		require.NoError(w.t, err)
	}
}

// left returns the files on the disk that are to go.
func (w *sweepWorld) left() (names []string) {
	entries, err := w.files.ReadDir("data/ORDERS/msgs")
	require.NoError(w.t, err)
	for _, e := range entries {
		if strings.HasSuffix(e.Name, ".tmp") {
			names = append(names, e.Name)
		}
	}
	return names
}

// swept lets the time pass after which nothing is left of a truncation, and no more than so many files are open.
func (w *sweepWorld) swept(open int) {
	<-time.After(2 * sweepAfter)
	synctest.Wait()
	require.Empty(w.t, w.left())
	require.LessOrEqual(w.t, w.shared.readers.Blocks.Open(), open)
}

// TestTruncationsKeepFewFilesOpen however fast they follow each other.
func TestTruncationsKeepFewFilesOpen(t *testing.T) {
	const mostOpen = 32
	inSweepWorld(t, mostOpen, func(w *sweepWorld) {
		for last := uint64(59); last > 30; last-- {
			_, err := w.store.Truncate(w.t.Context(), last)
			require.NoError(w.t, err)
			w.read(30)
			require.LessOrEqual(w.t, w.shared.readers.Blocks.Open(), 2*mostOpen)
		}
		w.swept(mostOpen)
	})
}

// TestFilesGoAlthoughTheClockIsSetBack right after the truncation.
func TestFilesGoAlthoughTheClockIsSetBack(t *testing.T) {
	inSweepWorld(t, 64, func(w *sweepWorld) {
		_, err := w.store.Truncate(w.t.Context(), 20)
		require.NoError(w.t, err)
		require.NotEmpty(w.t, w.left())
		w.back.Store(int64(time.Hour))
		w.storeOne()
		w.swept(0)
	})
}

// TestFilesGoAlthoughTheActorHasCrashed while the truncation was under way.
func TestFilesGoAlthoughTheActorHasCrashed(t *testing.T) {
	inSweepWorld(t, 64, func(w *sweepWorld) {
		begun, crashed := make(chan struct{}), make(chan struct{})
		var once atomic.Bool
		plant := func(message any) {
			switch message.(type) {
			case *truncationWork:
				close(begun)
				<-crashed
			case *tick:
				if once.CompareAndSwap(false, true) {
					defer close(crashed)
					panic("planted")
				}
			}
		}
		w.plant.Store(&plant)
		go func() {
			<-begun
			w.store.stream.mailbox.PostUserMessage(&tick{})
		}()
		_, err := w.store.Truncate(w.t.Context(), 20)
		require.Error(w.t, err)
		require.NoError(w.t, w.store.Ready(w.t.Context()))
		w.storeOne()
		require.Equal(w.t, uint64(21), w.store.published.Last())
		w.swept(0)
	})
}
