package actors_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestAScanTellsWhatWasLostBeforeAllBlocks: a lost range begins in a block that has gone since, and goes on in the first
// one that is there. A scan comes to its end in both directions, from wherever it begins, and tells of
// each sequence once.
func TestAScanTellsWhatWasLostBeforeAllBlocks(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, IndexFrom: -1, MaxMsgs: 1000} // without limits the block would stay, for what it has lost
	s := open(t, config)
	skip := func(n uint64) {
		_, err := s.Skip(t.Context(), 0, n)
		require.NoError(t, err)
	}
	for range 7 {
		mustStore(t, s, "orders", strings.Repeat("x", 300))
	}
	skip(3) // 8 to 10
	mustStore(t, s, "orders", "secret-11;"+strings.Repeat("x", 3000))
	skip(2) // 12 and 13
	for range 3 {
		mustStore(t, s, "orders", "x")
	}
	require.NoError(t, s.Stop(t.Context()))
	flip(t, blockPath(config, 2), "secret-11;")
	blocks := blockio.NewBlocks(blockio.OS, filepath.Join(config.Dir, config.Name), config.Name, blockio.BlocksOptions{})
	require.NoError(t, blocks.WriteLost([]blockio.LostRange{{Block: 1, First: 8, Last: 13, Bytes: 90}}))
	s = open(t, config)
	require.Equal(t, uint64(6), stateOf(t, s).LostMessages)
	mustRemove(t, s, 1, 2, 3, 4, 5, 6, 7)
	require.NoError(t, s.Flush(t.Context()))
	eventually(t, func() bool { _, err := os.Stat(blockPath(config, 1)); return errors.Is(err, os.ErrNotExist) })
	messages := []uint64{14, 15, 16}
	type span [2]uint64
	whole := []span{{8, 10}, {11, 13}} // before the blocks, and in the first of them
	for _, c := range []struct {
		name     string
		opts     []actors.ReadOption
		lost     []span
		messages []uint64
	}{
		{"all", nil, whole, messages},
		{"from the first lost one", []actors.ReadOption{actors.From(8)}, whole, messages},
		{"from within", []actors.ReadOption{actors.From(9)}, []span{{9, 10}, {11, 13}}, messages},
		{"from the first block", []actors.ReadOption{actors.From(12)}, []span{{12, 13}}, messages},
		{"from behind", []actors.ReadOption{actors.From(14)}, nil, messages},
		{"filtered", []actors.ReadOption{actors.Filter("orders")}, whole, messages},
		{"nothing selected", []actors.ReadOption{actors.Filter("absent")}, whole, nil},
		{"backward", []actors.ReadOption{actors.Reverse()}, []span{{11, 13}, {8, 10}}, []uint64{16, 15, 14}},
		{"backward from within", []actors.ReadOption{actors.Reverse(), actors.From(9)}, []span{{8, 9}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var told []span
			var got []uint64
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a scan that goes in circles ends with it
			defer cancel()
			for m, err := range s.Messages(ctx, c.opts...) {
				var damage *blockio.CorruptionError
				if errors.As(err, &damage) {
					told = append(told, span{damage.Sequence, damage.Last})
					continue
				}
				require.NoError(t, err)
				got = append(got, m.Sequence)
			}
			require.Equal(t, c.lost, told)
			require.Equal(t, c.messages, got)
		})
	}
}
