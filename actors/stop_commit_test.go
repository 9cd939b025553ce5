package actors

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors/internal/mailbox"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestACommitThatEndsWhileTheStoreIsStopped: its completion reaches the store actor behind the word that it is being
// stopped. What SyncNever has acknowledged since that commit began is written all the same.
func TestACommitThatEndsWhileTheStoreIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := blocktest.NewFaultFS(blocktest.NewMemFS())
		disk, turn := make(chan struct{}), make(chan struct{})
		var slow, busy atomic.Bool
		shared := NewRuntime(RuntimeConfig{})
		shared.plant = func(message any) {
			if _, is := message.(*mailbox.Batch); is && busy.CompareAndSwap(true, false) {
				<-turn
			}
		}
		config := Config{Dir: "data", Name: "ORDERS", FS: files, Runtime: shared, Sync: SyncNever}
		s, err := Open(t.Context(), faultSystem, config)
		require.NoError(t, err)
		files.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind != blocktest.OpWrite || filepath.Ext(op.Name) != ".blk" || !slow.CompareAndSwap(true, false) {
				return blocktest.Fault{}
			}
			return blocktest.Fault{Wait: func() { <-disk }}
		})
		slow.Store(true)
		for range 3 { // the first is being written, and the others wait for it
			_, err = s.StoreMsg(t.Context(), "a", nil, []byte("x"))
			require.NoError(t, err)
			<-time.After(time.Second) // longer than SyncNever waits for more to write
		}
		require.False(t, slow.Load(), "the disk holds the first commit")
		busy.Store(true)
		faultSystem.Root.Send(s.PID(), &StateRequest{})
		synctest.Wait()
		require.False(t, busy.Load(), "the store actor is busy")
		close(disk)
		faultSystem.Root.Stop(s.PID())
		synctest.Wait()
		close(turn)
		<-s.gone
		s, err = Open(t.Context(), faultSystem, config)
		require.NoError(t, err)
		state, err := s.FastState(t.Context())
		require.NoError(t, err)
		require.Equal(t, uint64(3), state.Messages)
		require.Zero(t, state.LostMessages)
		require.NoError(t, s.Stop(t.Context()))
	})
}
