package engine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// TestFindsOfOneCommandAreNotForTheNext: a command that waits for what the shell finds, and then needs it no
// more, leaves nothing behind for the next one, which looks for another subject in the same blocks.
func TestFindsOfOneCommandAreNotForTheNext(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	cfg := testConfig()
	cfg.BlockSize = 100
	cfg.Limits = engine.Limits{MaxMsgsPer: 2, MaxAge: time.Second}
	s := newShell(cfg, newDisk(), engine.NewPublished(), start)
	s.must(t, store("a", 0), store("a", 0))
	s.tick(start + second/2)
	s.must(t, store("b", 0), store("b", 0))
	s.reopen()
	s.replies = nil
	s.step(store("a", 0)) // waits to know which message of a is the oldest
	s.step(store("b", 0))
	s.turn()
	for len(s.work) > 0 && s.work[0].Kind != engine.WorkFind {
		s.runWork()
	}
	s.tick(start + second + millisecond) // both messages of a expire
	s.settle()
	if got, want := s.live(), []uint64{4, 5, 6}; !slices.Equal(got, want) {
		t.Fatalf("live are %v, want %v", got, want)
	}
}

// TestTombstonesOutliveTheirBlock: when a block that has only tombstones of use left is dropped from among
// others, they are written again.
func TestTombstonesOutliveTheirBlock(t *testing.T) {
	cfg := testConfig()
	cfg.BlockSize = 200
	s := newShell(cfg, newDisk(), engine.NewPublished(), start)
	remove := func(sequence uint64) { s.must(t, sent{sequence, &engine.Remove{Sequence: sequence}}) }
	s.must(t, store("a", 0))
	s.must(t, store("a", 0)) // block 1 has two messages, of which one stays
	s.must(t, store("a", 50))
	remove(1) // in block 2, beside message 3
	s.must(t, store("a", 100), store("a", 100))
	before := s.disk.blocks()
	remove(3)
	s.settle()
	if after := s.disk.blocks(); slices.Contains(after, before[1]) {
		t.Fatalf("blocks %v, then %v: the one without messages is still there", before, after)
	}
	s.reopen()
	if got, want := s.live(), []uint64{2, 4, 5}; !slices.Equal(got, want) {
		t.Fatalf("live are %v, want %v", got, want)
	}
}

// TestPurgeOfASubjectThatNobodyHas changes nothing.
func TestPurgeOfASubjectThatNobodyHas(t *testing.T) {
	s := newShell(testConfig(), newDisk(), engine.NewPublished(), start)
	s.must(t, store("a", 0))
	set := subject.NewSet(subject.Compile("b.>"))
	before := s.disk.calls
	if r := s.must(t, sent{"p", &engine.Purge{Filter: &set}}); r[0].Count != 0 || s.disk.calls != before {
		t.Fatalf("%+v, %d operations", r, s.disk.calls-before)
	}
}
