package actors_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestTheLastBlockIsReadFromMemoryAfterAnOpening: loads of what was there before make no system call each, also while the
// block takes more records, when it is full, and when it is cut.
func TestTheLastBlockIsReadFromMemoryAfterAnOpening(t *testing.T) {
	const before = 200
	ctx := t.Context()
	fs := blocktest.NewFaultFS(blockio.OS)
	fs.AllowMapping()
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", FS: fs, Sync: actors.SyncNever, BlockSize: 64 << 10}
	payload := func(i int) []byte { return fmt.Appendf(nil, "%0100d", i) }
	s, err := actors.Open(ctx, quiet, config)
	require.NoError(t, err)
	storeMany := func(from, to int) {
		for i := from; i <= to; i++ {
			_, err := s.StoreMsg(ctx, "a", nil, payload(i))
			require.NoError(t, err)
		}
	}
	storeMany(1, before)
	require.NoError(t, s.Stop(ctx))
	s, err = actors.Open(ctx, quiet, config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.WithoutCancel(ctx)) })

	var into actors.MessageBuffer
	loadAll := func(to int) {
		for i := 1; i <= to; i++ {
			require.NoError(t, s.LoadMsgInto(ctx, uint64(i), &into))
			require.Equal(t, payload(i), into.Payload)
		}
	}
	loadAll(1)
	reads := fs.CountOf(blocktest.OpRead)
	loadAll(before)
	storeMany(before+1, before+100)
	loadAll(before)
	require.Equal(t, reads, fs.CountOf(blocktest.OpRead))

	storeMany(before+101, 2000) // the block is full, and its file cut behind its records
	loadAll(2000)
	_, err = s.Truncate(ctx, before/2) // the file is cut within what was mapped
	require.NoError(t, err)
	loadAll(before / 2)
	require.ErrorIs(t, s.LoadMsgInto(ctx, before/2+1, &into), actors.ErrEOF)
}
