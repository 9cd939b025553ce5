package engine_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
)

// claim tells the engine that its commit is done before anything was.
func (s *shell) claim() {
	for _, op := range s.commit.Ops {
		op.Data = [][]byte{slices.Concat(op.Data...)}
		s.owed = append(s.owed, op)
	}
	id := s.commit.ID
	s.commit = nil
	s.e.Done(engine.Done{ID: id})
	if s.onCommit != nil {
		s.onCommit()
	}
}

// spoil changes what is written, if that is the planted fault.
func (s *shell) spoil(op engine.Op) engine.Op {
	if s.planted != "a flipped byte" || op.Kind != engine.OpWrite {
		return op
	}
	data := slices.Concat(op.Data...)
	data[len(data)/2] ^= 1
	op.Data = [][]byte{data}
	return op
}

// TestPlantedFaultsAreFound shows that the tests of this package would see a
// store that breaks its promises.
func TestPlantedFaultsAreFound(t *testing.T) {
	for _, row := range []struct {
		name   string
		plant  string // of the shell
		change func(*machine)
		finds  bool
	}{
		{name: "none", finds: false},
		{name: "shown before it is committed", plant: "done too early", finds: true},
		{name: "a write without its sync", plant: "no sync of a write", finds: true},
		{name: "a seal without its sync", plant: "no sync of a seal", finds: true},
		{name: "a flipped byte", plant: "a flipped byte", finds: true},
		{name: "an evicted block that stays is no loss", plant: "no removal", finds: false},
		{name: "a reply too many", finds: true, change: func(mc *machine) {
			mc.replies = append(mc.replies, mc.replies...)
		}},
		{name: "a reply too few", finds: true, change: func(mc *machine) {
			mc.replies = mc.replies[:max(0, len(mc.replies)-1)]
		}},
		{name: "replies out of order", finds: true, change: func(mc *machine) { slices.Reverse(mc.replies) }},
		{name: "a message that the model does not have", finds: true, change: func(mc *machine) {
			if len(mc.m.live) > 3 {
				mc.m.live = mc.m.live[1:]
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			scenario := rapid.Custom(func(t *rapid.T) (found error) {
				cfg := drawSmallConfig(t)
				cfg.Level = engine.SyncAlways
				if row.plant == "no removal" {
					// Tombstones are written, and kept, for files that are there.
					cfg.CompactBelow, cfg.Limits.MaxMsgsPer = 0, 0
				}
				mc := newMachine(cfg, newDisk())
				mc.planted = row.plant
				mc.tamper = row.change
				mc.crashPoints()
				for range 40 {
					if found = mc.act(t); found != nil {
						return found
					}
				}
				return mc.quiesce()
			})
			for seed := range 60 {
				if err := scenario.Example(seed); err != nil {
					if !row.finds {
						t.Fatalf("seed %d: %v", seed, err)
					}
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			if row.finds {
				t.Fatal("nothing found")
			}
		})
	}
}
