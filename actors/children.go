package actors

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// job is work for a child of the store actor.
type job interface {
	// run carries it out, and returns what completes it.
	run() any
	// failed returns what completes it when it was not carried out, or not to its end.
	failed(err error) any
}

// task is a job on its way to a child and back: the child sends it back when it has carried it out.
type task struct {
	lane *lane
	job  job
	done any   // what completes the job, nil before that
	err  error // why the job was not carried out to its end: the child has panicked, or has ended; nil if it was
	// aside tells that no child has it: it is carried out where the turn of the store actor was.
	aside bool
}

// Control implements mailbox.Control.
func (*task) Control() {}

// IgnoreDeadLetterLogging keeps messages out of the actor library's log: a child may have been stopped from outside.
func (*task) IgnoreDeadLetterLogging() {}

// carryOut runs the job. A panic ends the job, and not the child.
func (t *task) carryOut(plant func(any)) {
	defer func() {
		if reason := recover(); reason != nil {
			t.fail(fmt.Errorf("%w in a child, at %T: %v", errPanic, t.job, reason), debug.Stack())
		}
	}()
	if plant != nil {
		plant(t.job)
	}
	t.done = t.job.run()
}

// fail completes a job that was not carried out to its end.
func (t *task) fail(err error, stack []byte) {
	t.err = &crash{err, stack}
	t.done = t.job.failed(err)
}

// writes reports whether the job is of the log.
func (t *task) writes() bool {
	switch t.job.(type) {
	case *commitWork, *maintenanceWork:
		return true
	}
	return false
}

// lane is one child of the store actor, and what it has to do.
type lane struct {
	name string
	pid  *actor.PID // nil until it is needed
	out  []*task    // in order, as the child completes them
}

// childActor carries out tasks one after the other. The block-writer, the commit lane, creates, appends, syncs and
// seals blocks. The flusher, the maintenance lane, syncs in the background, seals, reads tables, removes blocks,
// and recovers. The indexer and the compactors have what takes long, and must not keep the lanes waiting.
type childActor struct {
	plant func(any)
	aside asideGate // nil but for the block-writer
}

// asideGate tells the block-writer of commits that are put aside: it has capacity 1, and is full while one is.
type asideGate chan struct{}

// Receive implements actor.Actor.
func (c *childActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *task:
		m.carryOut(c.plant)
		ctx.Send(ctx.Parent(), m)
	case *actor.Stopping:
		// A commit that is put aside is the block-writer's all the same: as long as it is under way the child does not
		// end, and so the store actor, which waits for its children, is there to answer.
		if c.aside != nil {
			c.aside <- struct{}{}
			<-c.aside
		}
	}
}

// assign gives a task to a child, which is spawned when it is first needed, and after it has ended.
func (a *storeActor) assign(ctx actor.SpawnerContext, l *lane, t *task) {
	a.spawnChild(ctx, l)
	t.lane = l
	l.out = append(l.out, t)
	a.system.Root.Send(l.pid, t)
}

func (a *storeActor) spawnChild(ctx actor.SpawnerContext, l *lane) {
	if l.pid == nil {
		props := a.runtime.child
		if l == &a.writer { // it has the gate from the start: it may be stopped before it has handled any message
			props = actor.PropsFromProducer(func() actor.Actor { return &childActor{plant: a.runtime.plant, aside: a.aside} })
		}
		l.pid = ctx.Spawn(props)
	}
}

// lanes returns all lanes.
func (a *storeActor) lanes() []*lane {
	return append([]*lane{&a.writer, &a.flusher, &a.indexer}, a.compactors...)
}

// busy reports whether a child has anything to do.
func (a *storeActor) busy() bool {
	return len(a.writer.out) > 0 || len(a.flusher.out) > 0 || a.indexing()
}

// indexing reports whether an indexer or a compactor has anything to do.
func (a *storeActor) indexing() bool {
	for _, l := range a.compactors {
		if len(l.out) > 0 {
			return true
		}
	}
	return len(a.indexer.out) > 0
}

// onTask takes a task that a child has carried out, or that it never will.
func (a *storeActor) onTask(ctx actor.Context, t *task) {
	if a.ended && t.writes() {
		return // writeRest takes it from the lane: the engine has to know, to write what comes behind it
	}
	l := t.lane
	i := slices.Index(l.out, t)
	if i < 0 {
		return // it was completed when its child had ended
	}
	l.out[i] = nil // which may hold the memory of a group
	if l.out = slices.Delete(l.out, i, i+1); len(l.out) == 0 {
		l.out = nil
	}
	if t.err != nil && !a.ended {
		a.crashed(t.err)
	}
	switch m := t.done.(type) {
	case *commitDone:
		if w, ok := t.job.(*commitWork); ok && m.done.Err != nil {
			a.failure.proof.size = roomFor(w.commit.Bytes)
		}
		a.onCommitDone(m)
	case *workDone:
		a.onWorkDone(m)
	case *recovered:
		a.onRecovered(ctx, m)
	case *proofDone:
		a.onProof(m)
	case *truncated:
		a.onTruncated(ctx, m)
	case *fetchDone:
		a.onFetched(m)
	case *compactDone:
		a.onCompacted(m)
	case *indexDone:
		a.onIndexDone(m)
	case *renewDone:
		a.onRenewed(m)
	case *stateDone:
		a.onStateDone(m)
	case *metaDone:
		a.onMetaDone(m)
	}
	a.beginTruncation(ctx)
}

// childEnded tells that a child has ended, behind all that it has completed.
type childEnded struct {
	lane *lane
	pid  *actor.PID
}

// Control implements mailbox.Control.
func (*childEnded) Control() {}

// onChildEnded gives up what a child has not carried out, and will not: somebody has stopped it. Another one takes
// its place.
func (a *storeActor) onChildEnded(ctx actor.Context, m *childEnded) {
	l := m.lane
	if a.ended || !m.pid.Equal(l.pid) {
		return
	}
	l.pid = nil
	a.spawnChild(ctx, l)
	err := fmt.Errorf("%w: the %s", errChildEnded, l.name)
	if len(l.out) == 0 {
		a.crashed(&crash{err, nil})
		return
	}
	for _, t := range slices.Clone(l.out) {
		if !t.aside {
			t.fail(err, nil)
			a.onTask(ctx, t)
		}
	}
}

// commitWork is a commit for the block-writer. The commit belongs to the engine and stays as it is
// until it is completed.
type commitWork struct {
	task   task
	files  *disk.Files
	commit *engine.Commit
	done   commitDone
	owner  *storeActor // that has put it aside
}

func (w *commitWork) run() any {
	start := instant()
	syncs, err := w.files.TimedCommit(w.commit)
	w.done = commitDone{done: engine.Done{ID: w.commit.ID, Err: blockio.NameCause(err)}, took: time.Duration(instant() - start), syncs: syncs}
	return &w.done
}

func (w *commitWork) failed(err error) any {
	return &commitDone{done: engine.Done{ID: w.commit.ID, Err: err}}
}

// maintenanceWork is work for the flusher.
type maintenanceWork struct {
	files  *disk.Files
	work   engine.Work
	stream *stream
}

func (w *maintenanceWork) run() any {
	start := time.Now()
	var done engine.Done
	try := func() error {
		done = w.files.Work(w.work)
		return done.Err
	}
	if w.work.Kind == engine.WorkErase { // which reads as well, and may be done again
		done.Err = w.stream.waitFor(try)
	} else {
		done.Err = blockio.NameCause(try())
	}
	return &workDone{w.work, done, time.Since(start)}
}

func (w *maintenanceWork) failed(err error) any {
	return &workDone{work: w.work, done: engine.Done{ID: w.work.ID, Err: err}}
}

// recoveryWork asks the flusher for an attempt to recover.
type recoveryWork struct {
	attempt func() *recovered
	files   *disk.Files // that the attempt opens
	highest func() uint32
}

func (w *recoveryWork) run() any { return w.attempt() }

func (w *recoveryWork) failed(err error) any {
	return &recovered{files: w.files, highest: w.highest(), err: err}
}

var (
	errPanic      = errors.New("panic")
	errChildEnded = errors.New("a child ended")
)
