package actors_test

import (
	"cmp"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

// indexFile returns index.db of a stream, nil when there is none.
func indexFile(t *testing.T, c actors.Config) []byte {
	t.Helper()
	blocks := blockio.NewBlocks(c.FS, filepath.Join(c.Dir, c.Name), c.Name, blockio.BlocksOptions{})
	data, err := blocks.ReadStateFile()
	require.NoError(t, err)
	return data
}

// forgetState removes index.db, so that the next opening reads the blocks.
func forgetState(t *testing.T, c actors.Config) {
	t.Helper()
	if c.FS == nil {
		c.FS = blockio.OS
	}
	c.Name = cmp.Or(c.Name, "ORDERS")
	require.NoError(t, c.FS.Remove(filepath.Join(c.Dir, c.Name, "msgs", blockio.StateFile)))
}

// checkState holds index.db against the blocks, as far as a nats-server would.
func checkState(t *testing.T, c actors.Config, s actors.State) *streamstate.Index {
	t.Helper()
	x, err := streamstate.DecodeIndex(c.Name, indexFile(t, c))
	require.NoError(t, err)
	require.NoError(t, x.Check())
	require.Equal(t, s.Messages, x.Messages)
	require.Equal(t, s.Bytes, x.Bytes)
	require.Equal(t, s.FirstSequence, x.First)
	require.Equal(t, s.LastSequence, x.Last)
	require.Len(t, x.Subjects, int(s.Subjects))
	return x
}

// TestAStopWritesTheState, and the next opening reads no block that has an index. A stop that has nothing to write writes nothing.
func TestAStopWritesTheState(t *testing.T) {
	config := inMemory()
	config.Name = "ORDERS"
	config.BlockSize, config.IndexFrom = 4096, 1
	files := blocktest.NewFaultFS(config.FS)
	config.FS = files
	s := open(t, config)
	for i := range 100 {
		_, err := s.StoreMsg(t.Context(), fmt.Sprint("a.", i%7), nil, make([]byte, 200))
		require.NoError(t, err)
	}
	for _, sequence := range []uint64{3, 50, 100} {
		_, err := s.RemoveMsg(t.Context(), sequence)
		require.NoError(t, err)
	}
	before, live := stateOf(t, s), liveOf(t, s)
	require.Eventually(t, func() bool { return s.Stats().Unindexed == 0 }, time.Minute, time.Millisecond)
	require.NoError(t, s.Stop(t.Context()))
	last := checkState(t, config, before).LastBlock
	written := indexFile(t, config)
	for range 2 {
		var read sync.Map
		files.SetHook(func(op blocktest.Op) (none blocktest.Fault) {
			if op.Kind == blocktest.OpRead && filepath.Ext(op.Name) == ".blk" {
				read.Store(filepath.Base(op.Name), true)
			}
			return none
		})
		s = open(t, config)
		read.Range(func(name, _ any) bool {
			require.Equal(t, fmt.Sprint(last, ".blk"), name, "the one without an index")
			return true
		})
		files.SetHook(nil)
		require.Equal(t, before, stateOf(t, s))
		require.Equal(t, live, liveOf(t, s))
		require.NoError(t, s.Stop(t.Context()))
		require.Equal(t, written, indexFile(t, config))
	}
}

// TestTheStateIsWrittenAWhileAfterAChange, once. Where nothing is synced that is only so after a flush.
func TestTheStateIsWrittenAWhileAfterAChange(t *testing.T) {
	for _, level := range []actors.SyncLevel{actors.SyncAlways, actors.SyncInterval, actors.SyncNever} {
		t.Run(level.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := inMemory()
				config.Name, config.Sync = "ORDERS", level
				s := open(t, config)
				put := func() {
					mustStore(t, s, "a", "")
					if level == actors.SyncNever {
						waitFor(3 * time.Minute)
						require.Nil(t, indexFile(t, config), "nothing that it would speak of is durable")
						mustStore(t, s, "a", "")
						require.NoError(t, s.Flush(t.Context()))
					}
				}
				put()
				waitFor(2 * time.Minute)
				require.Nil(t, indexFile(t, config))
				waitFor(31 * time.Second)
				checkState(t, config, stateOf(t, s))
				written := indexFile(t, config)
				waitFor(time.Hour)
				require.Equal(t, written, indexFile(t, config))
				if level == actors.SyncNever {
					require.NoError(t, s.Stop(t.Context()))
					checkState(t, config, stateOf(t, s))
					return
				}
				put()
				require.Equal(t, written, indexFile(t, config), "it is of an earlier stream")
				waitFor(3 * time.Minute)
				checkState(t, config, stateOf(t, s))
				_, err := s.Purge(t.Context())
				require.NoError(t, err)
				waitFor(15 * time.Second)
				checkState(t, config, stateOf(t, s))
				require.NoError(t, s.Stop(t.Context()))
				checkState(t, config, stateOf(t, s))
			})
		})
	}
}
