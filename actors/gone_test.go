package actors_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestABlockThatIsGoneIsTold of, when somebody has removed its file from a stopped stream and it had no index: with every
// message that it held, at this opening and at the next ones, and no sequence of it is used again.
func TestABlockThatIsGoneIsTold(t *testing.T) {
	for _, row := range []struct {
		name   string
		limit  int64                      // MaxMsgs
		gone   func(n int) (from, to int) // of n blocks
		proof  bool                       // millrace.end is there
		silent bool
	}{
		{name: "in the middle", gone: func(int) (int, int) { return 1, 2 }, proof: true},
		{name: "in the middle, in a stream with a limit", limit: 50, gone: func(int) (int, int) { return 1, 2 }},
		{name: "two of them", gone: func(int) (int, int) { return 1, 3 }},
		{name: "the first", gone: func(int) (int, int) { return 0, 1 }},
		{name: "the first, in a stream with a limit", limit: 50, gone: func(int) (int, int) { return 0, 1 }, proof: true},
		{name: "the first, and nobody knows whether a limit has removed it", limit: 50, gone: func(int) (int, int) { return 0, 1 }, silent: true},
		{name: "the last", gone: func(n int) (int, int) { return n - 1, n }},
		{name: "all", gone: func(n int) (int, int) { return 0, n }},
	} {
		for _, level := range []actors.SyncLevel{actors.SyncAlways, actors.SyncNever} {
			t.Run(row.name+", "+level.String(), func(t *testing.T) {
				mem := blocktest.NewMemFS()
				config := actors.Config{
					FS: mem, Dir: "data", Name: "ORDERS", BlockSize: 4 << 10, IndexFrom: 1 << 30, CompactBelow: -1, MaxMsgs: row.limit, Sync: level,
				}
				s := openToFail(t, config)
				for i := range 60 {
					if mustStore(t, s, "a.b", string(make([]byte, 300))); i != 40 {
						continue
					}
					for _, sequence := range []uint64{20, 21, 30} {
						_, err := s.RemoveMsg(t.Context(), sequence)
						require.NoError(t, err)
					}
				}
				before := stateOf(t, s)
				require.NoError(t, s.Stop(context.Background()))
				dir := filepath.Join("data", "ORDERS", "msgs")
				blocks := blockio.NewBlocks(mem, filepath.Join("data", "ORDERS"), "ORDERS", blockio.BlocksOptions{})
				list, err := blocks.List()
				require.NoError(t, err)
				from, to := row.gone(len(list))
				for _, b := range list[from:to] {
					require.NoError(t, mem.Remove(blocks.Path(b.ID)))
				}
				if !row.proof {
					require.NoError(t, mem.Remove(filepath.Join(dir, "millrace.end")))
				}
				var first actors.State
				for i := range 3 {
					s := openToFail(t, config)
					after := stateOf(t, s)
					if row.silent {
						require.Zero(t, after.LostMessages)
						require.NoError(t, s.Stop(context.Background()))
						continue
					}
					require.Equal(t, before.Messages, after.Messages+after.LostMessages)
					require.NotZero(t, after.LostBytes)
					require.Equal(t, before.LastSequence, after.LastSequence)
					if i == 0 {
						first = after
						lost := 0
						for sequence := before.FirstSequence; sequence <= before.LastSequence; sequence++ {
							if _, err := s.LoadMsg(t.Context(), sequence); err != nil && sequence != 20 && sequence != 21 && sequence != 30 {
								require.ErrorIs(t, err, blockio.ErrCorrupt, "%d", sequence)
								lost++
							}
						}
						require.EqualValues(t, after.LostMessages, lost)
					}
					after.Durable, first.Durable = 0, 0
					require.Equal(t, first, after)
					require.NoError(t, s.Stop(context.Background()))
				}
				s = openToFail(t, config)
				require.Equal(t, before.LastSequence+1, mustStore(t, s, "a.b", "x").Sequence)
				require.NoError(t, s.Stop(context.Background()))
			})
		}
	}
}

// TestABlockThatAServerHasRemovedIsNotLost: it has gone on with the stream, removed a block with its last message, and was killed
// before it had written an index.db of its own, so that ours is still there.
func TestABlockThatAServerHasRemovedIsNotLost(t *testing.T) {
	mem := blocktest.NewMemFS()
	config := actors.Config{FS: mem, Dir: "data", Name: "ORDERS", BlockSize: 4 << 10, IndexFrom: 1 << 30, CompactBelow: -1}
	s := openToFail(t, config)
	for range 60 {
		mustStore(t, s, "a.b", string(make([]byte, 300)))
	}
	before := stateOf(t, s)
	require.NoError(t, s.Stop(context.Background()))
	blocks := blockio.NewBlocks(mem, filepath.Join("data", "ORDERS"), "ORDERS", blockio.BlocksOptions{})
	list, err := blocks.List()
	require.NoError(t, err)
	require.NoError(t, mem.Remove(filepath.Join("data", "ORDERS", "msgs", "millrace.end")))
	require.NoError(t, mem.Remove(blocks.Path(list[1].ID)))
	last := list[len(list)-1]
	data, err := blockio.ReadFile(mem, blocks.Path(last.ID), 1<<20)
	require.NoError(t, err)
	codec := blockio.NewRecordCodec("ORDERS", last.ID)
	require.NoError(t, blockio.ReplaceFile(mem, blocks.Path(last.ID), codec.AppendMessage(data, before.LastSequence+1, 1e18, "a.b", nil, nil)))

	s = openToFail(t, config)
	require.Zero(t, stateOf(t, s).LostMessages)
	require.Equal(t, before.LastSequence+1, stateOf(t, s).LastSequence)
	require.NoError(t, s.Stop(context.Background()))
}
