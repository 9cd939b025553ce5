package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestTheLastSealWaitsForTheSyncThatIsOut: the seal closes the file, which the sync of the
// other lane still uses.
func TestTheLastSealWaitsForTheSyncThatIsOut(t *testing.T) {
	s := open(func(c *engine.Config) { c.Level = engine.SyncInterval })
	s.must(t, store("a", 0))
	s.tick(start + second)
	s.turn()
	sync := s.hold(t, engine.WorkSync, 1)
	s.step(store("a", 0))
	s.runCommits()
	require.Equal(t, uint64(2), s.pub.Last(), "a sync that is out keeps nobody from writing")
	s.step(sent{"stop", &engine.Stop{}})
	s.turn()
	require.Nil(t, s.commit, "sealed and closed while it is being synced")
	s.e.Done(engine.Done{ID: sync.ID})
	s.turn()
	require.NotNil(t, s.commit)
	require.Equal(t, engine.OpSeal, s.commit.Ops[len(s.commit.Ops)-1].Kind)
	s.settle()
	require.Equal(t, "stop", s.replies[len(s.replies)-1].Tag)
	require.NoError(t, s.replies[len(s.replies)-1].Err)
	require.Equal(t, uint64(2), s.pub.Durable())
}
