package actors_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// farAway are the ways in which a stream comes to have very many sequences without messages.
var farAway = []struct {
	name    string
	config  func(*actors.Config, uint64)
	do      func(context.Context, *actors.Store, uint64) error
	behind  bool // a message is stored behind them
	deleted bool // some of them are between two messages
}{
	{name: "compaction", do: func(ctx context.Context, s *actors.Store, far uint64) error {
		_, err := s.Compact(ctx, far)
		return err
	}},
	{name: "compaction, and a message", behind: true, do: func(ctx context.Context, s *actors.Store, far uint64) error {
		_, err := s.Compact(ctx, far)
		return err
	}},
	{name: "purge up to a sequence", behind: true, do: func(ctx context.Context, s *actors.Store, far uint64) error {
		_, err := s.PurgeEx(ctx, actors.Filter(">"), far, 0)
		return err
	}},
	{name: "first sequence", behind: true, config: func(c *actors.Config, far uint64) { c.FirstSequence = far }},
	{name: "skip", deleted: true, do: func(ctx context.Context, s *actors.Store, far uint64) error {
		_, err := s.Skip(ctx, 0, far)
		return err
	}},
	{name: "skip between messages", behind: true, deleted: true, do: func(ctx context.Context, s *actors.Store, far uint64) error {
		_, err := s.Skip(ctx, 0, far)
		return err
	}},
	{name: "skips behind a message that was removed", behind: true, deleted: true, do: func(ctx context.Context, s *actors.Store, far uint64) error {
		if _, err := s.RemoveMsg(ctx, 10); err != nil {
			return err
		}
		for range 3 {
			if _, err := s.Skip(ctx, 0, far/3); err != nil {
				return err
			}
		}
		return nil
	}},
	{name: "messages that another copy has not", behind: true, deleted: true, do: func(ctx context.Context, s *actors.Store, far uint64) error {
		if _, err := s.Skip(ctx, 0, far); err != nil {
			return err
		}
		_, err := s.SyncDeleted(ctx, []actors.SequenceRange{{First: 3, Last: 5}, {First: 9, Last: 2 * far}})
		return err
	}},
}

// TestTheStateOfAStreamThatGoesFar: index.db is written at the stop whatever sequences have no message, is as short as
// that of any other small stream, and the next opening goes on from it.
func TestTheStateOfAStreamThatGoesFar(t *testing.T) {
	for _, row := range farAway {
		for _, far := range []uint64{99_999_999, 1 << 40} {
			t.Run(fmt.Sprint(row.name, "/", far), func(t *testing.T) {
				config := inMemory()
				config.Name, config.IndexFrom = "ORDERS", 1
				if row.config != nil {
					row.config(&config, far)
				}
				s := open(t, config)
				for range 10 {
					mustStore(t, s, "a", "x")
				}
				if row.do != nil {
					require.NoError(t, row.do(t.Context(), s, far))
				}
				if row.behind {
					mustStore(t, s, "b", "y")
				}
				atRest(t, s)
				before, live := stateOf(t, s), liveOf(t, s)
				require.GreaterOrEqual(t, before.LastSequence, far-1)
				require.Equal(t, row.deleted, before.Deleted >= far-11)
				costs(t, "stop", mostForSkips, func() { require.NoError(t, s.Stop(t.Context())) })
				checkState(t, config, before)
				written := indexFile(t, config)
				require.Less(t, len(written), 4<<10)

				var text bytes.Buffer
				config.Logger = slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
				costs(t, "opening", 4*mostForSkips, func() { s = open(t, config) })
				require.NotContains(t, text.String(), "are read without")
				require.Equal(t, before, stateOf(t, s))
				require.Equal(t, live, liveOf(t, s))
				atRest(t, s)
				require.NoError(t, s.Stop(t.Context()))
				require.Equal(t, written, indexFile(t, config))

				forgetState(t, config)
				s = open(t, config)
				require.Equal(t, before, stateOf(t, s), "from the blocks")
				require.Equal(t, live, liveOf(t, s), "from the blocks")
			})
		}
	}
}

// atRest waits until no block is to be written anew or indexed: a stop does not wait for that, and what index.db says of
// a block depends on whether it was.
func atRest(t *testing.T, s *actors.Store) {
	t.Helper()
	eventually(t, func() bool { return s.Stats().Uncompacted == 0 && s.Stats().Unindexed == 0 })
}
