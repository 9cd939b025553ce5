package engine_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// runCommits runs commits until there is nothing left but maintenance, which stays
// undone in s.work.
func (s *shell) runCommits() {
	for s.turn(); s.runCommit(); s.turn() {
	}
}

// hold takes work of a kind out of the list, to be done when the test says so.
func (s *shell) hold(t *testing.T, kind engine.WorkKind, block uint32) engine.Work {
	t.Helper()
	i := slices.IndexFunc(s.work, func(w engine.Work) bool { return w.Kind == kind && w.Block == block })
	require.GreaterOrEqual(t, i, 0, "there is no %v %d in %v", kind, block, s.work)
	w := s.work[i]
	s.work = slices.Delete(s.work, i, i+1)
	return w
}

// TestFailedRemovalIsTriedAgain: a file that cannot be removed is no reason to
// refuse writes; it goes when it can, and a stop does not wait for it.
func TestFailedRemovalIsTriedAgain(t *testing.T) {
	cfg := testConfig()
	cfg.BlockSize, cfg.Limits.MaxMsgs, cfg.IndexFrom = 200, 2, -1
	e := engine.New(cfg, engine.NewPublished(), 1e9)
	now := int64(1e9)
	var removals []uint32
	fault := errors.New("busy")
	turn := func() {
		for {
			ready := e.Ready()
			if ready.Commit == nil && len(ready.Maintenance) == 0 && !e.Opening() {
				return
			}
			if c := ready.Commit; c != nil {
				e.Done(engine.Done{ID: c.ID})
			}
			for _, w := range ready.Maintenance {
				require.Equal(t, engine.WorkRemove, w.Kind)
				removals = append(removals, w.Block)
				e.Done(engine.Done{ID: w.ID, Err: fault})
			}
		}
	}
	for range 10 {
		e.Step("store", store("a", 100).command)
		turn()
	}
	require.NoError(t, e.Failed())
	require.Equal(t, []uint32{1}, removals, "one attempt, and none of a younger block")
	at, ok := e.NextTick()
	require.True(t, ok)
	require.LessOrEqual(t, at, now+int64(time.Second))
	e.Tick(now + int64(time.Second))
	turn()
	require.Equal(t, []uint32{1, 1}, removals)
	fault = nil
	e.Tick(now + int64(2*time.Second))
	turn()
	require.Equal(t, []uint32{1, 1, 1, 2, 3}, removals[:5])
	fault = errors.New("busy")
	e.Step("store", store("a", 100).command)
	turn()
	e.Step("stop", &engine.Stop{})
	stopped := false
	for range 10 {
		ready := e.Ready()
		for _, r := range ready.Replies {
			stopped = stopped || r.Tag == "stop" && r.Err == nil
		}
		if ready.Commit != nil {
			e.Done(engine.Done{ID: ready.Commit.ID})
		}
	}
	require.True(t, stopped)
}

// TestABlockIsNotRemovedWhileItsIndexIsWritten, or the index would come to be after the
// block has gone. That of another block is no reason to wait.
func TestABlockIsNotRemovedWhileItsIndexIsWritten(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize, c.Limits.MaxMsgs = 200, 2 })
	s.tick(start)
	for range 2 { // a block each
		s.step(store("a", 100))
		s.runCommits()
	}
	index := s.hold(t, engine.WorkIndex, 1)
	s.step(store("a", 100))
	s.runCommits()
	require.Equal(t, uint64(2), s.pub.First(), "evicted")
	require.Empty(t, s.work, "the index of block 1 is being written")
	s.e.Done(engine.Done{ID: index.ID})
	s.runCommits()
	index = s.hold(t, engine.WorkIndex, 2)
	require.Equal(t, engine.WorkRemove, s.work[0].Kind)
	require.Equal(t, uint32(1), s.work[0].Block, "while the index of block 2 is being written")
	s.e.Done(engine.Done{ID: index.ID})
	s.settle()
	require.Equal(t, []uint32{2, 3}, s.disk.blocks())
}

// TestABlockIsRemovedWhileAnotherIndexIsWritten: see above; here the index was asked for
// first.
func TestABlockIsRemovedWhileAnotherIndexIsWritten(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize, c.Limits.MaxMsgs = 200, 3 })
	s.tick(start)
	s.must(t, store("a", 100), store("a", 100))
	s.step(store("a", 100))
	s.runCommits()
	index := s.hold(t, engine.WorkIndex, 2)
	s.step(store("a", 100))
	s.runCommits()
	s.hold(t, engine.WorkRemove, 1)
	require.Empty(t, s.work, "one index at a time")
	s.e.Done(engine.Done{ID: index.ID})
}
