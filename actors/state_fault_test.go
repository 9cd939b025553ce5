package actors_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestTheStateCannotBeWritten: whichever call fails, nothing but the opening takes longer.
func TestTheStateCannotBeWritten(t *testing.T) {
	for at := 0; ; at++ {
		fired := false
		synctest.Test(t, func(t *testing.T) {
			config := inMemory()
			config.Name, config.AllowMsgTTL = "ORDERS", actors.On
			files := blocktest.NewFaultFS(config.FS)
			config.FS = files
			s := open(t, config)
			put := func() {
				for {
					_, err := s.StoreMsg(t.Context(), "a", actors.Header{"Nats-TTL": {"100h"}}, make([]byte, 900))
					if err == nil {
						return
					}
					require.ErrorIs(t, err, actors.ErrFailed)
					waitFor(time.Second)
				}
			}
			for range 6 {
				put()
			}
			waitFor(time.Minute) // block indexes are there
			n := 0
			files.SetHook(func(op blocktest.Op) blocktest.Fault {
				if n++; n-1 != at {
					return blocktest.Fault{}
				}
				fired = true
				return blocktest.Fault{Err: blocktest.ErrIO}
			})
			waitFor(3 * time.Minute)
			files.SetHook(nil)
			for range 6 {
				put()
			}
			before, live := stateOf(t, s), liveOf(t, s)
			require.GreaterOrEqual(t, len(live), 12)
			require.Zero(t, before.LostMessages)
			waitFor(3 * time.Minute)
			checkState(t, config, before)
			require.NoError(t, s.Stop(t.Context()))
			s = open(t, config)
			require.Equal(t, live, liveOf(t, s), "call %d", at)
			require.NoError(t, s.Stop(t.Context()))
		})
		if !fired {
			require.Greater(t, at, 10)
			return
		}
	}
}

// TestDamagedStateIsNotGoneBy: whatever is flipped in index.db or is missing of it, the stream is what it was.
func TestDamagedStateIsNotGoneBy(t *testing.T) {
	config := inMemory()
	config.Name = "ORDERS"
	s := open(t, config)
	for i := range 30 {
		mustStore(t, s, fmt.Sprint("a.", i%3), strings.Repeat("x", 500))
	}
	_, err := s.RemoveMsg(t.Context(), 7)
	require.NoError(t, err)
	before, live := stateOf(t, s), liveOf(t, s)
	require.NoError(t, s.Stop(t.Context()))
	written := indexFile(t, config)
	path := filepath.Join("data", "ORDERS", "msgs", blockio.StateFile)
	for at := 0; at < len(written); at += 7 {
		for _, spoil := range []func([]byte) []byte{
			func(b []byte) []byte { b[at] ^= 1 << (at % 8); return b },
			func(b []byte) []byte { return b[:at] },
		} {
			require.NoError(t, blockio.ReplaceFile(config.FS, path, spoil(append([]byte(nil), written...))))
			s := open(t, config)
			require.Equal(t, before, stateOf(t, s), "offset %d", at)
			require.Equal(t, live, liveOf(t, s))
			require.NoError(t, s.Stop(t.Context()))
			checkState(t, config, before) // it is written again
		}
	}
}

// TestStateOfOtherBlocksIsNotGoneBy: it is of the blocks as they were. One that has changed since is read, and what is
// damaged in it is found.
func TestStateOfOtherBlocksIsNotGoneBy(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(t *testing.T, msgs string)
		lost   uint64
	}{
		{"a bit of a block in the middle", func(t *testing.T, msgs string) { flipBit(t, filepath.Join(msgs, "2.blk"), 300) }, 1},
		{"a bit of the last block", func(t *testing.T, msgs string) {
			flipBit(t, filepath.Join(msgs, "4.blk"), 100)
		}, 1},
		{"a copy with other times", func(t *testing.T, msgs string) {
			data, err := os.ReadFile(filepath.Join(msgs, "2.blk"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(msgs, "2.blk"), data, 0o600))
		}, 0},
		{"another block behind", func(t *testing.T, msgs string) {
			codec := blockio.NewRecordCodec("ORDERS", 5)
			require.NoError(t, os.WriteFile(filepath.Join(msgs, "5.blk"), codec.AppendMessage(nil, 31, 1e18, "a", nil, nil), 0o600))
		}, 0},
		{"what is known to be lost", func(t *testing.T, msgs string) {
			blocks := blockio.NewBlocks(blockio.OS, filepath.Dir(msgs), "ORDERS", blockio.BlocksOptions{})
			require.NoError(t, blocks.WriteLost([]blockio.LostRange{{Block: 2, First: 10, Last: 10, Bytes: 1}}))
		}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, IndexFrom: -1}
			s := open(t, config)
			for range 30 {
				mustStore(t, s, "a", strings.Repeat("x", 500))
			}
			require.NoError(t, s.Stop(t.Context()))
			msgs := filepath.Join(config.Dir, "ORDERS", "msgs")
			row.change(t, msgs)
			files := blocktest.NewFaultFS(blockio.OS)
			var read sync.Map
			files.SetHook(func(op blocktest.Op) (none blocktest.Fault) {
				if op.Kind == blocktest.OpRead {
					read.Store(filepath.Base(op.Name), true)
				}
				return none
			})
			config.FS = files
			s = open(t, config)
			files.SetHook(nil)
			for _, name := range []string{"1.blk", "2.blk"} {
				_, is := read.Load(name)
				require.True(t, is, "%s is read", name)
			}
			require.Equal(t, row.lost, stateOf(t, s).LostMessages)
			require.NoError(t, s.Stop(t.Context()))
		})
	}
}

// flipBit changes a bit of a file.
func flipBit(t *testing.T, path string, at int) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data[at] ^= 16
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

// TestWhatALimitRemovedStaysAwayFromACopy: of what MaxMsgsPer has removed there is no trace but in index.db. A copy of the
// stream whose files have other times, and of which somebody else has raised that limit, does not have it again.
func TestWhatALimitRemovedStaysAwayFromACopy(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, IndexFrom: -1, MaxMsgsPer: 1}
	s := open(t, config)
	for i := range 30 {
		mustStore(t, s, fmt.Sprint("a.", i%7), strings.Repeat("x", 500))
	}
	before, live := stateOf(t, s), liveOf(t, s)
	require.Len(t, live, 7)
	require.NoError(t, s.Stop(t.Context()))

	dir := filepath.Join(config.Dir, "ORDERS")
	blocks, err := filepath.Glob(filepath.Join(dir, "msgs", "*.blk"))
	require.NoError(t, err)
	for _, path := range blocks {
		then := time.Unix(1_600_000_000, 0)
		require.NoError(t, os.Chtimes(path, then, then))
	}
	meta, err := blockio.ReadMeta(blockio.OS, dir, "ORDERS")
	require.NoError(t, err)
	require.Equal(t, int64(1), meta.MaxMsgsPerSubject)
	meta.MaxMsgsPerSubject = 5
	require.NoError(t, blockio.WriteMeta(blockio.OS, dir, "ORDERS", meta))

	config.MaxMsgsPer = 0
	for range 2 {
		s = open(t, config)
		require.Equal(t, live, liveOf(t, s))
		require.Equal(t, before, stateOf(t, s))
		require.NoError(t, s.Stop(t.Context()))
		removeIndexOf(t, dir)
	}
}

// removeIndexOf removes index.db, so that the blocks have to say all.
func removeIndexOf(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, os.Remove(filepath.Join(dir, "msgs", blockio.StateFile)))
}

// TestWhatALimitRemovedStaysAwayBehindALoss: a reader finds messages lost, of a block that nothing else shows to have changed,
// and there are fewer messages than MaxMsgs then. What it had removed before is in that block, and stays removed.
func TestWhatALimitRemovedStaysAwayBehindALoss(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, IndexFrom: 1, MaxMsgs: 16}
	s := open(t, config)
	for range 21 {
		mustStore(t, s, "a", strings.Repeat("x", 300))
	}
	require.Equal(t, uint64(6), stateOf(t, s).FirstSequence)
	require.NoError(t, s.Stop(t.Context()))
	first := filepath.Join(config.Dir, "ORDERS", "msgs", "1.blk")
	info, err := os.Stat(first)
	require.NoError(t, err)
	data, err := os.ReadFile(first)
	require.NoError(t, err)
	clear(data[2381:]) // from within a message that is live to the end
	require.NoError(t, os.WriteFile(first, data, 0o600))
	require.NoError(t, os.Chtimes(first, info.ModTime(), info.ModTime()))

	s = open(t, config)
	for range s.Messages(t.Context()) { // finds it
	}
	require.NoError(t, s.Flush(t.Context()))
	live := liveOf(t, s)
	require.Less(t, stateOf(t, s).Messages, uint64(15))
	require.NoError(t, s.Stop(t.Context()))
	for range 2 {
		s = open(t, config)
		require.Equal(t, live, liveOf(t, s))
		require.NoError(t, s.Stop(t.Context()))
	}
	s = open(t, config)
	mustStore(t, s, "a", "there is room for this one")
	require.Equal(t, append(slices.Clone(live), 22), liveOf(t, s))
	require.NoError(t, s.Stop(t.Context()))
}
