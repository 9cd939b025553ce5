package engine_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

func bytesOf(n int) engine.Message { return engine.Message{Subject: "a", Payload: make([]byte, n)} }

func storeOf(n int) sent { return sent{"store", &engine.Store{Message: bytesOf(n)}} }

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
		e.Step("store", storeOf(100).command)
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
	e.Step("store", storeOf(100).command)
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

// TestRecoveryNeverShowsWhatWasGone: what readers have seen removed stays so when
// another engine takes over, and is not counted as removed again.
func TestRecoveryNeverShowsWhatWasGone(t *testing.T) {
	cfg := testConfig()
	cfg.BlockSize = 300
	d := newDisk()
	s := newShell(cfg, d, engine.NewPublished(), 1e9)
	for range 10 {
		s.must(t, storeOf(100))
	}
	s.removeBelow = 6
	s.recover(0, 0)
	state := s.pub.State()
	require.Equal(t, uint64(6), state.FirstSequence)
	require.Equal(t, uint64(5), state.Messages)
	require.Zero(t, s.pub.Counts().RemovedMsgs)
}

// TestTimesDoNotGoBackAcrossARestart unless the last message came from far ahead.
func TestTimesDoNotGoBackAcrossARestart(t *testing.T) {
	for _, row := range []struct {
		name  string
		ahead time.Duration
		keeps bool
	}{{"an hour", time.Hour, true}, {"a year", 365 * 24 * time.Hour, false}} {
		t.Run(row.name, func(t *testing.T) {
			const now = int64(1_700_000_000e9)
			s := newShell(testConfig(), newDisk(), engine.NewPublished(), now)
			raw := &engine.StoreRaw{Message: bytesOf(1), Time: now + int64(row.ahead)}
			s.must(t, sent{"raw", raw})
			s.reopen()
			reply := s.must(t, storeOf(1))[0]
			if row.keeps {
				require.Equal(t, raw.Time, reply.Time)
			} else {
				require.Equal(t, now, reply.Time)
			}
		})
	}
}

// TestShortOfMemoryTheTailIsTrimmed: written chunks of the tail go when the
// process holds too many, also while the next group is being gathered, and
// readers are told.
func TestShortOfMemoryTheTailIsTrimmed(t *testing.T) {
	pool := &buffers{tight: true}
	cfg := testConfig()
	cfg.BlockSize, cfg.Buffers = 8<<20, pool
	s := newShell(cfg, newDisk(), engine.NewPublished(), 1e9)
	for range 70 {
		s.must(t, storeOf(100_000))
	}
	require.LessOrEqual(t, pool.lent, 2)
	tail := s.pub.View().Find(1).Tail
	offset, size, found, known := tail.Locate(1)
	require.True(t, found && known)
	require.Nil(t, tail.Bytes(offset, size), "trimmed")
	offset, size, _, _ = tail.Locate(70)
	require.NotNil(t, tail.Bytes(offset, size), "the last one is in memory")
	for sequence := range uint64(70) {
		_, ok := s.read(sequence + 1)
		require.True(t, ok)
	}
	pool.tight = false
	s.e.Abort(errors.New("test"))
	s.e.Release()
	require.Zero(t, pool.lent, "all came back")
}

// TestBlocksOfSkipsAreNotHeld: they get no index that their memory would wait for.
func TestBlocksOfSkipsAreNotHeld(t *testing.T) {
	cfg := testConfig()
	cfg.IndexFrom = 100
	e := engine.New(cfg, engine.NewPublished(), start)
	run := func() {
		for ready := e.Ready(); ready.Commit != nil || len(ready.Maintenance) > 0; ready = e.Ready() {
			work := ready.Maintenance
			if ready.Commit != nil {
				e.Done(engine.Done{ID: ready.Commit.ID})
			}
			for _, w := range work {
				e.Done(engine.Done{ID: w.ID})
			}
		}
	}
	e.Tick(start)
	run()
	for range 500 {
		e.Step(nil, &engine.Skip{Count: 1})
		run()
	}
	e.Tick(start + 60*second)
	run()
	require.Zero(t, e.MemoryBlocks())
}
