package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestBrings lists which changes of limits could bring messages back.
func TestBrings(t *testing.T) {
	for _, row := range []struct {
		name      string
		from, to  engine.Limits
		want      bool
		wantJoint engine.Limits
	}{
		{"nothing changes", engine.Limits{MaxMsgs: 5}, engine.Limits{MaxMsgs: 5}, false, engine.Limits{MaxMsgs: 5}},
		{"MaxMsgs raised", engine.Limits{MaxMsgs: 5}, engine.Limits{MaxMsgs: 6}, true, engine.Limits{MaxMsgs: 6}},
		{"MaxMsgs lifted", engine.Limits{MaxMsgs: 5}, engine.Limits{MaxMsgs: -1}, true, engine.Limits{MaxMsgs: -1}},
		{"MaxMsgs lowered", engine.Limits{MaxMsgs: 5}, engine.Limits{MaxMsgs: 4}, false, engine.Limits{MaxMsgs: 5}},
		{"MaxMsgs set", engine.Limits{}, engine.Limits{MaxMsgs: 4}, false, engine.Limits{}},
		{"MaxBytes raised", engine.Limits{MaxBytes: 5}, engine.Limits{MaxBytes: 6}, true, engine.Limits{MaxBytes: 6}},
		{"MaxAge raised", engine.Limits{MaxAge: 5}, engine.Limits{MaxAge: 6}, true, engine.Limits{MaxAge: 6}},
		{"MaxAge lowered", engine.Limits{MaxAge: 5}, engine.Limits{MaxAge: 4}, false, engine.Limits{MaxAge: 5}},
		{"MaxMsgsPer raised", engine.Limits{MaxMsgsPer: 5}, engine.Limits{MaxMsgsPer: 6}, true, engine.Limits{MaxMsgsPer: 6}},
		{"MaxMsgsPer lowered", engine.Limits{MaxMsgsPer: 5}, engine.Limits{MaxMsgsPer: 4}, true, engine.Limits{MaxMsgsPer: 5}},
		{"MaxMsgsPer set, with MaxMsgs", engine.Limits{MaxMsgs: 3}, engine.Limits{MaxMsgs: 3, MaxMsgsPer: 4}, true, engine.Limits{MaxMsgs: 3}},
		{"MaxMsgsPer set", engine.Limits{}, engine.Limits{MaxMsgsPer: 4}, false, engine.Limits{}},
		{"old to new", engine.Limits{MaxMsgs: 5}, engine.Limits{MaxMsgs: 5, Discard: engine.DiscardNew}, true, engine.Limits{MaxMsgs: 5, Discard: engine.DiscardNew}},
		{"new to old", engine.Limits{MaxMsgs: 5, Discard: engine.DiscardNew}, engine.Limits{MaxMsgs: 3}, false, engine.Limits{MaxMsgs: 5, Discard: engine.DiscardNew}},
		{"new raised", engine.Limits{MaxMsgs: 5, Discard: engine.DiscardNew}, engine.Limits{MaxMsgs: 9, Discard: engine.DiscardNew}, false, engine.Limits{MaxMsgs: 9, Discard: engine.DiscardNew}},
		{"TTLs turned on, with MaxAge", engine.Limits{MaxAge: 5}, engine.Limits{MaxAge: 5, MsgTTL: engine.TTLOn}, true,
			engine.Limits{MaxAge: 5, MsgTTL: engine.TTLSpares}},
		{"TTLs turned on, without", engine.Limits{}, engine.Limits{MsgTTL: engine.TTLOn}, false, engine.Limits{MsgTTL: engine.TTLSpares}},
		{"TTLs turned off", engine.Limits{MaxAge: 5, MsgTTL: engine.TTLOn}, engine.Limits{MaxAge: 5}, false,
			engine.Limits{MaxAge: 5, MsgTTL: engine.TTLSpares}},
		{"markers turned on", engine.Limits{MaxAge: 5, MsgTTL: engine.TTLOn}, engine.Limits{MaxAge: 5, MsgTTL: engine.TTLOn, MarkerTTL: time.Minute},
			true, engine.Limits{MsgTTL: engine.TTLOn}},
		{"one raised, one lowered", engine.Limits{MaxMsgs: 5, MaxBytes: 9}, engine.Limits{MaxMsgs: 6, MaxBytes: 8}, true, engine.Limits{MaxMsgs: 6, MaxBytes: 9}},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Equal(t, row.want, row.from.Brings(row.to))
			require.Equal(t, row.wantJoint, row.from.Join(row.to))
		})
	}
}

// TestStoresGoOnWhileLimitsAreLowered, and in the end there is what the new limit lets stay of all that was stored.
func TestStoresGoOnWhileLimitsAreLowered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		defer engine.SetKeepRecords(rapid.SampledFrom([]int{0, 1 << 20}).Draw(t, "keep records"))()
		cfg := testConfig()
		cfg.Level = rapid.SampledFrom([]engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever}).Draw(t, "level")
		cfg.BlockSize = rapid.SampledFrom([]int64{100, 400, 8 << 20}).Draw(t, "block size")
		s := newShell(cfg, newDisk(), engine.NewPublished(), start)
		m := newModel(cfg.Limits, 0)
		put := func() {
			c := sent{"store", &engine.Store{Message: drawMessage(t)}}
			m.apply(c, s.now)
			s.step(c)
		}
		for range rapid.IntRange(0, 40).Draw(t, "before") {
			put()
		}
		s.settle()
		if rapid.Bool().Draw(t, "reopen") {
			s.reopen()
		}
		next := rapid.SampledFrom([]engine.Limits{{MaxMsgs: 1}, {MaxMsgs: 7}, {MaxBytes: 400}, {MaxBytes: 1600}, {MaxMsgsPer: 1}, {MaxMsgsPer: 3}}).Draw(t, "limits")
		m.changeLimits(next, false)
		s.replies = nil
		s.step(sent{"limits", &engine.SetLimits{Limits: next}})
		s.cfg.Limits = next
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				put()
			case 1:
				s.turn()
			case 2:
				s.runCommit()
			case 3:
				s.runWork()
			}
		}
		s.settle()
		for range 1000 {
			s.tick(s.now + millisecond)
			s.settle()
		}
		if i := slices.IndexFunc(s.replies, func(r engine.Reply) bool { return r.Tag == "limits" }); i < 0 || s.replies[i].Err != nil {
			t.Fatalf("no answer: %v", s.replies)
		}
		for _, when := range []string{"running", "reopened"} {
			if err := errors.Join(s.e.CheckInvariants(), sameSubjects(s.pub.Snapshot(), &snapshot{m.state(), m.live, 0}), verify(s, m.live)); err != nil {
				t.Fatal(when, err)
			}
			s.reopen()
		}
	})
}

// manyBlocks returns a stream of so many blocks of seven messages each, of which no table is in memory.
func manyBlocks(t *testing.T, blocks int, limits engine.Limits) *shell {
	t.Helper()
	t.Cleanup(engine.SetKeepRecords(0))
	s := open(sevenABlock)
	for i := range 7 * blocks {
		s.must(t, store([]string{"a", "b", "c", "d", "e", "f", "g"}[i%7], 100))
	}
	s.cfg.Limits = limits
	s.reopen()
	s.replies = nil
	return s
}

// TestLoweringALimitGoesBlockByBlock: one table is in memory at a time, and a store is answered before the second one is.
func TestLoweringALimitGoesBlockByBlock(t *testing.T) {
	for _, row := range []struct {
		name  string
		limit engine.Limits
		want  uint64
	}{
		{"MaxMsgs", engine.Limits{MaxMsgs: 7}, 7},
		{"MaxBytes", engine.Limits{MaxBytes: 7 * 131}, 7},
		{"MaxMsgsPer", engine.Limits{MaxMsgsPer: 1}, 7},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := manyBlocks(t, 20, engine.Limits{})
			s.step(sent{"limits", &engine.SetLimits{Limits: row.limit}})
			loads := 0
			for s.turn(); ; s.turn() {
				if len(s.work) > 0 && s.work[0].Kind == engine.WorkLoad {
					if loads++; loads == 1 {
						s.step(store("a", 100))
						s.turn()
						s.runCommits()
						s.turn()
						require.NotEmpty(t, s.replies, "a store waits")
						require.Equal(t, "store", s.replies[0].Tag)
						s.replies = nil
					}
				}
				require.LessOrEqual(t, s.e.Tables(), 4, "tables in memory")
				if len(s.replies) > 0 {
					break
				}
				if !s.runAny() {
					at, ok := s.e.NextTick()
					require.True(t, ok, "the change waits for nothing")
					s.tick(at)
				}
			}
			require.NoError(t, s.replies[0].Err)
			s.settle()
			require.GreaterOrEqual(t, loads, 10)
			require.Equal(t, row.want, s.pub.State().Messages)
		})
	}
}

// TestAChangeEndsWithTheEngine: whoever waits for it is told when the stream stops, and when it fails.
func TestAChangeEndsWithTheEngine(t *testing.T) {
	for _, row := range []struct {
		name string
		end  func(*shell)
		want error
	}{
		{"stop", func(s *shell) { s.step(sent{"stop", &engine.Stop{}}) }, engine.ErrStopped},
		{"failure", func(s *shell) { s.e.Fail(errors.New("disk")) }, engine.ErrOutcomeUnknown},
		{"abort", func(s *shell) { s.e.Abort() }, engine.ErrOutcomeUnknown},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := manyBlocks(t, 5, engine.Limits{})
			s.step(sent{"limits", &engine.SetLimits{Limits: engine.Limits{MaxMsgsPer: 1}}})
			s.turn()
			row.end(s)
			s.settle()
			require.Equal(t, "limits", s.replies[0].Tag)
			require.ErrorIs(t, s.replies[0].Err, row.want)
		})
	}
}

// thinned returns a stream of five blocks, in each of which MaxMsgsPer has left one message, and two in the last.
func thinned(t *testing.T) *shell {
	t.Helper()
	t.Cleanup(engine.SetKeepRecords(0))
	s := open(sevenABlock)
	for i := range 5 * 7 {
		s.must(t, store([]string{fmt.Sprint("only", i), "a", "a", "a", "a", "a", "a"}[i%7], 100))
	}
	s.cfg.Limits.MaxMsgsPer = 1
	s.reopen()
	require.Equal(t, []uint64{1, 8, 15, 22, 29, 35}, s.live())
	s.replies = nil
	return s
}

// TestALimitIsNotRaisedOverABlockThatCannotBeRead: nobody knows what it has evicted there.
func TestALimitIsNotRaisedOverABlockThatCannotBeRead(t *testing.T) {
	s := thinned(t)
	s.disk.fault = func(_ int, what string) error {
		if what[:4] == "load" {
			return errors.New("cannot be read")
		}
		return nil
	}
	require.ErrorIs(t, s.change(engine.Limits{}), engine.ErrUnreadable)
	require.NoError(t, s.change(engine.Limits{MaxMsgsPer: 1}), "there is nothing to be read for that")
	s.disk.fault = nil
	s.tick(s.now + 2*second)
	require.NoError(t, s.change(engine.Limits{}))
	s.cfg.Limits = engine.Limits{}
	s.reopen()
	require.Equal(t, []uint64{1, 8, 15, 22, 29, 35}, s.live())
}

// TestARemovalAmidARaiseBringsNothingBack: before all of what MaxMsgsPer has evicted is written down, the last message
// of the subject is removed, and the process is killed before the new limit is stored.
func TestARemovalAmidARaiseBringsNothingBack(t *testing.T) {
	s := thinned(t)
	s.step(sent{"limits", &engine.SetLimits{}})
	s.step(sent{"remove", &engine.Remove{Sequence: 35}})
	for s.turn(); len(s.replies) == 0; s.turn() {
		require.True(t, s.runAny())
	}
	require.Equal(t, "remove", s.replies[0].Tag)
	s.disk = s.disk.crash(keepAll)
	s.reopen()
	require.Equal(t, []uint64{1, 8, 15, 22, 29}, s.live())
}

// TestARaisedLimitTellsANatsServer what is gone, which knows no floor: a tombstone names each message that a file has.
func TestARaisedLimitTellsANatsServer(t *testing.T) {
	for _, row := range []struct {
		name string
		from engine.Limits
	}{
		{"from the first block", engine.Limits{MaxMsgs: 10}},
		{"from anywhere", engine.Limits{MaxMsgsPer: 2}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(sevenABlock)
			for i := range 3 * 7 {
				s.must(t, store([]string{"first", "a"}[min(i, 1)]+[]string{"", "b"}[i/4%2*min(i/7, 1)], 100))
			}
			require.NoError(t, s.setLimits(row.from, func() {}))
			live := s.live()
			require.NoError(t, s.setLimits(engine.Limits{}, func() {}))
			named := map[uint64]bool{}
			held := map[uint64]bool{}
			for id, data := range s.disk.current {
				walk(id, data, func(_ int64, r record) {
					switch r.kind {
					case 't':
						named[r.sequence] = true
					case 'm':
						held[r.sequence] = true
					}
				})
			}
			gone := 0
			for sequence := range held {
				if !slices.Contains(live, sequence) {
					gone++
					require.True(t, named[sequence], "%d", sequence)
				}
			}
			require.Positive(t, gone)
			require.Equal(t, live, s.live())
		})
	}
}

// TestMaxAgeTimerFollowsAChange of the limit, on and off.
func TestMaxAgeTimerFollowsAChange(t *testing.T) {
	s := open(nil)
	s.must(t, store("a", 0))
	_, armed := s.e.NextTick()
	require.NoError(t, s.change(engine.Limits{MaxAge: time.Second}))
	at, ok := s.e.NextTick()
	require.True(t, ok)
	require.Equal(t, start+second, at)
	require.NoError(t, s.change(engine.Limits{}))
	_, ok = s.e.NextTick()
	require.Equal(t, armed, ok)
}

// TestMaxAgeIsLiftedWhileItWaitsForATable: nothing waits for that any more, and the change is answered, and the next one.
func TestMaxAgeIsLiftedWhileItWaitsForATable(t *testing.T) {
	s := unloaded(t)
	s.cfg.Limits = engine.Limits{MaxAge: time.Second}
	s.reopen()
	s.tick(start + 2*second)
	s.turn()
	s.hold(t, engine.WorkLoad, 3)
	require.NoError(t, s.change(engine.Limits{}))
	require.NoError(t, s.change(engine.Limits{MaxMsgs: 100}))
}

// TestALimitIsNotRaisedBeforeEvictedFilesAreGone: no tombstone names what they hold.
func TestALimitIsNotRaisedBeforeEvictedFilesAreGone(t *testing.T) {
	s := open(func(c *engine.Config) { sevenABlock(c); c.Limits.MaxMsgsPer = 1 })
	s.step(store("only", 100))
	for range 27 {
		s.step(store("a", 100))
	}
	s.turn()
	s.runCommits()
	s.turn()
	i := slices.IndexFunc(s.work, func(w engine.Work) bool { return w.Kind == engine.WorkRemove })
	require.GreaterOrEqual(t, i, 0, "no block was evicted")
	removal := s.work[i]
	s.work = slices.Delete(s.work, i, i+1)
	s.replies = nil
	s.step(sent{"limits", &engine.SetLimits{}})
	s.settle()
	require.Empty(t, s.replies)
	s.work = append(s.work, removal)
	s.settle()
	require.Len(t, s.replies, 1)
	require.NoError(t, s.replies[0].Err)
	s.cfg.Limits = engine.Limits{}
	s.disk = s.disk.crash(keepAll)
	s.reopen()
	require.Equal(t, []uint64{1, 28}, s.live())
}

// TestMaxAgeComesBehindTheOtherLimits, when limits change as when a stream is opened: what MaxMsgsPer would keep may be
// older than what it removes.
func TestMaxAgeComesBehindTheOtherLimits(t *testing.T) {
	next := engine.Limits{MaxMsgsPer: 1, MaxAge: time.Second}
	for _, reopened := range []bool{false, true} {
		s := open(func(c *engine.Config) { c.BlockSize = 100 })
		s.must(t, rawAt("a", start), rawAt("b", start), rawAt("a", 1))
		if s.cfg.Limits = next; reopened {
			s.reopen()
			s.expireWaiting()
		} else {
			require.NoError(t, s.change(next))
		}
		require.Equal(t, []uint64{2}, s.live())
	}
}

func rawAt(subject string, time int64) sent {
	return sent{"raw", &engine.StoreRaw{Message: engine.Message{Subject: subject}, Time: time}}
}
