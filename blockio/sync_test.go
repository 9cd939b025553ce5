package blockio_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestFailedSyncsSayThatTheyAre: each sync of a block or of the directory, and no other
// failure.
func TestFailedSyncsSayThatTheyAre(t *testing.T) {
	data := [][]byte{{1}}
	for name, do := range map[string]func(b *blockio.Blocks) error{
		"append":           func(b *blockio.Blocks) error { return b.Append(1, 2, data, true) },
		"sync":             func(b *blockio.Blocks) error { return b.Sync(1) },
		"seal":             func(b *blockio.Blocks) error { return b.Seal(1, 2) },
		"seal when closed": func(b *blockio.Blocks) error { return b.Seal(2, 1) },
		"truncate":         func(b *blockio.Blocks) error { return b.Truncate(1, 1) },
		"create":           func(b *blockio.Blocks) error { return b.Create(3) },
		"remove":           func(b *blockio.Blocks) error { return b.Remove(2) },
		"remove derived":   func(b *blockio.Blocks) error { return b.RemoveDerived("index.db") },
	} {
		t.Run(name, func(t *testing.T) {
			for _, syncs := range []bool{true, false} {
				fault := blocktest.NewFaultFS(blocktest.NewMemFS())
				b := blockio.NewBlocks(fault, "s", "S", blockio.BlocksOptions{})
				require.NoError(t, fault.MkdirAll(b.Dir()))
				index, err := fault.OpenFile(b.Dir()+"/index.db", blockio.ModeCreate)
				require.NoError(t, err)
				require.NoError(t, index.Close())
				for id := uint32(1); id <= 2; id++ {
					require.NoError(t, b.Create(id))
					require.NoError(t, b.Append(id, 0, data, true))
				}
				require.NoError(t, b.Seal(2, 1))
				require.NoError(t, b.Append(1, 1, data, false))
				fault.SetHook(func(op blocktest.Op) blocktest.Fault {
					if syncs == (op.Kind == blocktest.OpSync || op.Kind == blocktest.OpSyncDir) {
						return blocktest.Fault{Err: blocktest.ErrIO}
					}
					return blocktest.Fault{}
				})
				switch err := do(b); {
				case syncs:
					require.ErrorIs(t, err, blockio.ErrSync)
					require.ErrorIs(t, err, blocktest.ErrIO)
				case err != nil: // that of sync does nothing but sync, and that of seal cuts nothing here
					require.NotErrorIs(t, err, blockio.ErrSync)
				}
			}
		})
	}
}

// TestFailedSyncOfTheDirectoryIsFinal: the system tells one caller of it, whoever that is,
// and it may have been about the block of another.
func TestFailedSyncOfTheDirectoryIsFinal(t *testing.T) {
	fault := blocktest.NewFaultFS(blocktest.NewMemFS())
	b := blockio.NewBlocks(fault, "s", "S", blockio.BlocksOptions{})
	require.NoError(t, fault.MkdirAll(b.Dir()))
	require.NoError(t, b.Create(1))

	entered, release := make(chan struct{}), make(chan struct{})
	fault.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpSyncDir {
			return blocktest.Fault{Err: blocktest.ErrIO, Wait: func() { close(entered); <-release }}
		}
		return blocktest.Fault{}
	})
	removed, created := make(chan error), make(chan error)
	go func() { removed <- b.Remove(1) }()
	<-entered
	fault.SetHook(nil)
	go func() { created <- b.Create(2) }()
	close(release)
	require.ErrorIs(t, <-removed, blockio.ErrSync)
	require.ErrorIs(t, <-created, blockio.ErrSync)
	require.ErrorIs(t, b.Create(3), blockio.ErrBroken)
	require.NoError(t, b.Close())

	again := blockio.NewBlocks(fault, "s", "S", blockio.BlocksOptions{})
	require.NoError(t, again.Create(4))
	require.NoError(t, again.Close())
}
