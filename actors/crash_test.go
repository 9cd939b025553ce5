package actors

import (
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/engine"
)

// See docs/testing.md.
var (
	crashPoints = flag.Int("crash.points", 0, "crash points of TestCrashSweepLong; none when 0")
	crashSeed   = flag.Int64("crash.seed", 1, "first seed of the crash sweeps")
	crashAt     = flag.Int("crash.at", -1, "crash at this operation only")
	crashMode   = flag.Int("crash.mode", -1, "crash in this mode only")
)

// crashCommands is the length of a script.
const crashCommands = 200

// crashModeKill is the mode in which the process dies and the machine goes on:
// unlike KeepAll, what was not synced may still be lost later.
const crashModeKill = blocktest.CrashMode(100)

var crashModes = append([]blocktest.CrashMode{crashModeKill}, blocktest.CrashModes...)

// crashSweep runs one script and crashes it at every operation, in every mode.
type crashSweep struct {
	plan  *crashPlan
	plant plant
	life  *crashLife
	step  int // of the script
	// follow is the share of points, in sixths, after which the script goes on to
	// crash again. After a mere kill it always does.
	follow int
	// stride is how far apart the operations are at which it crashes.
	stride int

	points int
	err    error
}

// errEnough ends a script at its first finding.
var errEnough = errors.New("found")

func (s *crashSweep) run() (err error) {
	model := newCrashModel(engineLimits(s.plan), s.plan.config.FirstSequence)
	model.lives, model.marks = s.plan.config.AllowMsgTTL == On, s.plan.config.SubjectDeleteMarkerTTL > 0
	s.life = newLife(s.plan, blocktest.NewMemFS(), model, crashStart)
	s.life.plant = s.plant
	s.life.fs.SetHook(s.hook)
	defer func() {
		if err != nil && s.err == nil {
			s.err = fmt.Errorf("seed %d, script, before operation %d (step %d): %w",
				s.plan.seed, s.life.fs.Count(), s.step, err)
		}
		err = s.err
	}()
	if err := s.life.reopen(killed); err != nil {
		return err
	}
	for s.step = range s.plan.steps {
		if err := s.life.do(&s.plan.steps[s.step]); err != nil {
			return err
		}
		if s.err != nil {
			return errEnough
		}
	}
	if err := s.life.settle(); err != nil {
		return err
	}
	return s.life.stop()
}

func engineLimits(p *crashPlan) engine.Limits {
	limits := engine.Limits{MaxMsgs: p.config.MaxMsgs, MaxBytes: p.config.MaxBytes, MaxAge: p.config.MaxAge}
	if p.config.Discard == DiscardNew {
		limits.Discard = engine.DiscardNew
	}
	return limits
}

// changes reports whether a crash after an operation may find something else than
// one before it.
func changes(kind blocktest.OpKind) bool {
	switch kind {
	case blocktest.OpCreate, blocktest.OpWrite, blocktest.OpTruncate, blocktest.OpSync, blocktest.OpRemove,
		blocktest.OpRename, blocktest.OpMkdir, blocktest.OpSyncDir:
		return true
	}
	return false
}

// hook crashes the script before an operation, in every mode.
func (s *crashSweep) hook(op blocktest.Op) blocktest.Fault {
	if !changes(op.Kind) || s.err != nil || *crashAt >= 0 && op.Index != *crashAt || *crashAt < 0 && op.Index%s.stride != 0 {
		return blocktest.Fault{}
	}
	for _, mode := range crashModes {
		if *crashMode >= 0 && int(mode) != *crashMode {
			continue
		}
		if err := s.crash(op.Index, mode); err != nil {
			s.err = fmt.Errorf("seed %d, before operation %v, mode %d (%s): %w\nreplay: -crash.seed=%d -crash.at=%d -crash.mode=%d",
				s.plan.seed, op, mode, modeName(mode), err, s.plan.seed, op.Index, mode)
			break
		}
	}
	return blocktest.Fault{}
}

func modeName(mode blocktest.CrashMode) string {
	if mode == crashModeKill {
		return "kill"
	}
	return mode.String()
}

// image gives what a crash leaves of a file system.
func image(mem *blocktest.MemFS, mode blocktest.CrashMode, rng *rand.Rand) (*blocktest.MemFS, crashKind) {
	switch mode {
	case crashModeKill:
		return mem.Fork(), killed
	case blocktest.KeepAll:
		return mem.CrashImage(mode, rng), killed
	}
	return mem.CrashImage(mode, rng), powerless
}

// crash examines what a crash leaves, lets some stores go on, and crashes those
// again.
func (s *crashSweep) crash(index int, mode blocktest.CrashMode) error {
	rng := randomOf(s.plan.seed, int64(index), int64(mode))
	mem, kind := image(s.life.mem, mode, rng)
	life := newLife(s.plan, mem, s.life.model.fork(), s.life.now)
	life.plant, life.rewrite = s.plant, s.life.rewrite+rng.Intn(2)
	var second *secondCrash
	if rng.Intn(6) < s.follow || mode == crashModeKill || *crashAt >= 0 {
		second = &secondCrash{countdown: rng.Intn(24), mode: crashModes[rng.Intn(len(crashModes))], rng: rng, first: life, kind: kind}
		life.fs.SetHook(second.hook)
	}
	s.points++
	if err := life.reopen(kind); err != nil {
		return err
	}
	if second == nil || life.errors.first != "" { // damage would be reported again and again
		life.fs.SetHook(nil)
		err := life.again()
		if err == nil && life.model.lives {
			err = life.awake()
		}
		life.end()
		return err
	}
	second.kind = killed
	for i := s.step; i < len(s.plan.steps) && second.life == nil; i++ {
		if err := life.do(&s.plan.steps[i]); err != nil {
			return fmt.Errorf("after recovery, at step %d: %w", i, err)
		}
	}
	life.end()
	if second.life == nil {
		return nil
	}
	s.points++
	if err := second.check(); err != nil {
		return fmt.Errorf("then %s before operation %v of the recovered store: %w", modeName(second.mode), second.op, err)
	}
	return nil
}

// secondCrash takes an image of a store that recovers from a crash, or goes on
// after it.
type secondCrash struct {
	countdown int
	mode      blocktest.CrashMode
	rng       *rand.Rand
	first     *crashLife
	kind      crashKind // of the first crash, until the store is open

	op   blocktest.Op
	life *crashLife
	then crashKind
}

func (c *secondCrash) hook(op blocktest.Op) blocktest.Fault {
	if !changes(op.Kind) || c.life != nil {
		return blocktest.Fault{}
	}
	if c.countdown--; c.countdown < 0 {
		mem, kind := image(c.first.mem, c.mode, c.rng)
		c.op, c.then = op, max(kind, c.kind)
		c.life = newLife(c.first.plan, mem, c.first.model.fork(), c.first.now)
		c.life.plant, c.life.rewrite = c.first.plant, c.first.rewrite
	}
	return blocktest.Fault{}
}

func (c *secondCrash) check() error {
	if err := c.life.reopen(c.then); err != nil {
		return err
	}
	err := c.life.again()
	c.life.end()
	return err
}

// sweep runs scripts on all processors until there were so many points, at least
// one a seed, and returns their number and the first finding.
func sweep(draw func(seed int64, commands int) *crashPlan, p plant, seed int64, seeds, points, follow int) (int, error) {
	var (
		running sync.WaitGroup
		next    atomic.Int64
		done    atomic.Int64
		once    sync.Once
		found   error
		enough  atomic.Bool
	)
	next.Store(seed - 1)
	for range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			for !enough.Load() {
				own := next.Add(1)
				if own >= seed+int64(seeds) && int(done.Load()) >= points || own > seed && *crashAt >= 0 {
					return
				}
				s := &crashSweep{plan: draw(own, crashCommands), plant: p, follow: follow, stride: strideInShort(p)}
				err := s.run()
				done.Add(int64(s.points))
				if err != nil {
					once.Do(func() { found = err })
					enough.Store(true)
				}
			}
		})
	}
	running.Wait()
	return int(done.Load()), found
}

// seedsInShort is how many scripts the short form runs.
func seedsInShort() int {
	if testing.Short() {
		return 1
	}
	return 4
}

// strideInShort is how far apart the crashes of a script are. Under the race detector they are few: each is the same with another
// state of the files, and not with other goroutines. A planted bug shows at few of them.
func strideInShort(p plant) int {
	if testing.Short() && p == nothing && *crashPoints == 0 {
		return 5
	}
	return 1
}

// TestCrashSweep crashes scripts of 200 commands at every file operation in every
// mode: what recovery finds is what a prefix of the commands made, with all that
// was acknowledged in it.
func TestCrashSweep(t *testing.T) {
	start := time.Now()
	points, err := sweep(newCrashPlan, nothing, *crashSeed, seedsInShort(), 0, 2)
	report(t, points, start)
	if err != nil {
		t.Fatal(err)
	}
}

// TestCrashSweepLong is the same over as many seeds as it takes.
func TestCrashSweepLong(t *testing.T) {
	if *crashPoints == 0 {
		t.Log("no -crash.points: see make crash")
		return
	}
	start := time.Now()
	points, err := sweep(newCrashPlan, nothing, *crashSeed, 4, *crashPoints, 6)
	report(t, points, start)
	if err != nil {
		t.Fatal(err)
	}
}

func report(t *testing.T, points int, start time.Time) {
	took := time.Since(start)
	t.Logf("%d crash points in %v, %.0f a second", points, took.Round(time.Millisecond), float64(points)/took.Seconds())
}

// TestCrashSweepFindsPlantedBugs removes one of the things that durability rests
// on, and must see the sweep fail.
func TestCrashSweepFindsPlantedBugs(t *testing.T) {
	plants := []plant{noSync, noSyncDir, earlyAck, earlyRemoval}
	if testing.Short() {
		plants = plants[:1] // that the sweep sees them is no matter of the race detector
	}
	for _, p := range plants {
		t.Run(p.String(), func(t *testing.T) {
			points, err := sweep(newCrashPlan, p, *crashSeed, 4, 0, 2)
			if err == nil {
				t.Fatalf("nothing was found at %d crash points", points)
			}
			t.Logf("found after %d crash points: %v", points, err)
		})
	}
}
