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

// TestSnapshotsKeepBlocksThatGo as they were: with its last message a block leaves the list of the stream, and not
// that of the snapshot.
func TestSnapshotsKeepBlocksThatGo(t *testing.T) {
	for name, remove := range map[string]func(sequence uint64) engine.Command{
		"one":     func(sequence uint64) engine.Command { return &engine.Remove{Sequence: sequence} },
		"compact": func(sequence uint64) engine.Command { return &engine.Compact{Sequence: sequence + 1} },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			cfg.BlockSize = 200
			s := newShell(cfg, newDisk(), engine.NewPublished(), start)
			s.must(t, repeat(store("a", 0), 12)...)
			first := s.pub.View().Blocks()[0].ID
			for sequence := uint64(1); sequence < 12; sequence++ {
				now := s.pub.Snapshot()
				s.must(t, sent{"r", remove(sequence)})
				if n := now.View.Find(now.FirstSequence).DeletedWithin(now.FirstSequence, now.LastSequence); n != 0 {
					t.Fatalf("the snapshot from %d on has %d deleted in the first block after that was removed", now.FirstSequence, n)
				}
			}
			if s.pub.View().Blocks()[0].ID == first {
				t.Fatal("the first block has not gone")
			}
		})
	}
}
