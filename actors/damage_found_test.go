package actors_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDamageThatWasFound runs the cases of the sweep that something was once wrong with, one of each kind, as make test
// takes others only by chance.
func TestDamageThatWasFound(t *testing.T) {
	found := map[string]string{
		"compacted/crash/cold/msgs/1.blk/cut:797":               "tombstones beside damage were dropped: the second opening called removed messages lost",
		"compacted/crash/cold/msgs/1.blk/flip:1057.0":           "a length in a compacted block: a wrong message",
		"limited-per-subject/crash/cold/msgs/1.blk/flip:99.5":   "one record, of which it is known which, and all to the next block was called lost",
		"limited-per-subject/crash/cold/msgs/2.blk/flip:1477.0": "a flipped bit in the sequence of one made it that of another that was removed",
		"compacted-indexed/crash/cold/msgs/1.blk/older:0":       "an index that names none of the messages of an older block proved nothing",
		"floors/crash/cold/msgs/2.blk/cut:797":                  "the rest of the block was below the floor, and what was lost was forgotten with it",
		"floors/crash/cold/msgs/2.blk/neighbour:3.blk":          "nothing is left of the first block, and the floor shows where the stream begins",
		"floors-indexed/crash/cold/msgs/2.blk/cut:400":          "the index names what was cut off, and all to the next block was called lost",
		"floors-indexed/crash/cold/msgs/3.bix/older:0":          "an index of before a compaction, and what was removed was called lost",
	}
	worker := newDamageWorker(t)
	for _, s := range damageStrata(damageWorldsOfRemovals(t)) {
		if len(found) == 0 {
			return
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(found)), func(name string) bool { return strings.HasPrefix(name, s.String()) }) {
			continue
		}
		for at := range s.count {
			c := damageCase{s, at}
			if why, ok := found[c.String()]; ok {
				require.Empty(t, worker.run(c), "%s: %s", c, why)
				delete(found, c.String())
			}
		}
	}
	require.Empty(t, found, "there are no such cases")
}
