package engine_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestEveryWaiterIsAnsweredAtTheEnd: what was accepted has an unknown outcome; what was
// refused or parked, and what comes later, has changed nothing.
func TestEveryWaiterIsAnsweredAtTheEnd(t *testing.T) {
	for _, row := range []struct {
		name    string
		end     func(*engine.Engine)
		refusal error
		failed  bool
	}{
		{"a failure", func(e *engine.Engine) { e.Fail(errDisk); e.Abort() }, engine.ErrFailed, true},
		{"from outside", func(e *engine.Engine) { e.Abort(); e.Fail(errDisk) }, engine.ErrStopped, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(func(c *engine.Config) { c.Level, c.Limits.MaxMsgSize = engine.SyncInterval, 1000 })
			s.step(store("a", 0))
			s.turn() // in flight
			s.step(store("b", 0))
			s.step(sent{"refused", &engine.Store{Message: engine.Message{Payload: make([]byte, 2000)}}})
			s.step(sent{"batch", &engine.StoreBatch{Messages: make([]engine.Message, 2)}})
			s.step(sent{"flush", &engine.Flush{}})
			s.step(skip(0, 1))
			s.step(sent{"stop", &engine.Stop{}})
			s.step(sent{"late", &engine.Store{}})
			s.replies = nil
			row.end(s.e)
			s.step(sent{"later", &engine.Flush{}})
			s.turn()
			var tags []any
			for _, r := range s.replies {
				tags = append(tags, r.Tag)
				refused := slices.Contains([]any{"refused", "late", "later"}, r.Tag)
				if errors.Is(r.Err, engine.ErrOutcomeUnknown) == refused ||
					errors.Is(r.Err, engine.ErrFailed) != row.failed || errors.Is(r.Err, errDisk) != row.failed ||
					errors.Is(r.Err, engine.ErrStopped) != (refused && !row.failed) {
					t.Errorf("%v: %v", r.Tag, r.Err)
				}
			}
			if !slices.Equal(tags, []any{"store", "store", "refused", "batch", "skip", "late", "flush", "stop", "later"}) {
				t.Fatalf("replies to %v", tags)
			}
			if s.pub.Last() != 0 {
				t.Fatal("shown, though never written")
			}
		})
	}
}

// TestParkedCommandsHaveChangedNothing when the engine fails.
func TestParkedCommandsHaveChangedNothing(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	d := newDisk()
	d.current[1], d.current[2] = blockOf(1, msg(1), msg(2)), blockOf(2, tomb(1))
	s := &shell{cfg: testConfig(), disk: d, pub: engine.NewPublished(), now: start}
	s.mount(0, 0)
	s.turn() // asks for a table, which does not come
	s.step(store("a", 0))
	s.e.Fail(errDisk)
	s.turn()
	if len(s.replies) != 1 || !errors.Is(s.replies[0].Err, engine.ErrFailed) || errors.Is(s.replies[0].Err, engine.ErrOutcomeUnknown) {
		t.Fatalf("%+v", s.replies)
	}
}

func TestSettledGivesRepliesWithoutWork(t *testing.T) {
	s := open(nil)
	s.step(store("a", 0))
	if got := s.e.Settled(); len(got) != 0 {
		t.Fatalf("replies %+v", got)
	}
	s.turn()
	for s.runCommit() {
	}
	if got := s.e.Settled(); len(got) != 1 || got[0].Sequence != 1 {
		t.Fatalf("replies %+v", got)
	}
	if got := s.e.Ready(); len(got.Replies) != 0 {
		t.Fatalf("replies %+v", got.Replies)
	}
}

func TestHeldGroupsKeepTheOrderOfReplies(t *testing.T) {
	s := open(func(c *engine.Config) {
		c.Level, c.MaxUnwritten, c.Limits.MaxMsgSize = engine.SyncNever, 40, 100
	})
	s.step(store("a", 50)) // above what may be unwritten
	s.turn()
	s.step(store("a", 1000)) // refused, but not before the first is answered
	s.turn()
	if len(s.replies) != 0 || s.pub.Last() != 0 {
		t.Fatalf("replies %+v, last %d", s.replies, s.pub.Last())
	}
	s.settle()
	if len(s.replies) != 2 || s.replies[0].Err != nil || !errors.Is(s.replies[1].Err, engine.ErrTooLarge) {
		t.Fatalf("replies %+v", s.replies)
	}
}

func TestNeverAnswersBeforeTheWrite(t *testing.T) {
	s := open(func(c *engine.Config) { c.Level = engine.SyncNever })
	s.step(store("a", 50))
	s.turn()
	if len(s.replies) != 1 || s.pub.Last() != 1 || s.pub.Durable() != 0 || s.pub.Counts().Unacknowledged == 0 {
		t.Fatalf("replies %+v, last %d", s.replies, s.pub.Last())
	}
	if r, ok := s.read(1); !ok || len(r.payload) != 50 {
		t.Fatal("cannot be read from memory")
	}
	if s.settle(); s.pub.Counts().Unacknowledged != 0 {
		t.Fatalf("%d bytes unwritten", s.pub.Counts().Unacknowledged)
	}
}

func TestEvictedBlocksWaitForTheRecordThatEvictedThem(t *testing.T) {
	// The record that keeps the last sequence uses up none: that the sequence is
	// durable does not mean that the record is.
	s := open(func(c *engine.Config) { c.Level, c.Limits.MaxAge = engine.SyncInterval, 1 })
	s.must(t, raw(1, start), sent{nil, &engine.Flush{}})
	if s.pub.Durable() != 1 {
		t.Fatal("not durable")
	}
	s.tick(start + second)
	s.turn()
	for s.commit != nil {
		s.runCommit()
	}
	s.turn()
	for _, w := range s.work {
		if w.Kind == engine.WorkRemove {
			t.Fatal("removed while the last sequence is on no disk")
		}
	}
	s.settle()
	if got := s.disk.crash(dropAll).blocks(); !slices.Equal(got, []uint32{2}) {
		t.Fatalf("blocks %v", got)
	}
	checkState(t, s, engine.State{FirstSequence: 2, FirstTime: engine.NoTime, LastSequence: 1, LastTime: start})
}

func TestPositionsToCutAtDoNotPassAnUnsealedBlock(t *testing.T) {
	s := open(func(c *engine.Config) { c.Level, c.BlockSize = engine.SyncInterval, 100 })
	s.step(store("a", 10))
	s.turn()
	for s.runCommit() {
	}
	s.step(store("a", 80)) // block 2
	s.step(sent{"flush", &engine.Flush{}})
	s.turn()
	for s.runCommit() {
	}
	if got := s.e.WrittenTo(); got != (engine.Position{Block: 2, Offset: 141}) {
		t.Errorf("written to %+v", got)
	}
	if got := s.e.SyncedTo(); got.Block > 1 || got.Offset != 0 || s.pub.Durable() != 0 {
		t.Errorf("synced to %+v while block 1 is not", got)
	}
	s.settle()
	if got := s.e.SyncedTo(); got != s.e.WrittenTo() || s.pub.Durable() != 2 {
		t.Errorf("synced to %+v", got)
	}
}

func TestDerivedFilesGoBeforeTheFirstChange(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*shell)
	}{
		{"a message", func(s *shell) { s.step(store("a", 0)) }},
		{"an evicted block", func(s *shell) { s.tick(start + second) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(func(c *engine.Config) { c.BlockSize = 30; c.Limits.MaxAge = 1 })
			s.must(t, raw(1, start), raw(2, start+10*second))
			s.cfg.Derived = []string{"index.db"}
			s.reopen()
			row.change(s)
			s.turn()
			if s.commit == nil || s.commit.Ops[0].Kind != engine.OpRemoveDerived {
				t.Fatalf("commit %+v", s.commit)
			}
			s.settle()
			s.step(store("a", 0))
			s.turn()
			if s.commit.Ops[0].Kind == engine.OpRemoveDerived {
				t.Fatal("removed twice")
			}
		})
	}
}

func TestCountsByReason(t *testing.T) {
	s := open(limits(engine.Limits{MaxMsgs: 3, MaxBytes: 200, MaxMsgSize: 300}))
	s.do(append(repeat(store("a", 0), 5), store("a", 301), store("a", 150), store("a", 190), raw(77, 1))...)
	got := s.pub.Counts()
	if got.Stored != 6 || got.RemovedMsgs != 3 || got.RemovedBytes != 2 || got.RefusedSize != 0 ||
		got.RefusedBytes != 2 || got.RefusedSequence != 1 ||
		got.Messages != 1 || got.Blocks == 0 || got.Unacknowledged != 0 {
		t.Fatalf("%+v", got)
	}
}
