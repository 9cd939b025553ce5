package actors

import (
	"math"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/mailbox"
	"github.com/seed-d8b58eba/millrace/engine"
)

// tick tells the engine the time. The end of the turn does not do it again: what a turn does takes less time than
// anybody can expect of a clock.
func (a *storeActor) tick() {
	if !a.config.ReadOnly {
		a.tellTime()
		if busy, known := a.load.busy(a.now); known && busy != a.sampling.Load() {
			a.sampling.Store(busy)
		}
	}
	a.ticked = true
}

func (a *storeActor) tellTime() {
	passed := a.passTime()
	a.engine.TickAfter(a.clock, passed)
}

// passTime looks at the clock. What waits for a while goes by a.now, which goes on with the clock, and while that stands
// still or is set back. It returns how much time has passed since the last look.
func (a *storeActor) passTime() time.Duration {
	clock, read := a.runtime.times()
	passed := read - a.read
	a.now += max(passed, min(clock-a.clock, int64(24*time.Hour))) // all pauses are shorter
	a.clock, a.read = clock, read
	return time.Duration(passed)
}

// fetchAtOnce is for how many commands the engine fetches ahead: as much as stays in the processor's caches until it is
// used.
const fetchAtOnce = 128

// onBatch hands the data messages of a round to the engine.
func (a *storeActor) onBatch(ctx actor.Context, b *mailbox.Batch) {
	a.tick()
	a.early.begin(len(b.Messages) - b.Next)
	fetched := len(b.Messages)
	if a.engine.WantsFetch(fetched, commandOf(b.Messages[b.Next])) { // those before, of a batch that goes on, are not ours any more
		fetched = 0
	}
	for b.Next < len(b.Messages) {
		if from := b.Next; from >= fetched {
			fetched = min(from+fetchAtOnce, len(b.Messages))
			a.engine.Fetch(fetched-from, func(i int) engine.Command { return commandOf(b.Messages[from+i]) })
		}
		a.inHand = b.Messages[b.Next]
		b.Next++
		a.handle(ctx, a.inHand)
		if a.early.due(a, b) {
			a.inHand = nil
			a.commitEarly(ctx)
		}
	}
	a.inHand = nil
}

// commandOf returns the command of a data message that is an operation, or nil.
func commandOf(message any) engine.Command {
	if o, ok := message.(*op); ok {
		return o.command
	}
	return nil
}

// handle takes one data message.
func (a *storeActor) handle(ctx actor.Context, message any) {
	if o, ok := message.(*op); ok {
		a.step(o)
		return
	}
	if _, ok := message.(*actor.PoisonPill); ok {
		ctx.Stop(ctx.Self())
		return
	}
	request, sender := unwrap(message)
	a.onRequest(ctx, request, sender)
}

// step hands an operation to the engine.
func (a *storeActor) step(o *op) {
	if !o.claim() {
		a.credits.Release(o.bytes)
		o.recycle()
		return
	}
	if o.stops() {
		a.onStop(o)
		return
	}
	if a.config.ReadOnly && o.changes() {
		a.finish(o, engine.Reply{Tag: o, Err: ErrReadOnly})
		return
	}
	if o.config != nil {
		a.onUpdate(o)
		return
	}
	if a.failure.proof.wanted && stores(o.command) {
		a.finish(o, engine.Reply{Tag: o, Err: a.failedWith()})
		return
	}
	a.stepping = o
	a.gathered++
	a.early.bytes += o.bytes
	a.state.soon = a.state.soon || removesMany(o.command)
	a.engine.Step(o, o.command)
	a.stepping = nil
	o.staged()
}

// onCommitDone takes the completion of a commit.
func (a *storeActor) onCommitDone(m *commitDone) {
	if a.ended {
		return
	}
	a.meters.commit(m.took, m.syncs)
	a.early.took = m.took
	a.tick()
	failed := a.engine.Failed() != nil
	a.engine.Done(m.done)
	switch {
	case m.done.Err != nil && failed:
		a.failedToo(m.done.Err)
	case m.done.Err != nil:
		a.failed(m.done.Err)
	case !a.failing.Load():
		a.failure.wait = 0
	}
	// Callers get their replies before anything else happens: the mailbox yields before the end of the
	// round, so they come back in time for the next commit.
	a.deliver(a.engine.Settled())
	a.notice()
}

// onWorkDone takes the completion of maintenance work.
func (a *storeActor) onWorkDone(m *workDone) {
	if a.ended {
		return
	}
	if m.work.Kind == engine.WorkSync && m.took > 0 {
		a.meters.syncs.observeTime(m.took, 1)
	}
	failed, err := a.engine.Failed() != nil, m.done.Err
	a.engine.Done(m.done)
	switch kind := m.work.Kind; {
	case kind == engine.WorkRemove:
		if err != nil {
			a.log.Error("cannot remove a block; it will be tried again", "path", a.source.Path(m.work.Block), "error", err)
		}
	case err == nil:
	case kind == engine.WorkFind, kind == engine.WorkSubjects, kind == engine.WorkTombstones, kind == engine.WorkIDs, kind == engine.WorkLives:
		a.log.Error("cannot read a block to remove messages", "path", a.source.Path(m.work.Block), "error", err)
	case kind == engine.WorkSchedules:
		a.log.Error("cannot read a block to find schedules; after a few attempts it is passed over", "path", a.source.Path(m.work.Block), "error", err)
	case kind == engine.WorkTell:
		a.log.Warn("cannot write down what is lost; it is tried again at the next loss, and at a stop", "error", err)
	case kind == engine.WorkLoad:
		a.log.Error("cannot read a block to apply limits; after a few attempts it goes as a whole",
			"path", a.source.Path(m.work.Block), "error", err)
	case failed:
		a.failedToo(err)
	default:
		a.failed(err)
	}
}

// onTurnEnd takes what the engine has ready: replies to deliver, and work to hand out.
func (a *storeActor) onTurnEnd(ctx actor.Context) {
	if a.ended {
		return
	}
	if !a.ticked {
		a.tick()
	}
	a.ticked = false
	a.goOnUpdating(ctx)
	a.keepState(ctx)
	a.sweepIfDue(ctx)
	ready := a.engine.Ready()
	a.credits.Linger(a.engine.Purging())
	a.deliver(ready.Replies)
	if a.config.ReadOnly {
		a.onReadOnlyTurnEnd(ctx, ready)
		return
	}
	a.afterReplies(ctx)
	if c := ready.Commit; c != nil {
		a.meters.groups.observe(sizes, uint64(c.Records), 1)
		a.assignCommit(ctx, c)
	}
	a.maintainAll(ctx, ready.Maintenance)
	a.notice()
	a.maybeRecover(ctx)
	if a.closed || a.stopping && a.engine.Failed() != nil {
		a.maybeClose(ctx)
		return
	}
	a.arm(ctx)
}

func (a *storeActor) maintainAll(ctx actor.Context, work []engine.Work) {
	for _, w := range work {
		a.maintain(ctx, w)
	}
}

// maintain hands out maintenance work: to the flusher, or to the indexer what takes long.
func (a *storeActor) maintain(ctx actor.Context, w engine.Work) {
	if w.Kind == engine.WorkIndex {
		a.assign(ctx, &a.indexer, &task{job: &indexWork{a.runtime, a.files, w}})
		return
	}
	switch w.Kind {
	case engine.WorkFetch:
		a.fetchSchedules(ctx, w)
		return
	case engine.WorkTruncate:
		a.truncate(ctx, w)
		return
	case engine.WorkCompact:
		a.compact(ctx, w)
		return
	}
	a.assign(ctx, &a.flusher, &task{job: &maintenanceWork{a.files, w, a.stream}})
}

// lookAgain is how long a stream waits at most, if it waits for anything, until it looks at the clock again. That may have
// been set meanwhile, or have gone on while the machine was asleep and timers were not.
const lookAgain = time.Minute

// arm sets the timer for the time at which there is something to do, if it does not go off sooner. When it goes off does
// not depend on the clock.
func (a *storeActor) arm(ctx actor.Context) {
	wait := time.Duration(math.MaxInt64)
	if at, ok := a.engine.NextTick(); ok {
		wait = time.Duration(at - a.clock)
	}
	if wake := a.state.stateWake(); wake > 0 && a.engine.Failed() == nil && !a.stopping {
		wait = min(wait, time.Duration(wake-a.now))
	}
	if due := a.remains.due; due > 0 {
		wait = min(wait, time.Duration(due-a.now))
	}
	if wait == math.MaxInt64 {
		return
	}
	now, wait := instant(), min(max(wait, time.Millisecond), lookAgain)
	if a.timerEnds != 0 && time.Duration(a.timerEnds-now) <= wait+time.Millisecond {
		return
	}
	a.timerEnds = now + int64(wait)
	if a.timer == nil {
		post := a.mailbox.PostUserMessage
		a.timer = time.AfterFunc(wait, func() { post(&tick{}) })
		return
	}
	a.timer.Reset(wait)
}
