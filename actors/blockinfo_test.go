package actors_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestBlocksSayWhatTheFilesHold: what is live in each block, what is dead, and what the files take.
func TestBlocksSayWhatTheFilesHold(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 8 << 10, IndexFrom: 1, CompactBelow: -1}
	s := open(t, config)
	for i := range 500 {
		_, err := s.StoreMsg(t.Context(), fmt.Sprint("orders.", i%10), nil, []byte(strings.Repeat("x", 50)))
		require.NoError(t, err)
	}
	for _, sequence := range []uint64{1, 2, 3, 60, 500} {
		_, err := s.RemoveMsg(t.Context(), sequence)
		require.NoError(t, err)
	}
	eventually(t, func() bool { return s.Stats().Unindexed == 0 })
	check := func(s *actors.Store, compressed bool) {
		state, err := s.FastState(t.Context())
		require.NoError(t, err)
		var messages uint64
		var live int64
		var last actors.BlockInfo
		for info, err := range s.Blocks(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, last.ID+1, info.ID)
			require.True(t, last.ID == 0 || last.Full)
			require.Greater(t, info.First, last.Last)
			require.Zero(t, info.Damage)
			require.LessOrEqual(t, info.Live, info.Size)
			require.Equal(t, info.Full, info.Index > 0)
			require.Equal(t, compressed && info.Full, info.Compressed)
			stat, err := os.Stat(filepath.Join(config.Dir, "ORDERS", "msgs", fmt.Sprint(info.ID, ".blk")))
			require.NoError(t, err)
			require.Equal(t, stat.Size(), info.Disk)
			require.Equal(t, !info.Compressed, info.Disk >= info.Size, "%+v", info)
			messages, live, last = messages+info.Messages, live+info.Live, info
		}
		require.False(t, last.Full)
		require.Greater(t, last.ID, uint32(4))
		require.Equal(t, state.Messages, messages)
		require.EqualValues(t, state.Bytes, live)
		require.EqualValues(t, 499, last.Last)
		for info, err := range s.Blocks(t.Context()) {
			require.NoError(t, err)
			require.EqualValues(t, 4, info.First, "of the first one: the loop may be left")
			break
		}
	}
	check(s, false)
	require.NoError(t, s.Stop(t.Context()))
	config.Compression = actors.On
	files, release := blocktest.NewFaultFS(blockio.OS), make(chan struct{})
	files.SetHook(func(op blocktest.Op) (none blocktest.Fault) {
		if op.Kind == blocktest.OpRename && strings.Contains(op.Name, ".blk") {
			return blocktest.Fault{Wait: func() { <-release }}
		}
		return none
	})
	config.FS = files
	s = open(t, config)
	require.NotZero(t, s.Stats().Uncompacted, "they wait to be compressed")
	close(release)
	eventually(t, func() bool { return s.Stats().Uncompacted == 0 && s.Stats().Unindexed == 0 })
	check(s, true)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	for _, err := range s.Blocks(ctx) {
		require.ErrorContains(t, err, "enough")
	}
	require.NoError(t, s.Stop(t.Context()))
	for _, err := range s.Blocks(t.Context()) {
		require.ErrorIs(t, err, actors.ErrStopped)
	}
}

// TestBlocksCountDamage, and go on behind it.
func TestBlocksCountDamage(t *testing.T) {
	mem := blocktest.NewMemFS()
	config := actors.Config{Dir: "data", Name: "ORDERS", BlockSize: 4 << 10, FS: mem}
	s := open(t, config)
	for i := range 500 {
		_, err := s.StoreMsg(t.Context(), fmt.Sprint("orders.", i%10), nil, []byte(strings.Repeat("x", 50)))
		require.NoError(t, err)
	}
	require.NoError(t, s.Stop(t.Context()))
	f, err := mem.OpenFile("data/ORDERS/msgs/2.blk", blockio.ModeReadWrite)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{0xff}, 300)
	require.NoError(t, errors.Join(err, f.Close()))
	config.ReadOnly = true
	s = open(t, config)
	damaged, blocks := 0, 0
	for info, err := range s.Blocks(t.Context()) {
		require.NoError(t, err)
		if blocks++; info.ID == 2 {
			damaged = info.Damage
		} else {
			require.Zero(t, info.Damage)
		}
	}
	require.Equal(t, 1, damaged)
	require.Greater(t, blocks, 3)
}

// Blocks shows what the files of a stream hold.
func ExampleStore_Blocks() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()
	for i := range 4 {
		if _, err := store.StoreMsg(ctx, "orders.new", nil, []byte(fmt.Sprint("order ", i))); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := store.RemoveMsg(ctx, 2); err != nil {
		log.Fatal(err)
	}
	for block, err := range store.Blocks(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("block %d: %d messages from %d to %d, %d bytes\n", block.ID, block.Messages, block.First, block.Last, block.Live)
	}
	// Output:
	// block 1: 3 messages from 1 to 4, 141 bytes
}
