package actors_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
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

// believed returns what a nats-server would go by that opens the directory, nil for the blocks.
func believed(t *testing.T, fsys blockio.FS) *streamstate.Index {
	t.Helper()
	blocks := blockio.NewBlocks(fsys, filepath.Join("data", "ORDERS"), "ORDERS", blockio.BlocksOptions{})
	list, err := blocks.List()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	if truncation, err := blocks.ReadTruncation(); truncation != nil || err != nil {
		return nil // a server knows nothing of it, with index.db or without
	}
	file, err := blocks.ReadStateFile()
	require.NoError(t, err)
	x, err := streamstate.DecodeIndex("ORDERS", file)
	if err != nil || x.Check() != nil {
		return nil
	}
	there := make(map[uint32]bool)
	for _, b := range list {
		there[b.ID] = true
	}
	if len(list) == 0 || list[len(list)-1].ID != x.LastBlock {
		return nil
	}
	sum := make([]byte, 8)
	if size := list[len(list)-1].Size; size >= 8 {
		f, err := fsys.OpenFile(blocks.Path(x.LastBlock), blockio.ModeRead)
		require.NoError(t, err)
		_, err = f.ReadAt(sum, size-8)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	if string(sum) != string(x.LastSum[:]) {
		return nil
	}
	for i := range x.Blocks {
		require.True(t, x.Blocks[i].Messages() == 0 || there[x.Blocks[i].ID], "it would take the messages of block %d for lost", x.Blocks[i].ID)
	}
	return x
}

// agree holds what a server would go by against what there is.
func agree(t *testing.T, x *streamstate.Index, s actors.State, live []uint64, at string) {
	t.Helper()
	require.Equal(t, [...]uint64{s.Messages, s.Bytes, s.FirstSequence, s.LastSequence}, [...]uint64{x.Messages, x.Bytes, x.First, x.Last}, at)
	var has []uint64
	for i := range x.Blocks {
		for sequence := x.Blocks[i].First; sequence <= x.Blocks[i].Last; sequence++ {
			if x.Blocks[i].Live(sequence) {
				has = append(has, sequence)
			}
		}
	}
	require.Equal(t, live, has, at)
}

// TestCrashesOfTheStateLoop: a crash before any file operation while the state is written, and while the stream
// changes that it was written of, leaves all that was acknowledged; and no index.db that a nats-server would believe and
// that says something else.
func TestCrashesOfTheStateLoop(t *testing.T) {
	for _, level := range []actors.SyncLevel{actors.SyncAlways, actors.SyncInterval, actors.SyncNever} {
		for _, zeros := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v, zeros ahead %v", level, zeros), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { crashStateLoop(t, level, !zeros) })
			})
		}
	}
}

func crashStateLoop(t *testing.T, level actors.SyncLevel, noZeros bool) {
	config := actors.Config{
		Dir: "data", Name: "ORDERS", BlockSize: 4096, Sync: level, AllowMsgTTL: actors.On, NoPreallocation: noZeros, CompactBelow: 60, IndexFrom: 1,
	}
	mem := blocktest.NewMemFS()
	files := blocktest.NewFaultFS(mem)
	config.FS = files
	s := openToFail(t, config)
	ctx := context.Background()
	put := func(n int, ttl string) func() error {
		return func() error {
			batch := make([]actors.BatchMessage, n)
			for i := range batch {
				batch[i] = actors.BatchMessage{Subject: fmt.Sprint("s.", i%3), Payload: make([]byte, 350), Header: actors.Header{"Nats-TTL": {ttl}}}
			}
			_, err := s.StoreBatch(ctx, batch)
			return err
		}
	}
	pass := func(d time.Duration) func() error {
		return func() error { waitFor(d); return nil }
	}
	remove := func(sequence uint64) func() error {
		return func() error { _, err := s.RemoveMsg(ctx, sequence); return err }
	}
	steps := []func() error{
		put(12, "1h"), pass(3 * time.Minute), put(9, "3h"), pass(3 * time.Minute), remove(3), remove(12), pass(3 * time.Minute),
		func() error { _, err := s.PurgeEx(ctx, actors.Filter("s.1"), 0, 0); return err }, pass(time.Minute), put(6, "2h"), pass(3 * time.Minute),
		func() error { _, err := s.Compact(ctx, 6); return err }, pass(time.Minute),
		func() error { _, err := s.EraseMsg(ctx, 24); return err }, pass(3 * time.Minute),
		func() error { _, err := s.Truncate(ctx, 25); return err }, pass(time.Minute), put(3, "never"), pass(3 * time.Minute),
		func() error { _, err := s.Purge(ctx); return err }, pass(time.Minute), put(4, "1h"), pass(3 * time.Minute),
		func() error { return s.Stop(ctx) },
	}
	var step atomic.Int64
	images, stop := takeImages(files, mem, rand.New(rand.NewSource(3)), crashImage{steps: step.Load})
	states := [][]uint64{nil}
	for i, do := range steps {
		step.Store(int64(i))
		require.NoError(t, do(), "step %d", i)
		if i < len(steps)-1 {
			states = append(states, liveOf(t, s))
		}
	}
	stop()
	states = append(states, states[len(states)-1])
	beliefs := 0
	for _, image := range *images {
		x := believed(t, image.mem)
		config.FS = image.mem
		s := openToFail(t, config)
		state, live := stateOf(t, s), liveOf(t, s)
		if x != nil {
			beliefs++
			agree(t, x, state, live, fmt.Sprintf("step %d, %v, %v", image.step, image.op, image.mode))
		}
		if level != actors.SyncNever {
			require.Zero(t, state.LostMessages, "%v, %v", image.op, image.mode)
		}
		if level == actors.SyncAlways {
			before, after := states[image.step], states[image.step+1]
			if !slices.Equal(live, before) && !slices.Equal(live, after) {
				// What expires, and what a batch that began had stored, goes one by one.
				require.Subset(t, append(slices.Clone(before), after...), live, "step %d, %v, %v", image.step, image.op, image.mode)
			}
		}
		require.NoError(t, s.Stop(ctx))
		require.Equal(t, live, func() []uint64 {
			s := openToFail(t, config)
			defer func() { require.NoError(t, s.Stop(ctx)) }()
			return liveOf(t, s)
		}())
	}
	require.NotZero(t, beliefs)
	t.Logf("%d crashes, in %d of which a server would go by index.db", len(*images), beliefs)
}
