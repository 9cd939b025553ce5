package actors_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

// ownOf is what index.db of a stream says, which is not encrypted.
func ownOf(t *testing.T, c actors.Config) *streamstate.OwnState {
	t.Helper()
	body, err := streamstate.Body(c.Name, indexFile(t, c))
	require.NoError(t, err)
	own, err := streamstate.DecodeOwn(body)
	require.NoError(t, err)
	require.NotNil(t, own)
	return own
}

// TestAnOpeningComparesTheSumOfTheLastBlock that the stop has written down, a part of it at a time, and verifies the records, of
// which it reads all at once, only when there is none.
func TestAnOpeningComparesTheSumOfTheLastBlock(t *testing.T) {
	for name, set := range map[string]func(*actors.Config){
		"plain": func(*actors.Config) {}, "encrypted": func(c *actors.Config) { c.Key = key1 },
		"compressed when sealed": func(c *actors.Config) { c.Compression = actors.On },
	} {
		t.Run(name, func(t *testing.T) {
			config := inMemory()
			config.Name, config.BlockSize = "ORDERS", 8<<20
			set(&config)
			files := blocktest.NewFaultFS(config.FS)
			config.FS = files
			var largest atomic.Int64
			reopened := func() *actors.Store {
				largest.Store(0)
				files.SetHook(func(op blocktest.Op) (none blocktest.Fault) {
					if op.Kind == blocktest.OpRead && filepath.Ext(op.Name) == ".blk" {
						largest.Store(max(largest.Load(), int64(op.Size)))
					}
					return none
				})
				defer files.SetHook(nil)
				return open(t, config)
			}
			s := open(t, config)
			for range 500 {
				_, err := s.StoreMsg(t.Context(), "a.b", nil, make([]byte, 1000))
				require.NoError(t, err)
			}
			before, live := stateOf(t, s), liveOf(t, s)
			require.NoError(t, s.Stop(t.Context()))
			written := indexFile(t, config)
			for range 2 {
				s = reopened()
				require.LessOrEqual(t, largest.Load(), int64(256<<10))
				require.Equal(t, before, stateOf(t, s))
				require.Equal(t, live, liveOf(t, s))
				require.NoError(t, s.Stop(t.Context()))
				require.Equal(t, written, indexFile(t, config), "nothing was to be written")
			}
			forgetState(t, config)
			s = reopened()
			require.Greater(t, largest.Load(), int64(256<<10))
			require.Equal(t, live, liveOf(t, s))
			mustStore(t, s, "a.c", "x")
			require.NoError(t, s.Stop(t.Context()))
			reopened()
			require.LessOrEqual(t, largest.Load(), int64(256<<10))
		})
	}
}

// TestTheSumIsOfTheBlockAsItIs: it is written at the stop also when what is known of the stream was written before, and never
// of a block that somebody has damaged meanwhile, however that looks.
func TestTheSumIsOfTheBlockAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := inMemory()
		config.Name, config.BlockSize, config.Sync = "ORDERS", 1<<20, actors.SyncNever // else there are zeros behind the records
		s := open(t, config)
		for range 10 {
			mustStore(t, s, "a", string(make([]byte, 100)))
		}
		require.NoError(t, s.Flush(t.Context()))
		waitFor(3 * time.Minute)
		require.Zero(t, ownOf(t, config).Sum, "more may be stored")
		require.NoError(t, s.Stop(t.Context()))
		require.NotZero(t, ownOf(t, config).Sum)
	})
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", Compression: actors.Off}
	s := open(t, config)
	for range 10 {
		mustStore(t, s, "a", string(make([]byte, 100)))
	}
	path := filepath.Join(config.Dir, "ORDERS", "msgs", "1.blk")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data[700] ^= 1 // in a payload
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteAt(data[700:701], 700)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.NoError(t, s.Stop(context.Background()))
	if config.FS = blockio.OS; indexFile(t, config) != nil {
		require.Zero(t, ownOf(t, config).Sum)
	}
	s = open(t, config)
	require.Equal(t, uint64(9), stateOf(t, s).Messages, "the opening finds it")
}

// TestEachFlippedByteOfTheLastBlockIsNoticed by the next opening, whose file looks as it did: the block is read then, and
// what the byte is of lost, or not, as without index.db.
func TestEachFlippedByteOfTheLastBlockIsNoticed(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", Sync: actors.SyncNever}
	s := open(t, config)
	for range 20 {
		mustStore(t, s, "a", string(make([]byte, 50)))
	}
	require.NoError(t, s.Stop(t.Context()))
	path := filepath.Join(config.Dir, "ORDERS", "msgs", "1.blk")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	for at := 3; at < len(data); at += 61 {
		copied := config
		copied.Dir = t.TempDir()
		require.NoError(t, os.CopyFS(copied.Dir, os.DirFS(config.Dir)))
		path := filepath.Join(copied.Dir, "ORDERS", "msgs", "1.blk")
		flipped := slices.Clone(data)
		flipped[at] ^= 0x10
		require.NoError(t, os.WriteFile(path, flipped, 0o600))
		require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
		var text bytes.Buffer
		copied.Logger = slog.New(slog.NewTextHandler(&text, nil))
		s, err := actors.Open(t.Context(), quiet, copied)
		require.NoError(t, err)
		require.Contains(t, text.String(), "a block is not whole", "byte %d", at)
		require.NoError(t, s.Stop(t.Context()))
	}
}

// listings counts how often a directory is listed.
type listings struct {
	blockio.FS
	dir string
	n   atomic.Int64
}

func (l *listings) ReadDir(name string) ([]blockio.Entry, error) {
	if name == l.dir {
		l.n.Add(1)
	}
	return l.FS.ReadDir(name)
}

// TestACleanOpeningListsTheBlocksThreeTimes: to see whose directory it is, to take the blocks, and to see that nobody else has
// changed them meanwhile. Each takes as long as there are blocks.
func TestACleanOpeningListsTheBlocksThreeTimes(t *testing.T) {
	config := inMemory()
	config.Name = "ORDERS"
	files := &listings{FS: config.FS, dir: filepath.Join(config.Dir, "ORDERS", "msgs")}
	config.FS = files
	s := open(t, config)
	mustStore(t, s, "a", "x")
	require.NoError(t, s.Stop(t.Context()))
	files.n.Store(0)
	open(t, config)
	require.LessOrEqual(t, files.n.Load(), int64(3))
}
