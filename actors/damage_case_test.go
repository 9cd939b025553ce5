package actors_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// A damageWorker runs cases, one after another.
type damageWorker struct {
	system  *actor.ActorSystem
	runtime *actors.Runtime
	log     *panicLog
	dir     string // on the real file system
	n       int
}

// memoryFolder is where Linux has a file system that keeps its files in memory: one as real as others to
// mappings and inodes, and a sync takes no time.
const memoryFolder = "/dev/shm"

func newDamageWorker(t *testing.T) *damageWorker {
	if dir, err := os.MkdirTemp(memoryFolder, "millrace"); err == nil {
		require.NoError(t, os.Remove(dir))
		t.Setenv("TMPDIR", memoryFolder)
	}
	w := &damageWorker{log: &panicLog{}, dir: t.TempDir(), runtime: damageRuntime(fixtureStart.Add(24 * time.Hour))}
	logger := slog.New(w.log)
	w.system = actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return logger }),
		actor.WithDeadLetterThrottleInterval(10*time.Millisecond),
	)
	// While one store is open the runtime keeps the memory of those that stop: it need not be cleared anew.
	keeper, err := actors.Open(t.Context(), w.system, actors.Config{Dir: damageDir, Name: "KEEPER", FS: blocktest.NewMemFS(), Runtime: w.runtime})
	require.NoError(t, err)
	_, err = keeper.StoreMsg(t.Context(), "a", nil, nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, keeper.Stop(context.Background()))
		w.system.Shutdown()
	})
	return w
}

// A panicLog keeps what is logged of panics of actors.
type panicLog struct {
	mu   sync.Mutex
	list []string
}

// Enabled implements slog.Handler.
func (*panicLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

// WithAttrs implements slog.Handler.
func (l *panicLog) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler.
func (l *panicLog) WithGroup(string) slog.Handler { return l }

// Handle implements slog.Handler.
func (l *panicLog) Handle(_ context.Context, r slog.Record) error {
	if !strings.Contains(strings.ToLower(r.Message), "panic") {
		return nil
	}
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, text)
	return nil
}

// take returns what there is, and forgets it.
func (l *panicLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.list
	l.list = nil
	return list
}

// A damageRun is one case in the making.
type damageRun struct {
	*damageChecker
	worker *damageWorker
	c      damageCase
	config actors.Config
	order  int
	open   *actors.Store
}

// run does one case and returns what is wrong with it. plants make something wrong.
func (w *damageWorker) run(c damageCase, plants ...func(*damageRun)) (findings []damageFinding) {
	world := c.image.world
	r := &damageRun{
		worker: w, c: c, config: world.config, order: c.at,
		damageChecker: &damageChecker{world: world, licence: c.licence(), stored: maps.Clone(world.stored), added: map[uint64]bool{}, top: c.top()},
	}
	r.config.Runtime = w.runtime
	r.config.Logger = slog.New(w.log)
	for _, plant := range plants {
		plant(r)
	}
	defer func() {
		if p := recover(); p != nil {
			r.found(damagePanic, "%v\n%s", p, debug.Stack())
			if r.open != nil {
				_ = r.open.Stop(context.Background())
			}
		}
		for _, text := range w.log.take() {
			r.found(damagePanic, "%s", text)
		}
		findings = r.findings
	}()
	if err := r.do(); err != nil {
		r.found(damageRefused, "%v", err)
	}
	return r.findings
}

func (r *damageRun) do() error {
	if !r.c.way.warm() {
		r.config.Dir, r.config.FS = damageDir, r.c.image.base.Clone()
		if err := r.c.doCold(r.config.FS.(*blocktest.MemFS)); err != nil {
			return err
		}
		r.afterwards("cold", 2, nil)
		return nil
	}
	r.worker.n++
	r.config.Dir, r.config.FS = filepath.Join(r.worker.dir, fmt.Sprint(r.worker.n)), unsyncedFS{blockio.OS}
	defer os.RemoveAll(r.config.Dir)
	folder := filepath.Join(r.config.Dir, r.config.Name)
	if err := r.c.image.write(folder); err != nil {
		return err
	}
	below := r.config.CompactBelow
	r.config.CompactBelow = -1 // which of the two files of a block is damaged would be a matter of chance
	if !r.start("before") {
		return nil
	}
	r.config.CompactBelow = below
	licence := r.licence
	r.licence = &damageLicence{}
	r.look(r.open, "before", 0)
	if !r.indexed() {
		return errors.New("its indexes are not written in a minute")
	}
	r.licence = licence
	if err := r.c.doWarm(folder); err != nil {
		return err
	}
	r.licence = licence.open()
	warm := r.pass("warm")
	r.stop("warm")
	r.licence = licence
	if r.noticed() {
		return nil
	}
	r.afterwards("then", 2, warm)
	return nil
}

// indexed waits until the blocks have their indexes: one that gets it later is opened anew then, and who has read the file
// as it was reads the damaged one. It reports whether that came about.
func (r *damageRun) indexed() bool {
	for deadline := time.After(time.Minute); r.open.Stats().Unindexed > 0; {
		select {
		case <-deadline:
			return false
		case <-time.After(time.Millisecond):
		}
	}
	return true
}

// noticed reports whether the store has failed since it has noticed that somebody else changed its last block: it says so. A
// store that has failed takes no reports of what is lost, and what it had not written by then is not known to the next opening.
// So that it shows nothing wrong is all that is left of the findings.
func (r *damageRun) noticed() bool {
	if !slices.ContainsFunc(r.findings, func(f damageFinding) bool {
		return f.kind == damageRefused && strings.Contains(f.text, "somebody else has changed ") // as a blockio.ChangedError says it
	}) {
		return false
	}
	r.findings = slices.DeleteFunc(r.findings, func(f damageFinding) bool {
		return f.kind == damageRefused || f.kind == damageUnreported || f.kind == damageDisagree
	})
	return true
}

// afterwards opens the store n times, each time with everything asked, and one more message. warm is what it
// was like under the damage, nil if it was not open then.
func (r *damageRun) afterwards(when string, n int, warm *damageLook) {
	var before *damageLook
	for i := range n {
		at := fmt.Sprintf("%s, opening %d", when, i+1)
		if !r.start(at) {
			return
		}
		now := r.pass(at)
		r.stop(at)
		if before != nil {
			r.equal(before, now, at)
		}
		for _, then := range []*damageLook{warm, before} {
			if then != nil {
				r.equalBytes(then, now, at)
			}
		}
		before = now
		r.order++
	}
}

// pass asks everything twice, as the first time may be what finds the damage, and stores one more message.
func (r *damageRun) pass(when string) *damageLook {
	first := r.look(r.open, when+", first pass", r.order)
	if err := r.open.Flush(context.Background()); err != nil { // what the pass has found has then been seen to
		r.found(damageRefused, "%s: flush: %v", when, err)
	}
	r.recounted()
	l := r.look(r.open, when, 0)
	r.equal(first, l, when+", second pass")
	r.judge(r.open, l, when)
	r.state(r.open, l, when)
	l.lostBytes = r.open.Stats().LostBytes
	r.more(r.open, when)
	return l
}

// recounted waits until the store knows the subjects of all that was lost. One that has failed, as it has noticed that
// somebody else changes its files, does not find them out any more.
func (r *damageRun) recounted() {
	ticker := time.NewTicker(100 * time.Microsecond)
	defer ticker.Stop()
	for stats := r.open.Stats(); stats.Recounting && !stats.Failed; stats = r.open.Stats() {
		<-ticker.C
	}
}

// start opens the store. It is false when that is refused.
func (r *damageRun) start(when string) bool {
	folder := path.Join(r.config.Dir, r.config.Name)
	before, err := damageFiles(r.config.FS, folder)
	if err != nil {
		r.found(damageRefused, "%s: %v", when, err)
		return false
	}
	r.open, err = actors.Open(context.Background(), r.worker.system, r.config)
	switch {
	case err == nil:
		if r.licence.mustRefuse {
			r.found(damageUnreported, "%s: it opens, with limits that are guessed", when)
		}
		return true
	case !r.licence.refuse:
		r.found(damageRefused, "%s: %v", when, err)
	case !errors.Is(err, actors.ErrCorrupt) && !errors.Is(err, actors.ErrUnsupported):
		r.found(damageRefused, "%s: no typed error: %v", when, err)
	}
	if after, err := damageFiles(r.config.FS, folder); err != nil || !maps.EqualFunc(before, after, slices.Equal) {
		r.found(damageRefused, "%s: refused, and yet it changed the directory (%v)", when, err)
	}
	return false
}

func (r *damageRun) stop(when string) {
	if err := r.open.Stop(context.Background()); err != nil {
		r.found(damageRefused, "%s: stop: %v", when, err)
	}
	r.open = nil
}

// doCold damages the file in memory.
func (c damageCase) doCold(memory *blocktest.MemFS) error {
	name := path.Join(damageDir, c.image.world.config.Name, c.file.path)
	data, there := c.changed()
	switch {
	case c.kind == damageNothing:
		return nil
	case !there:
		return errors.Join(memory.Remove(name), memory.SyncDir(path.Dir(name)))
	case c.way == coldWritten:
		return writeFileTo(memory, name, data)
	}
	return memory.Rot(name, func([]byte) []byte { return data })
}

// write puts the files of an image onto the real file system.
func (i *damageImage) write(folder string) error {
	if err := os.MkdirAll(filepath.Join(folder, "msgs"), 0o700); err != nil {
		return err
	}
	for _, f := range i.files {
		if err := os.WriteFile(filepath.Join(folder, filepath.FromSlash(f.path)), f.data, 0o600); err != nil {
			return err
		}
	}
	// An index is of a block that was last changed when the index says.
	for _, f := range i.files {
		if f.block == 0 {
			continue
		}
		at := time.Unix(0, i.modTime(f))
		if err := os.Chtimes(filepath.Join(folder, filepath.FromSlash(f.path)), at, at); err != nil {
			return err
		}
	}
	return nil
}

// modTime is when a file of the image was last changed.
func (i *damageImage) modTime(f *damageFile) int64 {
	file, err := i.base.OpenFile(path.Join(damageDir, i.world.config.Name, f.path), blockio.ModeRead)
	if err != nil {
		return 0
	}
	defer file.Close()
	stat, _ := file.Stat() // of memory
	return stat.ModTime
}

// doWarm damages the file under an open store. A rest of a file that was cut in place is written again as
// it is now: the file stays the same one.
func (c damageCase) doWarm(folder string) error {
	name := filepath.Join(folder, filepath.FromSlash(c.file.path))
	data, there := c.changed()
	if c.kind == damageNothing {
		return nil
	}
	if !there {
		if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) { // the store may have taken it away
			return err
		}
		return nil
	}
	stat, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the store has taken it away
	}
	if err != nil {
		return err
	}
	if c.way == warmReplace {
		if err := os.WriteFile(name+".new", data, 0o600); err != nil {
			return err
		}
		return os.Rename(name+".new", name)
	}
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(data, 0)
	if err = errors.Join(err, file.Truncate(int64(len(data))), file.Close()); err != nil || c.way == warmWritten {
		return err
	}
	return os.Chtimes(name, stat.ModTime(), stat.ModTime())
}

// unsyncedFS is the machine's file system without the waiting: no test that uses it takes the power away.
type unsyncedFS struct{ blockio.FS }

// SyncDir implements blockio.FS.
func (unsyncedFS) SyncDir(string) error { return nil }
