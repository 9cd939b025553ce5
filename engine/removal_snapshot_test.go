package engine_test

import (
	"testing"

	"github.com/seed-d8b58eba/millrace/engine"
)

// TestSnapshotsDoNotChange, whatever is removed after they were taken, block by block.
func TestSnapshotsDoNotChange(t *testing.T) {
	cfg := testConfig()
	cfg.BlockSize = 200
	s := newShell(cfg, newDisk(), engine.NewPublished(), start)
	s.must(t, repeat(store("a", 0), 12)...)
	deleted := func(now engine.Snapshot) (n uint64) {
		for _, b := range now.View.Blocks() {
			n += b.DeletedWithin(1, now.LastSequence)
		}
		return n
	}
	var taken []engine.Snapshot
	origin := s.pub.View().Find(5).Origin()
	for removed, sequence := range []uint64{5, 9, 3, 10, 4, 6, 2} {
		taken = append(taken, s.pub.Snapshot())
		s.must(t, sent{"r", &engine.Remove{Sequence: sequence}})
		for i, old := range taken {
			if got := deleted(old); got != uint64(i) {
				t.Fatalf("the snapshot before removal %d has %d deleted after %d", i, got, removed+1)
			}
			if total := old.Subjects.Messages(); total != 12-uint64(i) {
				t.Fatalf("the snapshot before removal %d has %d messages", i, total)
			}
		}
	}
	if s.pub.View().Find(5).Origin() != origin || origin.Origin() != origin {
		t.Fatal("the first view of a block is not what its copies come from")
	}
}
