package actors_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDamageThatWasMended has the cases of the sweep that once showed another stream at the second opening: the sweep draws its
// cases, and a default run need not come to them.
func TestDamageThatWasMended(t *testing.T) {
	strata := damageStrata(damageWorlds(t))
	w := newDamageWorker(t)
	table := &damageTable{rows: make(map[string]*damageRow), shown: make(map[string]int)}
	for _, name := range []string{
		"floors-indexed/stopped/cold/msgs/2.blk/missing", // what is told of a block that is gone was passed over
		"lone/stopped/cold/msgs/1.blk/missing",
		"compacted-indexed/stopped/cold/msgs/1.blk/missing",
		"indexed/crash/warm/msgs/1.blk/zero:1241+4096", // skipped sequences beside the damage were called lost
		"floors-indexed/crash/cold-written/msgs/2.blk/zero:576+64",
		"limited-indexed/stopped/cold/msgs/1.blk/zero:2381+4096", // a limit took back in what it had removed
		"limited-compacted/stopped/cold/msgs/2.blk/zero:0+4096",
		"floors-indexed/stopped/cold/msgs/2.blk/cut:592", // the index that said what else there was had gone
		"floors-indexed/stopped/cold/msgs/2.blk/cut:607",
		"truncated/stopped/cold/msgs/4.blk/zero:492+4096", // tombstones were gone that the index names
		"truncated/stopped/cold/msgs/4.blk/zero:0+4096",
		"compacted/crash/cold/msgs/5.blk/flip:3582.3",            // behind the end
		"multi-block-adopted/stopped/cold/msgs/1.blk/flip:780.5", // of a server, without a mark
		"multi-block-adopted/stopped/cold/msgs/1.blk/flip:685.2",
	} {
		c, found := damageCaseOf(strata, name)
		require.True(t, found, name)
		table.add(t, c, w.run(c))
	}
}

// damageCaseOf returns the case of a name.
func damageCaseOf(strata []*damageStratum, name string) (c damageCase, found bool) {
	for _, s := range strata {
		if !strings.HasPrefix(name, s.String()) {
			continue
		}
		for at := range s.count {
			if c := (damageCase{s, at}); c.String() == name {
				return c, true
			}
		}
	}
	return damageCase{}, false
}
