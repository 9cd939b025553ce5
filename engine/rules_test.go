package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-d8b58eba/millrace/engine"
)

func payload(n int) []byte { return []byte(strings.Repeat("p", n)) }

// sent is a command with its tag.
type sent struct {
	tag     any
	command engine.Command
}

func store(subject string, n int) sent {
	return sent{"store", &engine.Store{Message: engine.Message{Subject: subject, Payload: payload(n)}}}
}

func raw(sequence uint64, time int64) sent {
	return sent{"raw", &engine.StoreRaw{Sequence: sequence, Time: time}}
}

func skip(sequence, count uint64) sent {
	return sent{"skip", &engine.Skip{Sequence: sequence, Count: count}}
}

// batchOf stores n messages of so many bytes.
func batchOf(n, size int) sent {
	return sent{"batch", &engine.StoreBatch{Messages: slices.Repeat([]engine.Message{{Payload: payload(size)}}, n)}}
}

func repeat(c sent, n int) []sent {
	commands := make([]sent, n)
	for i := range commands {
		commands[i] = c
	}
	return commands
}

// open returns a shell of a new stream.
func open(change func(*engine.Config)) *shell {
	cfg := testConfig()
	if change != nil {
		change(&cfg)
	}
	return newShell(cfg, newDisk(), engine.NewPublished(), start)
}

func limits(l engine.Limits) func(*engine.Config) {
	return func(cfg *engine.Config) { cfg.Limits = l }
}

// checkState compares the published state, now and after a restart.
func checkState(t *testing.T, s *shell, want engine.State) {
	t.Helper()
	if err := sameState(s.pub.State(), want); err != nil {
		t.Error(err)
	}
	if err := s.e.CheckInvariants(); err != nil {
		t.Error(err)
	}
	again := newShell(s.cfg, s.disk.crash(dropAll), engine.NewPublished(), s.now)
	if err := sameState(again.pub.State(), want); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

func TestStateFollowsTheRules(t *testing.T) {
	none := engine.NoTime
	for _, row := range []struct {
		name     string
		change   func(*engine.Config)
		commands []sent
		want     engine.State
	}{
		{"brand-new", nil, nil, engine.State{FirstTime: none, LastTime: none}},
		{"first sequence 1000, empty", func(c *engine.Config) { c.FirstSequence = 1000 }, nil,
			engine.State{FirstSequence: 1000, LastSequence: 999, FirstTime: none, LastTime: none}},
		{"first sequence 1000, one message", func(c *engine.Config) { c.FirstSequence = 1000 }, []sent{store("a", 10)},
			engine.State{Messages: 1, Bytes: 41, FirstSequence: 1000, LastSequence: 1000, FirstTime: start, LastTime: start, Subjects: 1}},
		{"first sequence 1", func(c *engine.Config) { c.FirstSequence = 1 }, nil, engine.State{FirstTime: none, LastTime: none}},
		{"one message", nil, []sent{store("a", 10)},
			engine.State{Messages: 1, Bytes: 41, FirstSequence: 1, LastSequence: 1, FirstTime: start, LastTime: start, Subjects: 1}},
		{"a header costs four bytes more", nil, []sent{{"store", &engine.Store{Message: engine.Message{Header: []byte("h")}}}},
			engine.State{Messages: 1, Bytes: 35, FirstSequence: 1, LastSequence: 1, FirstTime: start, LastTime: start}},
		{"the empty subject is not counted", nil, []sent{store("", 0), store("a", 0), store("a", 0)},
			engine.State{Messages: 3, Bytes: 92, FirstSequence: 1, LastSequence: 3, FirstTime: start, LastTime: start, Subjects: 1}},
		{"skip on an empty stream", nil, []sent{skip(0, 5)},
			engine.State{FirstSequence: 6, LastSequence: 5, FirstTime: none, LastTime: start}},
		{"skip on an empty stream, then a message", nil, []sent{skip(1, 5), store("a", 0)},
			engine.State{Messages: 1, Bytes: 31, FirstSequence: 6, LastSequence: 6, FirstTime: start, LastTime: start, Subjects: 1}},
		{"skip after a message keeps its time", nil, []sent{raw(0, 7), skip(2, 3)},
			engine.State{Messages: 1, Bytes: 30, FirstSequence: 1, LastSequence: 4, FirstTime: 7, LastTime: 7, Deleted: 3}},
		{"skip of nothing", nil, []sent{skip(0, 0)}, engine.State{FirstTime: none, LastTime: none}},
		{"raw time zero is a time", nil, []sent{raw(1, 0)},
			engine.State{Messages: 1, Bytes: 30, FirstSequence: 1, LastSequence: 1}},
		{"raw time zero and a skip", nil, []sent{raw(1, 0), skip(0, 1)},
			engine.State{Messages: 1, Bytes: 30, FirstSequence: 1, LastSequence: 2, Deleted: 1}},
		{"raw times go backwards", nil, []sent{raw(1, 9), raw(0, 3), raw(3, -1)},
			engine.State{Messages: 3, Bytes: 90, FirstSequence: 1, LastSequence: 3, FirstTime: 9, LastTime: -1}},
		{"max messages discards the oldest", limits(engine.Limits{MaxMsgs: 2}), repeat(store("a", 0), 5),
			engine.State{Messages: 2, Bytes: 62, FirstSequence: 4, LastSequence: 5, FirstTime: start, LastTime: start, Subjects: 1}},
		{"max bytes discards the oldest", limits(engine.Limits{MaxBytes: 92}), repeat(store("a", 0), 5),
			engine.State{Messages: 2, Bytes: 62, FirstSequence: 4, LastSequence: 5, FirstTime: start, LastTime: start, Subjects: 1}},
		{"max bytes may be reached", limits(engine.Limits{MaxBytes: 93}), repeat(store("a", 0), 5),
			engine.State{Messages: 3, Bytes: 93, FirstSequence: 3, LastSequence: 5, FirstTime: start, LastTime: start, Subjects: 1}},
		{"a raw message above max bytes removes all and itself", limits(engine.Limits{MaxBytes: 100}),
			[]sent{store("a", 0), {"r", &engine.StoreRaw{Message: engine.Message{Payload: make([]byte, 200)}, Time: start}}},
			engine.State{FirstSequence: 3, LastSequence: 2, FirstTime: none, LastTime: start}},
		{"a batch evicts its own messages", limits(engine.Limits{MaxMsgs: 2}),
			[]sent{store("x", 0), batchOf(4, 0)},
			engine.State{Messages: 2, Bytes: 60, FirstSequence: 4, LastSequence: 5, FirstTime: start, LastTime: start}},
		{"negative limits mean none", limits(engine.Limits{MaxMsgs: -1, MaxBytes: -1, MaxAge: -1, MaxMsgSize: -1}), repeat(store("a", 0), 3),
			engine.State{Messages: 3, Bytes: 93, FirstSequence: 1, LastSequence: 3, FirstTime: start, LastTime: start, Subjects: 1}},
		{"a raw store does not refuse what the leader took", limits(engine.Limits{MaxMsgs: 1, Discard: engine.DiscardNew}),
			[]sent{raw(1, 1), raw(2, 2)},
			engine.State{Messages: 2, Bytes: 60, FirstSequence: 1, LastSequence: 2, FirstTime: 1, LastTime: 2}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(row.change)
			s.must(t, row.commands...)
			checkState(t, s, row.want)
		})
	}
}

func TestRefusals(t *testing.T) {
	full := engine.Limits{MaxMsgs: 2, Discard: engine.DiscardNew}
	exact := engine.Limits{MaxBytes: 62, Discard: engine.DiscardNew}
	mismatch := func(c sent) sent {
		wrong := engine.Precondition{ExpectLast: 77, HasExpectLast: true}
		switch c := c.command.(type) {
		case *engine.Store:
			c.Precondition = wrong
		case *engine.StoreBatch:
			c.Precondition = wrong
		}
		return c
	}
	checked := sent{"raw", &engine.StoreRaw{Sequence: 9, Time: 1, CheckDiscardNew: true}}
	for _, row := range []struct {
		name   string
		limits engine.Limits
		before []sent
		refuse sent
		want   error
	}{
		{"max messages", full, repeat(store("a", 0), 2), store("a", 0), engine.ErrMaxMsgs},
		{"max messages, batch", full, repeat(store("a", 0), 1), batchOf(2, 0), engine.ErrMaxMsgs},
		{"max messages, raw", full, repeat(store("a", 0), 2), checked, engine.ErrMaxMsgs},
		{"max bytes, one byte too many", exact, repeat(store("a", 0), 1), store("a", 1), engine.ErrMaxBytes},
		{"limits come before size", engine.Limits{MaxMsgs: 1, MaxMsgSize: 1, Discard: engine.DiscardNew}, repeat(store("a", 0), 1), store("a", 2), engine.ErrMaxMsgs},
		{"messages come before bytes", engine.Limits{MaxMsgs: 1, MaxBytes: 1, Discard: engine.DiscardNew}, []sent{raw(1, 1)}, store("a", 2), engine.ErrMaxMsgs},
		{"limits come before the sequence", full, repeat(store("a", 0), 2), mismatch(store("a", 0)), engine.ErrMaxMsgs},
		{"size comes before the sequence", engine.Limits{MaxMsgSize: 1}, nil, mismatch(store("a", 2)), engine.ErrTooLarge},
		{"message size counts header and payload", engine.Limits{MaxMsgSize: 3}, nil,
			sent{"store", &engine.Store{Message: engine.Message{Header: payload(2), Payload: payload(2)}}}, engine.ErrTooLarge},
		{"record above the format's size", engine.Limits{}, nil, store("", 32<<20), engine.ErrTooLarge},
		{"subject above the format's length", engine.Limits{}, nil, store(strings.Repeat("s", 65536), 0), engine.ErrTooLarge},
		{"batch above its size", engine.Limits{}, nil, batchOf(2, 17<<20), engine.ErrTooLarge},
		{"empty batch", engine.Limits{}, nil, batchOf(0, 0), engine.ErrEmptyBatch},
		{"raw sequence too low", engine.Limits{}, repeat(store("a", 0), 2), raw(2, 1), engine.ErrSequenceMismatch},
		{"raw sequence too high", engine.Limits{}, repeat(store("a", 0), 2), raw(4, 1), engine.ErrSequenceMismatch},
		{"skip of another sequence", engine.Limits{}, repeat(store("a", 0), 2), skip(4, 1), engine.ErrSequenceMismatch},
		{"skip beyond the format", engine.Limits{}, nil, skip(0, 1<<62), engine.ErrTooLarge},
		{"skip that wraps around", engine.Limits{}, repeat(store("a", 0), 2), skip(0, 1<<64-1), engine.ErrTooLarge},
		{"expected last sequence", engine.Limits{}, repeat(store("a", 0), 2), mismatch(store("a", 0)), engine.ErrSequenceMismatch},
		{"expected last sequence of a batch", engine.Limits{}, repeat(store("a", 0), 2), mismatch(batchOf(2, 0)), engine.ErrSequenceMismatch},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(limits(row.limits))
			s.must(t, row.before...)
			before, files := s.pub.State(), s.disk.crash(keepAll)
			row.refuse.tag = "refused"
			replies := s.do(row.refuse)
			if len(replies) != 1 || !errors.Is(replies[0].Err, row.want) {
				t.Fatalf("got %+v, want %v", replies, row.want)
			}
			if strings.Contains(replies[0].Err.Error(), "pp") {
				t.Errorf("an error with payload: %v", replies[0].Err)
			}
			// A refusal has no side effect: DEFECT-4.
			if s.pub.State() != before || !s.disk.equal(files) {
				t.Errorf("state %+v, was %+v", s.pub.State(), before)
			}
			if row.limits.Discard == engine.DiscardOld {
				s.cfg.Limits = engine.Limits{}
				if r := s.must(t, raw(0, 5)); r[0].Sequence != before.LastSequence+1 {
					t.Errorf("next sequence %d after %d", r[0].Sequence, before.LastSequence)
				}
			}
		})
	}
}

func TestDiscardNewTakesTheExactBytes(t *testing.T) {
	s := open(limits(engine.Limits{MaxBytes: 62, Discard: engine.DiscardNew}))
	s.must(t, store("a", 0), store("a", 0))
}

func TestLimitsThatShrankAreAppliedAtOpen(t *testing.T) {
	for _, row := range []struct {
		name   string
		limits engine.Limits
		want   []uint64
	}{
		{"messages", engine.Limits{MaxMsgs: 3}, []uint64{98, 99, 100}},
		{"bytes", engine.Limits{MaxBytes: 70}, []uint64{99, 100}},
		{"bytes below any message", engine.Limits{MaxBytes: 1}, nil},
		{"discard new removes nothing", engine.Limits{MaxMsgs: 97, Discard: engine.DiscardNew}, nil},
	} {
		for _, keep := range []int{0, 1 << 20} {
			t.Run(fmt.Sprintf("%s, %d records kept", row.name, keep), func(t *testing.T) {
				defer engine.SetKeepRecords(keep)()
				s := open(nil)
				s.must(t, repeat(store("a", 0), 100)...)
				s.cfg.Limits = row.limits
				s.reopen()
				if row.limits.Discard == engine.DiscardNew {
					if s.pub.State().Messages != 100 {
						t.Fatalf("state %+v", s.pub.State())
					}
					return
				}
				if got := s.live(); !slices.Equal(got, row.want) {
					t.Fatalf("live %v, want %v", got, row.want)
				}
				if s.pub.Last() != 100 {
					t.Fatalf("last %d", s.pub.Last())
				}
			})
		}
	}
}

func TestFirstSequenceLeavesAUsedStreamAlone(t *testing.T) {
	// DEFECT-19: the reference purges it.
	s := open(nil)
	s.must(t, repeat(store("a", 0), 3)...)
	s.cfg.FirstSequence = 1000
	s.reopen()
	checkState(t, s, engine.State{Messages: 3, Bytes: 93, FirstSequence: 1, LastSequence: 3, FirstTime: start, LastTime: start, Subjects: 1})
}

func TestFiveMillionSkipsNeedNoMemory(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize = 8 << 20 })
	s.must(t, store("a", 0), skip(2, 5_000_000), store("a", 0))
	want := []engine.SequenceRange{{First: 2, Last: 5_000_001}}
	if got := s.e.Deleted(); !slices.Equal(got, want) {
		t.Fatalf("deleted %v", got)
	}
	if n := len(s.disk.current[1]); n > 200 {
		t.Fatalf("%d bytes on disk", n)
	}
	s.reopen()
	if got := s.e.Deleted(); !slices.Equal(got, want) {
		t.Fatalf("after a restart: deleted %v", got)
	}
}

func TestTimesDoNotGoBackWithTheClock(t *testing.T) {
	s := open(nil)
	s.must(t, store("a", 0))
	s.e.Tick(start - second)
	if r := s.must(t, store("a", 0)); r[0].Time != start {
		t.Fatalf("stamped %d, %d ns earlier than the one before", r[0].Time, start-r[0].Time)
	}
}

func TestStopSealsAndRefuses(t *testing.T) {
	for _, level := range []engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever} {
		t.Run(level.String(), func(t *testing.T) {
			s := open(func(c *engine.Config) {
				c.Level = level
				c.Limits.MaxAge = time.Second
			})
			replies := s.do(store("a", 0), sent{"stop", &engine.Stop{}},
				skip(0, 1), sent{"again", &engine.Stop{}})
			if len(replies) != 4 {
				t.Fatalf("replies %+v", replies)
			}
			for _, r := range replies {
				refused := r.Tag == "skip" || r.Tag == "again"
				if refused != errors.Is(r.Err, engine.ErrStopped) || !refused && r.Err != nil {
					t.Errorf("%v: %v", r.Tag, r.Err)
				}
			}
			if len(s.disk.pending) > 0 || s.pub.Durable() != 1 {
				t.Errorf("durable %d, %d changes unsynced", s.pub.Durable(), len(s.disk.pending))
			}
			// Nothing wakes up a stopped stream, not even a message that is due.
			if at, ok := s.e.NextTick(); ok {
				t.Errorf("next tick at %d", at)
			}
			s.tick(start + 10*second)
			s.turn()
			if s.busy() {
				t.Error("a stopped stream hands out work")
			}
		})
	}
}

func TestFlushIsAnsweredWhenDurable(t *testing.T) {
	for _, level := range []engine.SyncLevel{engine.SyncAlways, engine.SyncInterval, engine.SyncNever} {
		t.Run(level.String(), func(t *testing.T) {
			s := open(func(c *engine.Config) { c.Level = level; c.BlockSize = 100 })
			flush := sent{"flush", &engine.Flush{}}
			for range 3 {
				replies := s.must(t, append(repeat(store("a", 0), 20), flush)...)
				if len(replies) != 21 || replies[20].Tag != "flush" {
					t.Fatalf("%d replies", len(replies))
				}
				if s.pub.Durable() != s.pub.Last() || len(s.disk.pending) > 0 {
					t.Fatalf("durable %d of %d, %d changes unsynced", s.pub.Durable(), s.pub.Last(), len(s.disk.pending))
				}
				// With nothing to flush it is answered at once.
				if replies := s.must(t, flush, flush); len(replies) != 2 {
					t.Fatalf("%d replies", len(replies))
				}
			}
		})
	}
}

func TestFlushSurvivesIdleTick(t *testing.T) {
	s := open(func(c *engine.Config) { c.Level = engine.SyncInterval })
	s.must(t, store("a", 0))
	s.step(sent{"flush", &engine.Flush{}})
	s.tick(start + 20*second)
	s.settle()
	if len(s.replies) != 2 {
		t.Fatalf("replies %+v", s.replies)
	}
}
