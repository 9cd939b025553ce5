package main

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// mostForFar is what a server may allocate when it opens a stream of a dozen messages, however many sequences have
// none. A byte for each of a hundred million is more.
const mostForFar = 32 << 20

// TestAServerOpensAStreamThatGoesFar: a stream of a few messages and very many sequences without one has an index.db
// by which a server goes, and without it the server finds the same in the blocks. Neither takes it memory in proportion to
// those sequences.
func TestAServerOpensAStreamThatGoesFar(t *testing.T) {
	for _, far := range []uint64{99_999_999, 1 << 40} {
		for name, do := range map[string]func(ours) error{
			"compaction": func(s ours) error { _, err := s.compact(far); return err },
			"purge":      func(s ours) error { _, err := s.PurgeEx(s.ctx, actors.Filter(">"), far, 0); return err },
			"skip":       func(s ours) error { return s.skip(far) },
			"skip, and more": func(s ours) error {
				_, err := s.remove(5)
				if err == nil {
					err = s.skip(far)
				}
				if err == nil {
					err = s.store("s.b", nil, []byte("y"))
				}
				if err == nil {
					err = s.skip(far)
				}
				return err
			},
			"another copy": func(s ours) error {
				err := s.skip(far)
				if err == nil {
					_, err = s.SyncDeleted(s.ctx, []actors.SequenceRange{{First: 3, Last: 4}, {First: 9, Last: 2 * far}})
				}
				return err
			},
		} {
			for _, behind := range []bool{false, true} {
				t.Run(fmt.Sprint(name, "/", far, "/", behind), func(t *testing.T) {
					dir := t.TempDir()
					store := openOurs(t, dir, -1, false)
					for range 10 {
						require.NoError(t, store.store("s.a", nil, []byte("x")))
					}
					require.NoError(t, do(store))
					if behind {
						require.NoError(t, store.store("s.c", nil, []byte("z")))
					}
					state, err := store.FastState(t.Context())
					require.NoError(t, err)
					var live []uint64
					for m, err := range store.Messages(t.Context()) {
						require.NoError(t, err)
						live = append(live, m.Sequence)
					}
					require.NoError(t, store.Stop(t.Context()))
					checkFar(t, dir, state, live, 0)

					// What the file alone says shows that the server goes by it.
					file, err := os.ReadFile(indexOf(dir))
					require.NoError(t, err)
					require.Less(t, len(file), 4<<10)
					x, err := streamstate.DecodeIndex(scriptStream, file)
					require.NoError(t, err)
					x.Bytes, x.Blocks[0].Bytes = x.Bytes+1, x.Blocks[0].Bytes+1
					require.NoError(t, os.WriteFile(indexOf(dir), x.Append(nil, scriptStream), 0o600))
					if len(live) > 0 {
						checkFar(t, dir, state, live, 1)
					}
					require.NoError(t, os.Remove(indexOf(dir)))
					checkFar(t, dir, state, live, 0)
				})
			}
		}
	}
}

// checkFar has a server open a copy of a directory, and holds what it finds against what we have left, but for so
// many bytes more.
func checkFar(t *testing.T, dir string, state actors.State, live []uint64, more uint64) {
	t.Helper()
	copied := t.TempDir()
	require.NoError(t, oracle.CopyStream(copied, dir))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	store := openTheirs(t, copied, -1)
	for _, sequence := range live {
		_, err := store.Load(sequence)
		require.NoError(t, err, sequence)
	}
	runtime.ReadMemStats(&after)
	found := store.FastState()
	require.NoError(t, store.Stop())
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(mostForFar))
	require.Equal(t, server.StreamState{
		Msgs: state.Messages, Bytes: state.Bytes + more, FirstSeq: state.FirstSequence, LastSeq: state.LastSequence,
		NumSubjects: int(state.Subjects), NumDeleted: int(state.Deleted), FirstTime: found.FirstTime, LastTime: found.LastTime,
	}, found)
	if state.Messages > 0 {
		require.WithinDuration(t, state.FirstTime, found.FirstTime, time.Microsecond)
	}
}
