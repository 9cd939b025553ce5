package actors_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestLoadsIntoTheCallersBytes give what the others do, of each kind, by handle and by PID, in the buffer's own memory.
func TestLoadsIntoTheCallersBytes(t *testing.T) {
	s := open(t, actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4 << 10, IndexFrom: 1})
	c := newClient(t, 10)
	for i := range 40 {
		_, err := s.StoreMsg(t.Context(), fmt.Sprint("s.", i%5), actors.Header{"N": {fmt.Sprint(i)}}, make([]byte, 400-i))
		require.NoError(t, err)
	}
	_, err := s.RemoveMsg(t.Context(), 7)
	require.NoError(t, err)
	ctx := t.Context()
	var into actors.MessageBuffer
	require.NoError(t, s.LoadMsgInto(ctx, 1, &into)) // the largest: the buffer need not grow any more
	memory := unsafe.StringData(into.Subject)
	check := func(want actors.Message, wantErr, err error) {
		t.Helper()
		require.Equal(t, wantErr == nil, err == nil)
		require.Equal(t, want, into.Message)
		if err == nil {
			require.Same(t, memory, unsafe.StringData(into.Subject))
		}
	}
	filters := actors.Filter("s.1", "s.3")
	for start := range uint64(43) {
		want, wantErr := s.LoadMsg(ctx, start)
		check(want, wantErr, s.LoadMsgInto(ctx, start, &into))
		load := c.ask(t, s, &actors.LoadRequest{Sequence: start, Into: &into}).(*actors.LoadReply)
		check(load.Message, wantErr, load.Err)

		want, wantSkip, wantErr := s.LoadNextMsg(ctx, start, filters)
		skip, err := s.LoadNextMsgInto(ctx, start, &into, filters)
		check(want, wantErr, err)
		require.Equal(t, wantSkip, skip)
		next := c.ask(t, s, &actors.LoadNextRequest{Start: start, Filters: []actors.Filters{filters}, Into: &into}).(*actors.LoadNextReply)
		check(next.Message, wantErr, next.Err)
		require.Equal(t, wantSkip, next.Skip)

		want, wantSkip, wantErr = s.LoadPrevMsg(ctx, start, filters)
		skip, err = s.LoadPrevMsgInto(ctx, start, &into, filters)
		check(want, wantErr, err)
		require.Equal(t, wantSkip, skip)
		next = c.ask(t, s, &actors.LoadNextRequest{Start: start, Filters: []actors.Filters{filters}, Reverse: true, Into: &into}).(*actors.LoadNextReply)
		check(next.Message, wantErr, next.Err)
		require.Equal(t, wantSkip, next.Skip)
	}
	for _, filters := range []actors.Filters{actors.Literal("s.2"), actors.Filter("s.*"), actors.Filter("none")} {
		want, wantErr := s.LoadLastMsg(ctx, filters)
		check(want, wantErr, s.LoadLastMsgInto(ctx, &into, filters))
		last := c.ask(t, s, &actors.LoadLastRequest{Filters: []actors.Filters{filters}, Into: &into}).(*actors.LoadReply)
		check(last.Message, wantErr, last.Err)
	}
	require.NoError(t, s.Stop(ctx))
	require.ErrorIs(t, s.LoadLastMsgInto(ctx, &into), actors.ErrStopped)
	require.Zero(t, into.Message)
}

// TestWhatWasLostIsNamed: the sequences and their bytes, when a reader has come by the damage, by handle and by PID, and
// after the stream was opened again.
func TestWhatWasLostIsNamed(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4 << 10, IndexFrom: 1}
	s := open(t, config)
	for i := range 40 {
		mustStore(t, s, "a", fmt.Sprintf("secret-%d;%0340d", i+1, 0))
	}
	lost := func() []actors.LostRange {
		t.Helper()
		list, err := s.Lost(t.Context())
		require.NoError(t, err)
		return list
	}
	require.Empty(t, lost())
	require.NoError(t, s.Stop(t.Context()))
	for _, sequence := range []int{3, 4, 15} {
		for block := 1; block < 9; block++ {
			if data, err := os.ReadFile(blockPath(config, block)); err == nil && bytes.Contains(data, fmt.Appendf(nil, "secret-%d;", sequence)) {
				flip(t, blockPath(config, block), fmt.Sprintf("secret-%d;", sequence))
			}
		}
	}
	s = open(t, config)
	for range s.Messages(t.Context()) { // the reader comes by it
	}
	eventually(t, func() bool { return stateOf(t, s).LostMessages == 3 })
	for _, when := range []string{"found", "reopened"} {
		list := lost()
		var ranges []actors.SequenceRange
		sum := uint64(0)
		for _, r := range list {
			ranges = append(ranges, r.SequenceRange)
			sum += r.Bytes
			require.NotZero(t, r.Block)
		}
		require.Equal(t, []uint64{3, 4, 15}, slices.Collect(actors.Sequences(ranges)), when)
		require.Equal(t, stateOf(t, s).LostBytes, sum, when)
		c := newClient(t, 10)
		reply := c.ask(t, s, &actors.LostRequest{Tag: 1}).(*actors.LostReply)
		require.Equal(t, &actors.LostReply{Ranges: list, Tag: 1}, reply)
		page := c.ask(t, s, &actors.LostRequest{From: 4, Max: 1}).(*actors.LostReply)
		require.Equal(t, uint64(4), page.Ranges[0].First)
		require.Len(t, page.Ranges, 1)
		require.Equal(t, uint64(15), page.Next)
		page = c.ask(t, s, &actors.LostRequest{From: page.Next, Max: 1}).(*actors.LostReply)
		require.Equal(t, uint64(15), page.Ranges[0].First)
		require.Zero(t, page.Next)
		require.NoError(t, s.Stop(t.Context()))
		require.Equal(t, list, lost(), "of a stopped store")
		s = open(t, config)
	}
	require.NoError(t, s.Stop(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Lost(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// TestDiskUsageLeavesOutZerosAhead, while the stream is written to, and when it is stopped: then there are none, and the
// sum is that of the files.
func TestDiskUsageLeavesOutZerosAhead(t *testing.T) {
	for _, plain := range []bool{true, false} {
		atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
			config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", Sync: level, BlockSize: 1 << 20, NoPreallocation: plain, IndexFrom: 1}
			s := open(t, config)
			c := newClient(t, 10)
			usage := func() actors.DiskUsage {
				t.Helper()
				u, err := s.DiskUsage(t.Context())
				require.NoError(t, err)
				return u
			}
			u := usage()
			require.Zero(t, u.Blocks+u.ZerosAhead+u.Indexes)
			require.NotZero(t, u.Other)
			for range 300 {
				mustStore(t, s, "a", string(make([]byte, 100)))
			}
			require.NoError(t, s.Flush(t.Context()))
			u = usage()
			require.InDelta(t, 300*(131+30), u.Blocks, 300*31, "the records and their marks")
			require.Equal(t, plain || level != actors.SyncAlways && u.ZerosAhead == 0, u.ZerosAhead == 0)
			info, err := os.Stat(blockPath(config, 1))
			require.NoError(t, err)
			require.Equal(t, uint64(info.Size()), u.Blocks+u.ZerosAhead)
			reply := c.ask(t, s, &actors.DiskUsageRequest{Tag: 1}).(*actors.DiskUsageReply)
			require.Equal(t, &actors.DiskUsageReply{Usage: u, Tag: 1}, reply)
			require.NoError(t, s.Stop(t.Context()))
			u = usage()
			require.Zero(t, u.ZerosAhead)
			sum := uint64(0)
			require.NoError(t, filepath.WalkDir(filepath.Join(config.Dir, config.Name), func(_ string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					info, err := d.Info()
					if err != nil {
						return err
					}
					sum += uint64(info.Size())
				}
				return err
			}))
			require.Equal(t, sum, u.Total())
		})
	}
	faults := blocktest.NewFaultFS(blocktest.NewMemFS())
	s := open(t, named(faults, actors.SyncAlways))
	faults.SetHook(blocktest.FailFrom(0, blocktest.ErrIO, blocktest.OpReadDir))
	_, err := s.DiskUsage(t.Context())
	require.ErrorIs(t, err, blocktest.ErrIO)
	faults.SetHook(nil)
	require.NoError(t, s.Stop(t.Context()))
}
