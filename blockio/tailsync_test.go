package blockio_test

import (
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestAFailedSyncIsToldToAllWhoSync: the system tells of it once, to one of those who sync a file. Here the first one is told when
// another one is there, too, who must not take the block for synced.
func TestAFailedSyncIsToldToAllWhoSync(t *testing.T) {
	for name, other := range map[string]func(b *blockio.Blocks) error{
		"a sync":    func(b *blockio.Blocks) error { return b.Sync(1) },
		"an append": func(b *blockio.Blocks) error { return b.Append(1, 4, [][]byte{[]byte("more")}, true) },
		"a seal":    func(b *blockio.Blocks) error { return b.Seal(1, 4) },
	} {
		t.Run(name, func(t *testing.T) {
			broken := errors.New("broken")
			begun, goOn := make(chan struct{}), make(chan struct{})
			var armed atomic.Bool
			files := blocktest.NewFaultFS(blocktest.NewMemFS())
			files.SetHook(func(op blocktest.Op) (fault blocktest.Fault) {
				if op.Kind == blocktest.OpSync && armed.CompareAndSwap(true, false) {
					fault.Err = broken
					fault.Wait = func() {
						close(begun)
						<-goOn
					}
				}
				return fault
			})
			require.NoError(t, files.MkdirAll("data/msgs"))
			b := blockio.NewBlocks(files, "data", "ORDERS", blockio.BlocksOptions{})
			require.NoError(t, b.Create(1))
			require.NoError(t, b.Append(1, 0, [][]byte{[]byte("some")}, false))
			armed.Store(true)
			first, second := make(chan error, 1), make(chan error, 1)
			go func() { first <- b.Sync(1) }()
			<-begun
			go func() { second <- other(b) }()
			for len(second) == 0 && !waitsForItsTurn() {
				runtime.Gosched()
			}
			close(goOn)
			require.ErrorIs(t, <-first, broken)
			require.ErrorIs(t, <-second, broken)
		})
	}
}

// waitsForItsTurn reports whether a goroutine waits until another one has synced the block.
func waitsForItsTurn() bool {
	all := make([]byte, 1<<20)
	for one := range strings.SplitSeq(string(all[:runtime.Stack(all, true)]), "\n\n") {
		if strings.Contains(one, ".syncTail(") && strings.Contains(one, "sync.(*Mutex).Lock") {
			return true
		}
	}
	return false
}
