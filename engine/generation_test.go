package engine_test

import (
	"testing"

	"github.com/seed-d8b58eba/millrace/engine"
)

// checkGenerations fails unless all of so many blocks are of a generation.
func checkGenerations(t *testing.T, pub *engine.Published, blocks int, want uint64) {
	t.Helper()
	list := pub.View().Blocks()
	if len(list) != blocks {
		t.Fatalf("%d blocks, want %d", len(list), blocks)
	}
	for _, b := range list {
		if b.Generation != want {
			t.Errorf("block %d is of generation %d, want %d", b.ID, b.Generation, want)
		}
	}
}

func TestGenerationNamesTheIncarnation(t *testing.T) {
	s := open(nil)
	s.must(t, repeat(store("a", 100), 20)...) // three blocks
	checkGenerations(t, s.pub, 3, 1)

	old := s.pub.View().Blocks()[2]
	s.e.Abort()
	again := newShell(s.cfg, s.disk.crash(dropAll), s.pub, s.now)
	checkGenerations(t, again.pub, 3, 2)
	if old.Generation != 1 {
		t.Errorf("the view of the failed engine has become generation %d", old.Generation)
	}

	// Blocks that are new, or get another view, are of the same generation.
	again.must(t, repeat(store("a", 100), 10)...)
	checkGenerations(t, again.pub, 5, 2)
	again.tick(again.now + 60*second) // the memory of the tail goes
	before := again.pub.View().Blocks()[4]
	again.must(t, store("a", 1))
	if again.pub.View().Blocks()[4] == before {
		t.Fatal("the tail has no new view")
	}
	checkGenerations(t, again.pub, 5, 2)

	// Another Published counts for itself.
	checkGenerations(t, newShell(s.cfg, again.disk.crash(dropAll), engine.NewPublished(), s.now).pub, 5, 1)
}

// A recovery that fails was an incarnation, too: its successor may find other bytes.
func TestGenerationCountsRecoveriesThatFailed(t *testing.T) {
	s := open(nil)
	s.must(t, store("a", 100))
	engine.NewRecovery(s.cfg, s.pub)
	engine.NewRecovery(s.cfg, s.pub)
	checkGenerations(t, newShell(s.cfg, s.disk.crash(dropAll), s.pub, s.now).pub, 1, 4)
}
