package actors_test

import (
	"fmt"
	"math/rand"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// writesWatched tells of each write and sync before it happens.
type writesWatched struct {
	blockio.FS
	before func()
}

type writeWatched struct {
	blockio.File
	fs *writesWatched
}

func (f *writesWatched) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	file, err := f.FS.OpenFile(name, mode)
	if err != nil {
		return nil, err
	}
	return &writeWatched{file, f}, nil
}

func (f *writeWatched) WriteAt(p []byte, offset int64) (int, error) {
	f.fs.before()
	return f.File.WriteAt(p, offset)
}

func (f *writeWatched) Sync() error {
	f.fs.before()
	return f.File.Sync()
}

// TestMarkersSurviveACrash: at each write of an expiry, by TTL and by age, a crash leaves the messages or their markers;
// once the stream is open again each subject has its marker, and none has two.
func TestMarkersSurviveACrash(t *testing.T) {
	for _, byAge := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			mem := blocktest.NewMemFS()
			var watched atomic.Bool
			var guard sync.Mutex
			var images []*blocktest.MemFS
			config := inMemory()
			config.SubjectDeleteMarkerTTL = 2 * time.Hour
			config.FS = &writesWatched{mem, func() {
				guard.Lock()
				defer guard.Unlock()
				for _, mode := range blocktest.CrashModes {
					if watched.Load() {
						images = append(images, mem.CrashImage(mode, rand.New(rand.NewSource(int64(len(images))))))
					}
				}
			}}
			lives := time.Second
			if byAge {
				lives, config.MaxAge = 2*time.Hour, time.Hour
			}
			s := open(t, config)
			for i := range 20 {
				mustStore(t, s, fmt.Sprint("k.", i), strings.Repeat("x", 300))
				mustStoreFor(t, s, fmt.Sprint("k.", i), lives)
				mustStoreFor(t, s, fmt.Sprint("k.", i), lives)
				if !byAge {
					mustRemove(t, s, uint64(3*i+1))
				}
			}
			mustStoreFor(t, s, "stays", actors.Forever)
			watched.Store(true)
			waitFor(min(lives, time.Hour) + 500*time.Millisecond)
			watched.Store(false)
			require.Equal(t, uint64(21), stateOf(t, s).Messages)
			require.NoError(t, s.Stop(t.Context()))
			require.Greater(t, len(images), 8)
			for _, image := range images {
				config.FS = image
				s := open(t, config)
				waitFor(time.Second)
				subjects := map[string]int{}
				for m, err := range s.Messages(t.Context()) {
					require.NoError(t, err)
					require.Equal(t, m.Subject != "stays", strings.Contains(string(m.HeaderBlock), "Nats-Marker-Reason"), m.Subject)
					subjects[m.Subject]++
				}
				require.Len(t, subjects, 21)
				require.Equal(t, uint64(21), stateOf(t, s).Messages)
				require.NoError(t, s.Stop(t.Context()))
			}
		})
	}
}
