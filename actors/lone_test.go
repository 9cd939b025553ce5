package actors_test

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// whoWrites is a file system that knows whether the last write to a block was made inside a call of StoreMsg.
type whoWrites struct {
	blockio.FS
	inside atomic.Bool
}

type whoWritesFile struct {
	blockio.File
	who *whoWrites
}

func (w *whoWrites) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	file, err := w.FS.OpenFile(name, mode)
	if err != nil || !strings.HasSuffix(name, ".blk") {
		return file, err
	}
	return &whoWritesFile{file, w}, nil
}

func (f *whoWritesFile) WriteAt(data []byte, offset int64) (int, error) {
	var stack [32 << 10]byte
	f.who.inside.Store(strings.Contains(string(stack[:runtime.Stack(stack[:], false)]), "StoreMsg("))
	return f.File.WriteAt(data, offset)
}

// TestALoneCallerNeedsNoOtherGoroutine, unless its context may end: then it must be able to leave while the disk hangs.
func TestALoneCallerNeedsNoOtherGoroutine(t *testing.T) {
	for _, level := range []actors.SyncLevel{actors.SyncAlways, actors.SyncInterval} {
		t.Run(level.String(), func(t *testing.T) {
			who := &whoWrites{FS: blocktest.NewMemFS()}
			s, err := actors.Open(t.Context(), quiet, actors.Config{Dir: "data", Name: "ORDERS", FS: who, Sync: level})
			require.NoError(t, err)
			defer func() { require.NoError(t, s.Stop(context.Background())) }()
			store := func(ctx context.Context) (inside bool) {
				_, err := s.StoreMsg(ctx, "a", nil, []byte("x"))
				require.NoError(t, err)
				return who.inside.Load()
			}
			// The turn of the message before may not be over yet: then there is a goroutine for the next one, too.
			for !store(context.Background()) {
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for range 100 {
				require.False(t, store(ctx))
			}
		})
	}
}

// slowIndexes is a file system in which whoever opens the index of a block tells so, and waits.
type slowIndexes struct {
	*whoWrites
	slow   atomic.Bool
	opened chan struct{} // of capacity 1
	goOn   chan struct{}
}

func (f *slowIndexes) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	if f.slow.Load() && strings.HasSuffix(name, ".bix") {
		select {
		case f.opened <- struct{}{}:
		default:
		}
		<-f.goOn
	}
	return f.whoWrites.OpenFile(name, mode)
}

// TestACallerBesideALongPurgeIsALoneOne: the purge is on its way for all of the time, and the caller's messages are written
// on his goroutine nevertheless.
func TestACallerBesideALongPurgeIsALoneOne(t *testing.T) {
	const gone = 5000
	fs := &slowIndexes{whoWrites: &whoWrites{FS: blocktest.NewMemFS()}, opened: make(chan struct{}, 1), goOn: make(chan struct{})}
	config := actors.Config{Dir: "data", Name: "ORDERS", FS: fs, BlockSize: 64 << 10}
	ctx := context.Background()
	s, err := actors.Open(ctx, quiet, config)
	require.NoError(t, err)
	batch := make([]actors.BatchMessage, gone)
	for i := range batch {
		batch[i].Subject = "gone"
	}
	for range 4 { // each block but the last is sealed
		_, err = s.StoreBatch(ctx, batch)
		require.NoError(t, err)
	}
	require.NoError(t, s.Stop(ctx))
	s, err = actors.Open(ctx, quiet, config)
	require.NoError(t, err)
	fs.slow.Store(true)
	purged := make(chan uint64)
	go func() {
		n, err := s.PurgeEx(ctx, actors.Filter("gone"), 0, 0)
		if err != nil {
			t.Error(err)
		}
		purged <- n
	}()
	<-fs.opened
	// As above: it takes some messages until one finds the turn before over.
	stored, inside := uint64(0), false
	for ; !inside && stored < 100_000; stored++ {
		_, err := s.StoreMsg(ctx, "stays", nil, []byte("x"))
		require.NoError(t, err)
		inside = fs.inside.Load() && s.Stats().InFlight == 1 // which is the purge
	}
	close(fs.goOn)
	require.Equal(t, uint64(4*gone), <-purged)
	require.Equal(t, stored, stateOf(t, s).Messages)
	require.NoError(t, s.Stop(ctx))
	require.True(t, inside)
}
