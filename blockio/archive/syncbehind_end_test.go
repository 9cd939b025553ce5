package archive_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/archive"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/blockio/sealed"
)

// TestSumOfAConsumerIsOfWhatIsStored: meta.sum of a consumer is of its meta.inf as that is stored, encrypted.
func TestSumOfAConsumerIsOfWhatIsStored(t *testing.T) {
	data := archiveOf(t, plain(t))
	wrong := 0
	for range 50 {
		mem := blocktest.NewMemFS()
		destination := to(mem)
		destination.Encrypt = func(dir, stream string) (blockio.FS, error) {
			files := sealed.New(sealed.Options{FS: mem, Dir: dir, Stream: stream, Cipher: sealed.ChaCha20,
				Key: func(string) ([]byte, error) { return bytes.Repeat([]byte{1}, 32), nil }})
			if err := files.Look(); err != nil {
				return nil, err
			}
			return files, files.Prepare(t.Context())
		}
		_, err := archive.Unpack(t.Context(), bytes.NewReader(data), destination)
		require.NoError(t, err)
		tree := treeOf(t, mem, "data")
		stored := tree["ORDERS/obs/C/meta.inf"]
		require.NotEmpty(t, stored)
		if tree["ORDERS/obs/C/meta.sum"] != blockio.MetaSum(stream+"/C", []byte(stored)) {
			wrong++
		}
	}
	require.Zero(t, wrong, "of 50 restores")
}

// TestACancelledRestoreSyncsNothingMore: what waits is going to be removed.
func TestACancelledRestoreSyncsNothingMore(t *testing.T) {
	data := archiveOf(t, plain(t))
	mem := blocktest.NewMemFS()
	faulty := blocktest.NewFaultFS(mem)
	ctx, end := context.WithCancelCause(t.Context())
	over := errors.New("over")
	var syncs, after atomic.Int64
	gate := make(chan struct{})
	var cancelled atomic.Bool
	faulty.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpSync && filepath.Ext(op.Name) == ".blk" {
			if cancelled.Load() {
				after.Add(1)
			}
			syncs.Add(1)
			return blocktest.Fault{Wait: func() { <-gate }}
		}
		return blocktest.Fault{}
	})
	destination := to(faulty)
	n := 0
	destination.Progress = func(int64) {
		if n++; n == 4 { // meta.inf, meta.sum, 1.blk, 3.blk
			cancelled.Store(true)
			end(over)
			close(gate)
		}
	}
	_, err := archive.Unpack(ctx, bytes.NewReader(data), destination)
	require.ErrorIs(t, err, over)
	require.Zero(t, after.Load(), "blocks that are synced after the cancel, only to be removed")
}
