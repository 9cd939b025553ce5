package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
)

// syncOf is a SyncDeleted of the ranges between pairs of sequences.
func syncOf(ends ...uint64) sent {
	c := &engine.SyncDeleted{}
	for i := 0; i < len(ends); i += 2 {
		c.Ranges = append(c.Ranges, engine.SequenceRange{First: ends[i], Last: ends[i+1]})
	}
	return sent{"sync", c}
}

const far = uint64(1) << 61

// TestSyncDeletedRows: what goes of the messages 3 to 14, in blocks of four, of which 6 and 7 are removed.
func TestSyncDeletedRows(t *testing.T) {
	all := []uint64{3, 4, 5, 8, 9, 10, 11, 12, 13, 14}
	for _, row := range []struct {
		name string
		do   sent
		left []uint64
	}{
		{"nothing", syncOf(), all},
		{"a range before the first", syncOf(0, 2), all},
		{"a range behind the last", syncOf(15, far), all},
		{"what is removed already", syncOf(6, 7), all},
		{"a range that ends before it begins", syncOf(9, 8), all},
		{"one message", syncOf(9, 9), []uint64{3, 4, 5, 8, 10, 11, 12, 13, 14}},
		{"head", syncOf(0, 9), []uint64{10, 11, 12, 13, 14}},
		{"head to the end of a block", syncOf(1, 10), []uint64{11, 12, 13, 14}},
		{"head within the first block", syncOf(3, 3), all[1:]},
		{"head over a gap that is not named", syncOf(3, 5, 8, 9), []uint64{10, 11, 12, 13, 14}},
		{"middle", syncOf(5, 11), []uint64{3, 4, 12, 13, 14}},
		{"blocks in the middle", syncOf(5, 10), []uint64{3, 4, 11, 12, 13, 14}},
		{"tail", syncOf(12, 14), []uint64{3, 4, 5, 8, 9, 10, 11}},
		{"tail and beyond", syncOf(12, far), []uint64{3, 4, 5, 8, 9, 10, 11}},
		{"head and tail", syncOf(0, 8, 13, far), []uint64{9, 10, 11, 12}},
		{"all", syncOf(3, 14), nil},
		{"all and more", syncOf(0, far), nil},
		{"all in pieces", syncOf(3, 5, 8, 12, 13, 14), nil},
		{"all but the last", syncOf(0, 13), []uint64{14}},
		{"every other one", syncOf(3, 3, 5, 5, 9, 9, 11, 11, 13, 13), []uint64{4, 8, 10, 12, 14}},
		{"out of order and overlapping", syncOf(13, 13, 9, 12, 3, 3, 8, 10), []uint64{4, 5, 14}},
		{"the same twice", syncOf(9, 9, 9, 9), []uint64{3, 4, 5, 8, 10, 11, 12, 13, 14}},
	} {
		for _, level := range []engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever} {
			t.Run(fmt.Sprintf("%s/%d", row.name, level), func(t *testing.T) {
				s := open(func(c *engine.Config) { c.BlockSize, c.Level, c.FirstSequence = 400, level, 3 })
				for range 12 {
					s.must(t, store("a", 30))
				}
				s.must(t, sent{6, &engine.Remove{Sequence: 6}}, sent{7, &engine.Remove{Sequence: 7}})
				lastTime := s.pub.State().LastTime
				r := s.must(t, row.do)
				require.Len(t, r, 1)
				require.Equal(t, len(all)-len(row.left), r[0].Count)
				require.Equal(t, uint64(14), r[0].Sequence)
				for range 2 {
					state := s.pub.State()
					require.Equal(t, row.left, s.live())
					require.Equal(t, uint64(len(row.left)), state.Messages)
					require.Equal(t, uint64(14), state.LastSequence)
					require.Equal(t, lastTime, state.LastTime)
					require.Equal(t, append(slices.Clone(row.left), 15)[0], state.FirstSequence)
					s.reopen()
				}
				r = s.must(t, row.do)
				require.Zero(t, r[0].Count, "the same again")
				require.Equal(t, uint64(15), s.must(t, store("a", 30))[0].Sequence)
			})
		}
	}
}

// TestSyncDeletedOfStreamsWithoutMessages removes nothing, and does not move anything.
func TestSyncDeletedOfStreamsWithoutMessages(t *testing.T) {
	for _, before := range [][]sent{nil, {skip(0, 5)}, {store("a", 0), {"purge", &engine.Purge{}}}} {
		s := open(func(*engine.Config) {})
		s.must(t, before...)
		want := s.pub.State()
		r := s.must(t, syncOf(0, far))
		require.Zero(t, r[0].Count)
		require.Equal(t, want, s.pub.State())
	}
}

// TestSyncDeletedInSteps: what is more than one group is to have goes in several, each of which may be all that a
// crash leaves; the command is answered after the last one, and those behind it wait.
func TestSyncDeletedInSteps(t *testing.T) {
	defer engine.SetSyncStep(3, 4)()
	for _, level := range []engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever} {
		s := open(func(c *engine.Config) { c.BlockSize, c.Level = 120, level })
		for range 21 {
			s.must(t, store("a", 30))
		}
		s.listen()
		s.replies = nil
		groups := 0
		s.onReady = func(commit bool) {
			if commit {
				groups++
			}
		}
		s.step(syncOf(1, 4, 6, 9, 11, 14, 16, 21))
		s.step(store("b", 1))
		for s.turn(); s.runAny() || s.linger(s.tick); s.turn() {
			if state := s.pub.State(); state.LastSequence > 21 {
				require.Equal(t, uint64(4), state.Messages, "the store behind it is not shown first")
			}
		}
		require.Greater(t, groups, 3)
		require.Equal(t, "sync", s.replies[0].Tag)
		require.Equal(t, 18, s.replies[0].Count)
		require.NoError(t, s.replies[0].Err)
		require.NoError(t, s.e.CheckInvariants())
		require.NoError(t, s.taker.wrong)
		require.Equal(t, []uint64{5, 10, 15, 22}, s.live())
		s.onReady = nil
		s.reopen()
		require.Equal(t, []uint64{5, 10, 15, 22}, s.live())
	}
}

// TestSyncDeletedInStepsIsEndedByAFailure: whoever waits for one of which a step is done does not know what
// became of it.
func TestSyncDeletedInStepsIsEndedByAFailure(t *testing.T) {
	defer engine.SetSyncStep(1, 1)()
	s := open(func(c *engine.Config) { c.BlockSize = 120 })
	for range 9 {
		s.must(t, store("a", 30))
	}
	s.replies = nil
	s.step(syncOf(2, 2, 4, 4, 6, 6))
	s.step(store("a", 1))
	for s.turn(); s.pub.State().Messages == 9; s.turn() {
		require.True(t, s.runAny())
	}
	require.Equal(t, uint64(8), s.pub.State().Messages)
	s.e.Fail(errors.New("the disk is on fire"))
	s.turn()
	require.Len(t, s.replies, 2)
	require.ErrorIs(t, s.replies[0].Err, engine.ErrOutcomeUnknown)
	require.ErrorIs(t, s.replies[1].Err, engine.ErrFailed)
	require.NotErrorIs(t, s.replies[1].Err, engine.ErrOutcomeUnknown)
}

// TestSyncDeletedInStepsEqualsTheModel, with what limits have evicted of the subjects of what goes.
func TestSyncDeletedInStepsEqualsTheModel(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	rapid.Check(t, func(t *rapid.T) {
		defer engine.SetSyncStep(rapid.Uint64Range(1, 4).Draw(t, "messages"), rapid.Uint64Range(1, 8).Draw(t, "records"))()
		cfg := drawSmallConfig(t)
		cfg.Limits.MaxAge = 0
		mc := newMachine(cfg, newDisk())
		for range rapid.IntRange(1, 30).Draw(t, "messages before") {
			mc.send(&engine.Store{Message: drawMessage(t)})
		}
		if err := mc.quiesce(); err != nil {
			t.Fatal(err)
		}
		c := drawSyncDeleted(t, mc)
		if err := mc.reopen(); err != nil {
			t.Fatal(err)
		}
		after := mc.m.clone()
		after.syncDeleted(c, engine.Reply{})
		least := mc.ackedEvents
		crashed := 0
		mc.disk.point = func(what string) {
			if mc.cfg.Level != engine.SyncAlways {
				return
			}
			s := newShell(mc.cfg, mc.disk.crash(keepSome(uint64(crashed))), engine.NewPublished(), mc.now)
			crashed++
			var err error
			for n := len(after.log); n >= least; n-- {
				p := after.prefix(n, mc.first)
				p.reopen(mc.cfg.Limits)
				if err = comparePrefix(s, p); err == nil {
					return
				}
			}
			t.Fatalf("crash %s: %v", what, err)
		}
		mc.onReady, mc.onCommit = nil, nil
		r := mc.do(sent{"sync", c})
		mc.disk.point = nil
		if len(r) != 1 || r[0].Err != nil || r[0].Count != len(after.log)-len(mc.m.log) {
			t.Fatalf("replies %+v, want %d messages", r, len(after.log)-len(mc.m.log))
		}
		mc.m = after
		mc.shell.reopen()
		if err := comparePrefix(mc.shell, after); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSyncDeletedLooksAtNoSequences: ranges of any length cost no more than what goes, and neither does a stream
// of ten million skipped sequences.
func TestSyncDeletedLooksAtNoSequences(t *testing.T) {
	s := open(func(*engine.Config) {})
	s.must(t, store("a", 0), skip(0, 10_000_000), store("a", 0), skip(0, 1<<40), store("a", 0))
	n := testing.AllocsPerRun(3, func() { s.must(t, syncOf(2, 10_000_000, 10_000_003, 1<<40)) })
	require.Less(t, n, 200.0)
	require.Equal(t, uint64(3), s.pub.State().Messages)
	require.Equal(t, 1, s.must(t, syncOf(2, 1<<40))[0].Count)
	require.Equal(t, []engine.SequenceRange{{First: 2, Last: 10_000_002 + 1<<40}}, s.e.Deleted())
}

// TestNoticesOfSyncDeleted are one for each message, and one sum for whole blocks at the head.
func TestNoticesOfSyncDeleted(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize = 200 })
	for _, name := range []string{"a", "b", "a", "c", "a", "d", "a"} {
		s.must(t, store(name, 69))
	}
	s.listen()
	s.settle()
	require.Len(t, s.heard(t), 1)
	s.must(t, syncOf(6, 6, 4, 4))
	require.Equal(t, []string{"deleted elsewhere -1 -100 4 c", "deleted elsewhere -1 -100 6 d"}, s.heard(t))
	s.must(t, syncOf(0, 3))
	require.Equal(t, []string{"deleted elsewhere -3 -300 0 "}, s.heard(t))
	s.must(t, syncOf(0, 4))
	require.Empty(t, s.heard(t))
	s.must(t, syncOf(0, far))
	require.Equal(t, []string{"deleted elsewhere -2 -200 0 "}, s.heard(t))
}

// TestSyncDeletedBesideWhatASubjectEvicts: the messages that MaxMsgsPer has evicted of a subject stay away when
// those that took their place go.
func TestSyncDeletedBesideWhatASubjectEvicts(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize, c.Limits.MaxMsgsPer = 200, 1 })
	s.must(t, store("x", 0)) // the head stays
	for range 6 {
		s.must(t, store("a", 30), store("b", 30))
	}
	s.must(t, store("y", 0))
	s.must(t, syncOf(12, 13))
	require.Equal(t, []uint64{1, 14}, s.live())
	s.reopen()
	require.Equal(t, []uint64{1, 14}, s.live())
}

// TestSyncDeletedOfAnUnreadableBlock changes nothing.
func TestSyncDeletedOfAnUnreadableBlock(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	s := open(func(c *engine.Config) { c.BlockSize = 120 })
	for range 8 {
		s.must(t, store("a", 30))
	}
	s.reopen()
	s.disk.fault = func(int, string) error { return errors.New("not readable at the moment") }
	r := s.do(syncOf(3, 4))
	s.disk.fault = nil
	require.Len(t, r, 1)
	require.ErrorIs(t, r[0].Err, engine.ErrUnreadable)
	require.Equal(t, uint64(8), s.pub.State().Messages)
}
