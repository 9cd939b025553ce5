package engine_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
)

// actOrLimit takes one step of a random schedule, or changes the limits, running or at a reopen.
func (mc *machine) actOrLimit(t *rapid.T) error {
	switch rapid.IntRange(0, 19).Draw(t, "limits") {
	case 0:
		return mc.setLimits(drawLimits(t))
	case 1:
		return mc.reopenWith(drawLimits(t))
	}
	return mc.act(t)
}

// TestLimitsThatChangeEqualTheModel: while the engine runs, and when the stream is opened.
func TestLimitsThatChangeEqualTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keep := rapid.SampledFrom([]int{0, 0, 1 << 20}).Draw(t, "keep records")
		defer engine.SetKeepRecords(keep)()
		mc := newMachine(drawConfig(t), newDisk())
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			if err := mc.actOrLimit(t); err != nil {
				t.Fatal(err)
			}
		}
		if err := mc.quiesce(); err != nil {
			t.Fatal(err)
		}
		if err := mc.reopen(); err != nil {
			t.Fatalf("reopened: %v", err)
		}
	})
}

// TestLimitsThatChangeSurviveACrash: at every operation of a change there are the old limits with all that they had
// left, or the new ones with nothing that is back.
func TestLimitsThatChangeSurviveACrash(t *testing.T) {
	points := 0
	rapid.Check(t, func(t *rapid.T) {
		keep := rapid.SampledFrom([]int{0, 1 << 20}).Draw(t, "keep records")
		defer engine.SetKeepRecords(keep)()
		mc := newMachine(drawSmallConfig(t), newDisk())
		n := mc.crashPoints()
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if err := mc.actOrLimit(t); err != nil {
				t.Fatal(err)
			}
		}
		if err := mc.quiesce(); err != nil {
			t.Fatal(err)
		}
		points += *n
	})
	t.Logf("%d crashes", points)
}
