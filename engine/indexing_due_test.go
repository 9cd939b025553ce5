package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// turningOver opens a stream of three messages a block that holds 20 messages, and counts the indexes.
func turningOver() (s *shell, indexes *int) {
	cfg := testConfig()
	cfg.BlockSize, cfg.Limits = 500, engine.Limits{MaxMsgs: 20}
	s = newShell(cfg, newDisk(), engine.NewPublished(), start)
	s.tick(start)
	indexes = new(int)
	s.trace = func(what string) {
		if _, kind, found := strings.Cut(what, ": "); found && strings.HasPrefix(kind, "index") {
			*indexes++
		}
	}
	return s, indexes
}

// storeSlowly stores messages, with a pause after each.
func (s *shell) storeSlowly(t *testing.T, n int, pause int64) {
	t.Helper()
	for range n {
		s.must(t, store("a", 69))
		s.tick(s.now + pause)
		s.settle()
	}
}

// TestBlocksThatGoSoonGetNoIndex, until they have been there for longer than those before them.
func TestBlocksThatGoSoonGetNoIndex(t *testing.T) {
	s, indexes := turningOver()
	s.storeSlowly(t, 24, millisecond) // until the first blocks go
	before := *indexes
	require.Positive(t, before, "nobody knows yet that they will go")
	s.storeSlowly(t, 100, millisecond)
	require.Equal(t, before, *indexes)
	require.NotZero(t, s.pub.Counts().Unindexed)
	until := s.now + 100*millisecond
	for s.pub.Counts().Unindexed > 0 {
		at, ok := s.e.NextTick()
		require.True(t, ok, "the indexes that are missing are waited with")
		require.LessOrEqual(t, at, until)
		s.tick(at)
		s.settle()
	}
	require.Equal(t, before+int(s.pub.Counts().Blocks)-1, *indexes, "one for each full block that is there")
}

// TestBlocksThatStayGetTheirIndexAtOnce: where they last for seconds readers are worth the work.
func TestBlocksThatStayGetTheirIndexAtOnce(t *testing.T) {
	s, indexes := turningOver()
	s.storeSlowly(t, 124, 100*millisecond)
	require.Equal(t, 123/3, *indexes)
}

// TestOneBlockThatOutlivesTheOthersEndsTheWait: it was a burst, and the next blocks have their index at once.
func TestOneBlockThatOutlivesTheOthersEndsTheWait(t *testing.T) {
	s, one := waitingForIndexes(t)
	stored := 0
	unique := func() { stored++; one(fmt.Sprint("stays ", stored), millisecond) }
	for range 4 {
		unique()
	}
	require.NotZero(t, s.pub.Counts().Unindexed)
	s.tick(s.now + second)
	s.settle()
	require.Zero(t, s.pub.Counts().Unindexed)
	for range 9 {
		unique()
		require.Zero(t, s.pub.Counts().Unindexed)
	}
}

// TestAClockThatGoesBackHoldsNoIndexUp: what waits for its index waits no longer for that.
func TestAClockThatGoesBackHoldsNoIndexUp(t *testing.T) {
	s, _ := turningOver()
	s.storeSlowly(t, 60, millisecond)
	require.NotZero(t, s.pub.Counts().Unindexed)
	s.tick(start - 3600*second)
	s.settle()
	for s.pub.Counts().Unindexed > 0 {
		at, ok := s.e.NextTick()
		require.True(t, ok)
		require.LessOrEqual(t, at, start-3600*second+100*millisecond)
		s.tick(at)
		s.settle()
	}
}

// waitingForIndexes is a stream of MaxMsgsPer 1 in which blocks went within 100 ms, so that later ones wait for as long.
func waitingForIndexes(t *testing.T) (s *shell, one func(subject string, pause int64)) {
	s, _ = turningOver()
	s.cfg.Limits = engine.Limits{MaxMsgsPer: 1}
	s.disk, s.pub = newDisk(), engine.NewPublished()
	s.recover(0, 0)
	s.tick(start)
	one = func(subject string, pause int64) {
		s.must(t, store(subject, 60))
		s.tick(s.now + pause)
		s.settle()
	}
	for i := range 30 {
		one(fmt.Sprint(i%6), 20*millisecond)
	}
	return s, one
}

// TestAnEmptiedBlockGoesBeforeItHasAnIndex, for which its memory stays.
func TestAnEmptiedBlockGoesBeforeItHasAnIndex(t *testing.T) {
	s, one := waitingForIndexes(t)
	for i := range 30 {
		one(fmt.Sprint(i%6), 20*millisecond)
		require.LessOrEqual(t, s.pub.Counts().Blocks, uint64(3))
	}
}
