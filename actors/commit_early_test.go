package actors

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestACommitBeginsWhileMoreIsStaged, if staging has taken as long as the last commit: on a disk that takes its time each
// sync more costs more than it gains. No time passes here while messages are staged.
func TestACommitBeginsWhileMoreIsStaged(t *testing.T) {
	const callers = 40
	for name, row := range map[string]struct {
		files  blockio.FS
		level  SyncLevel
		groups uint64
	}{
		"commits take no time": {blocktest.NewMemFS(), SyncAlways, 2},
		"writes take no time":  {blocktest.NewMemFS(), SyncInterval, 2},
		"commits take longer":  {slowDisk(5*time.Millisecond, 20*time.Millisecond), SyncAlways, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := Config{Dir: "data", Name: "ORDERS", FS: row.files, Sync: row.level, Runtime: NewRuntime(RuntimeConfig{})}
				s, err := Open(t.Context(), faultSystem, config)
				require.NoError(t, err)
				held, release := make(chan struct{}), make(chan struct{})
				first := s.Pipeline(1, func(PipelineResult) { // on the turn of the store actor, whose commit is over
					close(held)
					<-release
				})
				_, err = first.Store(t.Context(), "a", nil, []byte("x"))
				require.NoError(t, err)
				<-held
				before := s.Stats().Groups.Count
				var waiting sync.WaitGroup
				for range callers {
					waiting.Go(func() {
						_, err := s.StoreMsg(t.Context(), "a", nil, make([]byte, 16<<10))
						require.NoError(t, err)
					})
				}
				synctest.Wait()
				close(release)
				waiting.Wait()
				require.Equal(t, row.groups, s.Stats().Groups.Count-before)
				require.EqualValues(t, callers+1, s.published.Messages())
				require.NoError(t, s.Stop(context.Background()))
			})
		})
	}
}
