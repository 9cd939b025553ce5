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
