package actors_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand"
	randv2 "math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/blockio/sealed"
)

// See docs/testing.md.
var (
	removalSeeds = flag.Int("removals.seeds", 0, "scripts of TestRemovalsSurviveCrashes, each crash in every mode; the short form when 0")
	removalSeed  = flag.Uint64("removals.seed", 1, "the first seed of these scripts")
)

// removalsScript is a store of real actors that carries out random commands, of which some are on their way at a
// time, and the stream as it has to be after each of them. The seed decides on the commands; the scheduler on the
// groups that they get into, and on what is done beside.
type removalsScript struct {
	t      *testing.T
	seed   uint64
	draw   *removalsDraw
	config actors.Config
	store  *actors.Store
	shown  atomic.Pointer[actors.Store] // the same, for who looks on beside the script
	client *client

	mu     sync.Mutex
	states []stock // after so many commands
	texts  []string
	least  int // so many are done, or a later one is
	limits bool
	// names has what was stored under a sequence last, and erased what was erased.
	names  map[uint64]string
	erased []string

	waiting map[int]removalsCommand
	wants   map[int]outcome
}

func newRemovalsScript(t *testing.T, seed uint64, level actors.SyncLevel, fs blockio.FS) *removalsScript {
	t.Helper()
	random := randv2.New(randv2.NewPCG(seed, 7))
	x := &removalsScript{
		t: t, seed: seed, draw: &removalsDraw{random: random, end: seed%2 == 0}, client: newClient(t, 100),
		names: map[uint64]string{}, waiting: map[int]removalsCommand{}, wants: map[int]outcome{},
	}
	x.config = actors.Config{
		Dir: "data", Name: "ORDERS", FS: fs, BlockSize: []int64{4 << 10, 4 << 10, 512, 4 << 10, 32}[seed%5], Sync: level,
		IndexFrom: pickOf(random, int64(1), 1, -1), CompactBelow: pickOf(random, 90, 90, 50, -1), Compression: pickOf(random, actors.On, actors.Off),
		FirstSequence: pickOf(random, uint64(0), 0, 1000), NoPreallocation: random.IntN(2) == 0,
	}
	actors.EncryptSome(&x.config, seed)
	first := stock{}
	if x.config.FirstSequence > 0 {
		first.begin = x.config.FirstSequence - 1
	}
	first.last = first.begin
	first.limits = stockLimits{messages: pickOf(random, int64(0), 0, 40), per: pickOf(random, int64(0), 0, 2)}
	x.config.MaxMsgs, x.config.MaxMsgsPer = first.limits.messages, first.limits.per
	x.states = []stock{first}
	x.store = openToFail(t, x.config)
	x.config.MaxMsgs, x.config.MaxMsgsPer = 0, 0 // as stored
	return x
}

func (x *removalsScript) last() stock { return x.states[len(x.states)-1] }

// explain has a failure tell of the script.
func (x *removalsScript) explain(commands int) string {
	return fmt.Sprintf("seed %d, config %+v, after:\n%s", x.seed, x.config, strings.Join(x.texts[:commands], "\n"))
}

// run carries out so many commands, up to most of them at a time.
func (x *removalsScript) run(commands, most int) {
	for range commands {
		n := len(x.texts)
		c := x.draw.command(x.last(), n)
		for c.alone && len(x.waiting) > 0 || len(x.waiting) >= most {
			x.take()
		}
		x.send(n, c)
		for c.alone && len(x.waiting) > 0 {
			x.take()
		}
	}
	for len(x.waiting) > 0 {
		x.take()
	}
}

func (x *removalsScript) send(n int, c removalsCommand) {
	switch {
	case c.restart:
		require.NoError(x.t, x.store.Stop(context.Background()), x.explain(n))
		x.store = openToFail(x.t, x.config)
		x.shown.Store(x.store)
		x.verify(x.store, x.last(), "reopened")
		return
	case c.settle:
		require.NoError(x.t, x.store.Flush(context.Background()))
		eventually(x.t, func() bool { return x.store.Stats().Unindexed == 0 })
		x.verify(x.store, x.last(), "settled")
		return
	}
	c.erasing = x.names[c.erases]
	next, want := c.apply(x.last())
	x.mu.Lock()
	x.states, x.texts, x.limits = append(x.states, next), append(x.texts, c.text), c.limits
	x.mu.Unlock()
	for _, m := range next.live {
		x.names[m.sequence] = m.token
	}
	for sequence := range x.names {
		if sequence > next.last {
			delete(x.names, sequence)
		}
	}
	x.waiting[n], x.wants[n] = c, want
	quiet.Root.Send(x.client.pid, &send{x.store.PID(), c.request})
}

// take takes one answer.
func (x *removalsScript) take() {
	var n int
	var got outcome
	switch r := within(x.t, x.client.replies).(type) {
	case *actors.StoreReply:
		n, got = r.Tag.(int), outcome{last: r.Ack.Sequence, err: r.Err}
	case *actors.StoreBatchReply:
		n, got = r.Tag.(int), outcome{last: r.Ack.Last, err: r.Err}
	case *actors.SkipReply:
		n, got = r.Tag.(int), outcome{last: r.Last, err: r.Err}
	case *actors.RemoveReply:
		n, got = r.Tag.(int), outcome{err: r.Err}
		if r.Removed {
			got.count = 1
		}
	case *actors.PurgeReply:
		n, got = r.Tag.(int), outcome{count: r.Removed, err: r.Err}
	case *actors.UpdateConfigReply:
		n, got = r.Tag.(int), outcome{err: r.Err}
	default:
		require.Fail(x.t, "no such reply", "%T", r)
	}
	c, want := x.waiting[n], x.wants[n]
	if c.erases > 0 && got.err == nil && want.err == actors.ErrNotFound {
		want.err = nil // a file had its bytes
	}
	require.NoError(x.t, want.check(got), "command %d, %s; %s", n, c.text, x.explain(len(x.texts)))
	delete(x.waiting, n)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.least = max(x.least, n+1); c.limits {
		x.limits = false
	}
	if c.erases > 0 && got.err == nil {
		if c.erasing != "" {
			x.erased = append(x.erased[:len(x.erased):len(x.erased)], c.erasing)
		}
	}
}

func find(live []stocked, sequence uint64) (stocked, bool) {
	for _, m := range live {
		if m.sequence == sequence {
			return m, true
		}
	}
	return stocked{}, false
}

// removalsImage is what a crash of a script leaves, and what it has to have.
type removalsImage struct {
	mem         *blocktest.MemFS
	what        string
	least, most int
	limits      bool
	erased      []string
}

// images has every operation that changes a file system leave images of crashes before it, until stop is called.
func (x *removalsScript) images(fs *blocktest.FaultFS, mem *blocktest.MemFS, modes int) (images *[]removalsImage, stop func()) {
	images = new([]removalsImage)
	rng := rand.New(rand.NewSource(int64(x.seed)))
	stopped, next := false, 0
	fs.SetHook(func(op blocktest.Op) blocktest.Fault {
		if !changesFiles(op.Kind) {
			return blocktest.Fault{}
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		if stopped {
			return blocktest.Fault{}
		}
		for range modes {
			mode := blocktest.CrashModes[next%len(blocktest.CrashModes)]
			if next++; x.config.Sync != actors.SyncAlways {
				mode = blocktest.KeepAll // a loss of power may leave holes
			}
			*images = append(*images, removalsImage{
				mem: mem.CrashImage(mode, rng), what: fmt.Sprintf("before %v, %v", op, mode),
				least: x.least, most: len(x.states) - 1, limits: x.limits, erased: x.erased,
			})
		}
		return blocktest.Fault{}
	})
	return images, func() {
		x.mu.Lock()
		stopped = true
		x.mu.Unlock()
		fs.SetHook(nil)
	}
}

func changesFiles(kind blocktest.OpKind) bool {
	switch kind {
	case blocktest.OpCreate, blocktest.OpWrite, blocktest.OpTruncate, blocktest.OpSync, blocktest.OpRemove,
		blocktest.OpRename, blocktest.OpMkdir, blocktest.OpSyncDir:
		return true
	}
	return false
}

// foundIn reads a whole stream.
func foundIn(t *testing.T, s *actors.Store) (found []stocked) {
	t.Helper()
	for m, err := range s.Messages(t.Context()) {
		require.NoError(t, err)
		token, _, _ := strings.Cut(string(m.Payload), ">")
		found = append(found, stocked{m.Sequence, m.Subject, token + ">", actors.RecordSize(len(m.Subject), len(m.HeaderBlock), len(m.Payload))})
		if len(m.HeaderBlock) > 0 {
			require.Contains(t, string(m.HeaderBlock), token+">")
		}
	}
	return found
}

func (x *removalsScript) verify(s *actors.Store, want stock, what string) {
	x.t.Helper()
	require.NoError(x.t, want.differs(foundIn(x.t, s), stateOf(x.t, s)), "%s; %s", what, x.explain(len(x.texts)))
	requireInvariants(x.t, s)
}

// check opens what a crash has left, and lets some of the streams go on.
func (x *removalsScript) check(image removalsImage, goOn bool) {
	t := x.t
	what := func() string { return image.what + "; " + x.explain(image.most) }
	if len(image.erased) > 0 {
		require.Empty(t, tokensIn(t, decrypted(t, x.config, image.mem), image.erased), what())
	}
	config := x.config
	config.FS = image.mem
	s := openToFail(t, config)
	state, found := stateOf(t, s), foundIn(t, s)
	require.Zero(t, state.LostMessages, what())
	at, err := -1, error(nil)
	for i := image.most; i >= image.least && at < 0; i-- {
		one := x.states[i].differs(found, state)
		if one == nil {
			at = i
		} else if err == nil {
			err = one
		}
	}
	if at < 0 && image.limits {
		require.NoError(t, between(found, x.states[image.least], x.states[image.most]), what())
		err = nil
	}
	require.True(t, at >= 0 || err == nil, "%v, nor any other state from %d to %d; %s", err, image.least, image.most, what())
	requireInvariants(t, s)
	if len(image.erased) > 0 {
		require.Empty(t, tokensIn(t, decrypted(t, config, image.mem), image.erased), what())
	}
	if at < 0 || !goOn || image.limits {
		require.NoError(t, s.Stop(context.Background()))
		return
	}
	y := &removalsScript{
		t: t, seed: x.seed, draw: &removalsDraw{random: randv2.New(randv2.NewPCG(x.seed, uint64(at))), tokens: 1000}, config: config, store: s,
		client: x.client, states: []stock{x.states[at]}, names: map[uint64]string{}, waiting: map[int]removalsCommand{}, wants: map[int]outcome{},
	}
	y.run(6, 3)
	y.verify(y.store, y.last(), "goes on after "+what())
	require.NoError(t, y.store.Stop(context.Background()))
	s = openToFail(t, config)
	y.verify(s, y.last(), "goes on and is reopened after "+what())
	require.NoError(t, s.Stop(context.Background()))
}

// between returns why messages are not what a change of the limits may have left so far.
func between(found []stocked, before, after stock) error {
	for _, m := range after.live {
		if _, ok := find(found, m.sequence); !ok {
			return fmt.Errorf("message %d is missing", m.sequence)
		}
	}
	for _, m := range found {
		if had, ok := find(before.live, m.sequence); !ok || had != m {
			return fmt.Errorf("message %d should not be there", m.sequence)
		}
	}
	return nil
}

// decrypted returns the files of a stream as the store reads them.
func decrypted(t *testing.T, config actors.Config, files blockio.FS) blockio.FS {
	t.Helper()
	if config.Key == nil {
		return files
	}
	s := sealed.New(sealed.Options{FS: files, Dir: "data/ORDERS", Stream: "ORDERS", Key: config.Key})
	require.NoError(t, s.Look())
	return s
}

// tokensIn returns which files of a file system have any of the tokens.
func tokensIn(t *testing.T, files blockio.FS, tokens []string) (found []string) {
	t.Helper()
	for name, content := range contentOf(t, files, "data") {
		for _, token := range tokens {
			if strings.Contains(content, token) {
				found = append(found, name+" has "+token)
			}
		}
	}
	return found
}

// TestRemovalsSurviveCrashes has random scripts of everything that removes messages, and of stores, crash at each
// operation on the files. What is found is what some prefix of the commands has made, with all in it that was
// answered; so nothing that was removed is back. What was erased is in no file, before recovery and after it. Some
// of the streams go on then, and some crash again in their recovery.
func TestRemovalsSurviveCrashes(t *testing.T) {
	seeds, modes := 4, 1
	if *removalSeeds > 0 {
		seeds, modes = *removalSeeds, len(blocktest.CrashModes)
	}
	began, crashes, rewritten, truncated := time.Now(), 0, 0, 0
	for seed := *removalSeed; seed < *removalSeed+uint64(seeds); seed++ {
		mem := blocktest.NewMemFS()
		fs := blocktest.NewFaultFS(mem)
		level := []actors.SyncLevel{actors.SyncAlways, actors.SyncAlways, actors.SyncInterval}[seed%3]
		x := newRemovalsScript(t, seed, level, fs)
		x.run(25, 8) // something to remove
		images, stop := x.images(fs, mem, modes)
		x.run(35, 8)
		require.NoError(t, x.store.Stop(context.Background()))
		stop()
		x.config.FS = nil
		var more []removalsImage
		for i, image := range *images {
			if strings.Contains(image.what, ".rewrite.tmp") {
				rewritten++
			}
			if strings.Contains(image.what, "millrace.truncate") {
				truncated++
			}
			if i%37 == 0 {
				more = append(more, x.recover(image)...)
			}
			if i%3 == 0 {
				image.mem, image.what = withoutDerived(t, image.mem), image.what+", without indexes"
			}
			x.check(image, i%5 == 0)
		}
		for _, image := range more {
			x.check(image, false)
		}
		crashes += len(*images) + len(more)
	}
	t.Logf("%d crashes, %d of them in a compaction and %d in a truncation, %.0f a second", crashes, rewritten, truncated, float64(crashes)/time.Since(began).Seconds())
	require.NotZero(t, rewritten)
	require.NotZero(t, truncated)
}

// TestRandomRemovals is the same without crashes, and longer: each answer is that of the model, and so is the
// stream when all were answered, and when it was opened again.
func TestRandomRemovals(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		for seed := *removalSeed; seed < *removalSeed+max(6, 4*uint64(*removalSeeds)); seed++ {
			x := newRemovalsScript(t, seed, level, blocktest.NewMemFS())
			for range 60 {
				x.run(6, 4)
				x.verify(x.store, x.last(), "run")
			}
			require.NoError(t, x.store.Stop(context.Background()))
		}
	})
}

// recover opens what a crash has left, and returns what crashes of that leave.
func (x *removalsScript) recover(image removalsImage) []removalsImage {
	mem := image.mem.Clone()
	fs := blocktest.NewFaultFS(mem)
	config := x.config
	config.FS = fs
	images, stop := x.images(fs, mem, 1)
	s := openToFail(x.t, config)
	stop()
	require.NoError(x.t, s.Stop(context.Background()))
	for i := range *images {
		again := &(*images)[i]
		again.what = image.what + ", then " + again.what
		again.least, again.most, again.limits, again.erased = image.least, image.most, image.limits, image.erased
	}
	return *images
}
