package blockio

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestASharedSyncCoversWhatEachHasMade: whoever has made something and asks for a sync then finds it synced when that returns,
// however many do so at a time; one sync is under way at a time, and they are fewer than those who ask.
func TestASharedSyncCoversWhatEachHasMade(t *testing.T) {
	const callers, each = 8, 200
	var made, synced [callers]atomic.Int64
	var under, all atomic.Int64
	syncs := &sharedSyncs{}
	syncs.syncDir = func(string) error {
		if under.Add(1) != 1 {
			t.Error("two syncs of a folder at a time")
		}
		defer under.Add(-1)
		all.Add(1)
		for i := range made { // what there was when the sync began
			synced[i].Store(made[i].Load())
		}
		runtime.Gosched() // others come meanwhile
		return nil
	}
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			for n := range int64(each) {
				made[i].Store(n + 1)
				if err := syncs.sync("data"); err != nil {
					t.Error(err)
				}
				if synced[i].Load() < n+1 {
					t.Error("a sync that had begun before")
					return
				}
			}
		})
	}
	group.Wait()
	require.Less(t, all.Load(), int64(callers*each))
	require.Empty(t, syncs.folders)
}
