package actors_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// See docs/testing.md.
var (
	damageSeed    = flag.Int64("damage.seed", 1, "which cases TestDamageSweep takes")
	damageCases   = flag.Int("damage.cases", 500, "how many cases TestDamageSweep takes")
	damageOnly    = flag.String("damage.only", "", "the cases with names that begin so, and no others")
	damageAll     = flag.Bool("damage.all", false, "all cases, of what is alike a part")
	damageStep    = flag.Int("damage.step", 0, "with damage.all, one case in so many of everything; 1 for every case there is")
	damageUpdate  = flag.Bool("damage.update", false, "write the table into docs/testing.md")
	damageJournal = flag.String("damage.journal", "", "write the cases that run to files with names that begin so")
)

// damageWorkers is how many cases run at a time.
const damageWorkers = 2

// damageShort is how many cases there are with -short, which is for the race detector.
const damageShort = 100

// TestDamageSweep damages small stores in every way there is, or in some of them, and asks for everything.
func TestDamageSweep(t *testing.T) {
	strata := damageStrata(damageWorlds(t))
	cases := make(chan damageCase)
	table := &damageTable{rows: make(map[string]*damageRow), shown: make(map[string]int)}
	var workers sync.WaitGroup
	for i := range damageWorkers {
		w := newDamageWorker(t)
		begin := damageJournalOf(t, i)
		workers.Go(func() {
			for c := range cases {
				begin(c)
				table.add(t, c, w.run(c))
			}
		})
	}
	start := time.Now()
	chooseDamage(strata, func(c damageCase) { cases <- c })
	close(cases)
	workers.Wait()
	t.Logf("%s\n%v", table, time.Since(start).Round(time.Millisecond))
	if *damageUpdate {
		require.NoError(t, table.update("../docs/testing.md", time.Since(start)))
	}
}

// TestDamageSweepFindsWhatIsPlanted: what would be wrong with a store is found when the harness is told that
// something else was stored.
func TestDamageSweepFindsWhatIsPlanted(t *testing.T) {
	world := damageWorlds(t)[0]
	stopped := world.images[1]
	file := stopped.files[slices.IndexFunc(stopped.files, func(f *damageFile) bool { return f.head })]
	worker := newDamageWorker(t)
	const hit = 3 // its record
	middle := (file.placed[2*hit-1].from + file.placed[2*hit-1].to) / 2
	c := damageCase{&damageStratum{image: stopped, file: file, way: coldRot, kind: damageFlip, count: 8 * len(file.data)}, 8 * middle}
	require.Equal(t, map[uint64]bool{hit: true}, c.licence().lose)
	require.Empty(t, worker.run(c))
	for _, row := range []struct {
		name  string
		want  damageKind
		plant func(*damageRun)
	}{
		{"another content", damageWrong, func(r *damageRun) {
			m := r.stored[hit+1]
			m.payload += "x"
			r.stored[hit+1] = m
		}},
		{"another time", damageWrong, func(r *damageRun) {
			m := r.stored[hit+1]
			m.time = m.time.Add(1)
			r.stored[hit+1] = m
		}},
		{"a message that was removed", damageWrong, func(r *damageRun) {
			r.world.live = maps.Clone(r.world.live)
			delete(r.world.live, hit+1)
		}},
		{"damage of another record", damageBeyond, func(r *damageRun) { r.licence.lose = map[uint64]bool{hit + 1: true} }},
		{"one more message", damageBeyond, func(r *damageRun) {
			r.world.live = maps.Clone(r.world.live)
			r.world.live[11] = true // it was skipped
		}},
		{"a message that is lost in silence", damageUnreported, func(r *damageRun) {
			r.world.live = maps.Clone(r.world.live)
			r.world.live[11], r.licence.lose[11] = true, true
		}},
		{"a higher sequence", damageTwice, func(r *damageRun) { r.world.last += 2 }},
		{"a panic", damagePanic, func(r *damageRun) { r.stored = nil }},
	} {
		t.Run(row.name, func(t *testing.T) {
			copied := *world
			findings := worker.run(c, func(r *damageRun) {
				r.world = &copied
				row.plant(r)
			})
			require.True(t, slices.ContainsFunc(findings, func(f damageFinding) bool { return f.kind == row.want }), "%v", findings)
		})
	}
}

// damageJournalOf returns what writes down the case that a worker begins. When the process dies of it, that is
// all that is left.
func damageJournalOf(t *testing.T, worker int) func(damageCase) {
	if *damageJournal == "" {
		return func(damageCase) {}
	}
	file, err := os.Create(fmt.Sprintf("%s%d", *damageJournal, worker))
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return func(c damageCase) {
		_, err := file.WriteAt(fmt.Appendf(nil, "%-150s\n", c), 0)
		if err != nil {
			t.Errorf("the journal: %v", err)
		}
	}
}

// chooseDamage yields the cases that the flags ask for.
func chooseDamage(strata []*damageStratum, yield func(damageCase)) {
	if !*damageAll && *damageOnly == "" {
		rng := rand.New(rand.NewSource(*damageSeed))
		n := *damageCases
		if testing.Short() {
			n = min(n, damageShort)
		}
		for range n {
			s := strata[rng.Intn(len(strata))]
			yield(damageCase{s, rng.Intn(s.count)})
		}
		return
	}
	for _, s := range strata {
		if name := s.String(); !strings.HasPrefix(name, *damageOnly) && !strings.HasPrefix(*damageOnly, name) {
			continue
		}
		step := s.step
		switch {
		case *damageStep > 0:
			step = *damageStep
		case *damageOnly != "":
			step = 1
		}
		for at := 0; at < s.count; at += step {
			c := damageCase{s, at}
			if *damageOnly == "" || strings.HasPrefix(c.String(), *damageOnly) {
				yield(c)
			}
		}
	}
}
