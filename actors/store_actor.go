package actors

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/actors/internal/mailbox"
	"github.com/seed-d8b58eba/millrace/engine"
)

// storeActor owns a stream. Its children do the I/O: the block-writer runs the
// commits, the flusher everything that nobody waits for.
type storeActor struct {
	*stream
	engine *engine.Engine
	files  *disk.Files
	lock   io.Closer

	writer, flusher *actor.PID
	indexer         *actor.PID
	commits, works  int // out with writer and flusher
	indexing        int // out with the indexer
	atWriter        *commitWork
	atFlusher       []*maintenanceWork // in order

	watches map[*watch]struct{}
	pids    map[string]*actor.PID // actors that watch
	noticed uint64                // last sequence that watches were told of

	timer   *time.Timer
	timerAt int64

	// What a panic would leave half done.
	inTurn   bool           // Receive has not returned
	inHand   any            // the data message that is being handled
	stepping *op            // the op of it that the engine has
	replies  []engine.Reply // to be handed out
	told     int            // how many of them were

	failure  failure
	stops    []*op // stops that wait for the first one
	stopping bool  // a stop was asked for
	closed   bool  // the engine has completed it
	ended    bool  // Stopping has come: nothing counts any more
}

// The control messages of the store actor.
type (
	// commitDone completes a commit.
	commitDone struct {
		done engine.Done
		took time.Duration
	}
	// workDone completes maintenance work.
	workDone struct {
		work engine.Work
		done engine.Done
	}
	// tick wakes the actor at a time the engine asked for.
	tick struct{}
	// retry starts an attempt to recover.
	retry struct{}
	// recovered ends an attempt to recover.
	recovered struct {
		engine  *engine.Engine
		files   *disk.Files
		highest uint32 // number of a block
		err     error
	}
)

func (*commitDone) Control() {}
func (*workDone) Control()   {}
func (*tick) Control()       {}
func (*retry) Control()      {}
func (*recovered) Control()  {}

// Receive implements actor.Actor.
func (a *storeActor) Receive(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Stopping:
		a.onStopping()
	case *actor.Stopped:
		a.onStopped(ctx)
	default:
		a.inTurn = true
		a.receive(ctx)
		a.inTurn = false
	}
}

func (a *storeActor) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *mailbox.Batch:
		a.onBatch(ctx, m)
	case *mailbox.TurnEnd:
		a.onTurnEnd(ctx)
	case *commitDone:
		a.onCommitDone(m)
	case *workDone:
		a.onWorkDone(m)
	case *tick:
		a.timerAt = 0
	case *retry:
		a.onRetry(ctx)
	case *recovered:
		a.onRecovered(ctx, m)
	case *indexDone:
		a.onIndexDone(m)
	case *reindexRequest:
		if a.engine.Failed() == nil {
			a.engine.Reindex(m.block)
		}
	case *watchOp:
		a.onWatch(m)
	case *actor.Started:
		a.onStarted(ctx)
	case *actor.Terminated:
		a.onTerminated(m)
	case *actor.Restarting:
	default:
		a.log.Error("unknown message", "type", fmt.Sprintf("%T", m))
	}
}

func (a *storeActor) onStarted(ctx actor.Context) {
	a.writer = ctx.Spawn(actor.PropsFromProducer(func() actor.Actor { return &writerActor{} }))
	a.flusher = ctx.Spawn(actor.PropsFromProducer(func() actor.Actor { return &flusherActor{} }))
	a.engine.Tick(a.runtime.now())
	a.arm(ctx)
}

// HandleFailure implements actor.SupervisorStrategy for the children: a panic
// there is a bug, and ends like a failed write. The child is not started again,
// since nobody knows what it had done.
func (a *storeActor) HandleFailure(_ *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID,
	_ *actor.RestartStatistics, reason, _ any,
) {
	a.log.Error("panic in a child", "child", child.Id, "reason", reason)
	supervisor.StopChildren(child)
}

// onBatch hands the data messages of a round to the engine.
func (a *storeActor) onBatch(ctx actor.Context, b *mailbox.Batch) {
	now := a.runtime.now()
	a.engine.Tick(now)
	if n := len(b.Messages); a.engine.WantsFetch(n) {
		a.engine.Fetch(n, func(i int) engine.Command { return commandOf(b.Messages[i]) })
	}
	for b.Next < len(b.Messages) {
		a.inHand = b.Messages[b.Next]
		b.Next++
		a.handle(ctx, a.inHand)
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
	a.stepping = o
	a.engine.Step(o, o.command)
	a.stepping = nil
	// From here on the caller may walk away: the engine has its own copy.
	o.state.CompareAndSwap(opClaimed, opStaged)
}

// onStop begins the close protocol: all that was accepted is completed, then the
// actor stops itself.
func (a *storeActor) onStop(o *op) {
	o.state.CompareAndSwap(opClaimed, opStaged)
	a.stops = append(a.stops, o)
	a.inHand = nil
	if a.stopping {
		return
	}
	a.stopping = true
	a.stopped.Store(true)
	if a.engine.Failed() == nil {
		a.stopEngine()
	} else if a.failure.attempting {
		a.failure.cancel()
	}
}

func (a *storeActor) stopEngine() {
	a.engine.Step(stopTag, &engine.Stop{})
}

// stopTag marks the engine's reply to the stop.
var stopTag = new(int)

// deliver hands out replies. The credit comes back first, all at once.
func (a *storeActor) deliver(replies []engine.Reply) {
	var ops, bytes int64
	for i := range replies {
		if o, ok := replies[i].Tag.(*op); ok {
			ops, bytes = ops+1, bytes+o.bytes
		}
	}
	if ops > 0 {
		a.credits.ReleaseMany(ops, bytes)
	}
	a.tellAll(replies)
}

func (a *storeActor) tellAll(replies []engine.Reply) {
	a.replies, a.told = replies, 0
	for i := range replies {
		a.told = i + 1
		switch tag := replies[i].Tag.(type) {
		case *op:
			if tag == a.stepping {
				a.stepping, a.inHand = nil, nil
			}
			a.tell(tag, replies[i])
		case *int:
			a.closed = true
		}
	}
	a.replies = nil
}

// deliverRest answers, after a panic, everybody who still waits, once.
func (a *storeActor) deliverRest() {
	for a.replies != nil {
		a.tellAll(a.replies[a.told:])
	}
	a.deliver(a.engine.Settled())
	switch {
	case a.stepping != nil:
		a.finish(a.stepping, engine.Reply{Tag: a.stepping, Err: ErrStopped})
	case a.inHand != nil:
		a.reject(a.inHand)
	}
	a.stepping, a.inHand = nil, nil
}

func (a *storeActor) onCommitDone(m *commitDone) {
	if a.ended || a.failure.childless {
		return
	}
	a.commits--
	a.meters.sync(m.took)
	a.engine.Tick(a.runtime.now())
	failed := a.engine.Failed() != nil
	a.engine.Done(m.done)
	switch {
	case m.done.Err != nil && failed:
		a.failedToo(m.done.Err)
	case m.done.Err != nil:
		a.failed(m.done.Err)
	case !failed:
		a.failure.wait = 0
	}
	// The callers first: with a yield between this and the end of the turn they
	// come back in time for the next group.
	a.deliver(a.engine.Settled())
	a.notice()
}

func (a *storeActor) onWorkDone(m *workDone) {
	if a.ended || a.failure.childless {
		return
	}
	a.works--
	a.atFlusher = a.atFlusher[1:] // it keeps the order
	failed, err := a.engine.Failed() != nil, m.done.Err
	a.engine.Done(m.done)
	switch kind := m.work.Kind; {
	case kind == engine.WorkRemove:
		if err != nil {
			a.log.Error("cannot remove a block; it will be tried again", "path", a.source.Path(m.work.Block), "error", err)
		}
	case err == nil:
	case kind == engine.WorkLoad:
		a.log.Error("cannot read a block to apply limits; it will be tried again",
			"path", a.source.Path(m.work.Block), "error", err)
	case failed:
		a.failedToo(err)
	default:
		a.failed(err)
	}
}

// onTurnEnd takes what the engine has ready.
func (a *storeActor) onTurnEnd(ctx actor.Context) {
	if a.ended {
		return
	}
	now := a.runtime.now()
	a.engine.Tick(now)
	ready := a.engine.Ready()
	a.deliver(ready.Replies)
	if c := ready.Commit; c != nil {
		a.commits++
		a.meters.group(c.Records, c.Bytes)
		a.atWriter = &commitWork{files: a.files, commit: c}
		ctx.Send(a.writer, a.atWriter)
	}
	for _, w := range ready.Maintenance {
		if w.Kind == engine.WorkIndex {
			if a.indexing++; a.indexer == nil { // most streams never need it
				a.indexer = ctx.Spawn(actor.PropsFromProducer(func() actor.Actor { return &indexerActor{} }))
			}
			ctx.Send(a.indexer, &indexWork{a.runtime, a.files, w})
			continue
		}
		a.works++
		item := &maintenanceWork{files: a.files, work: w}
		a.atFlusher = append(a.atFlusher, item)
		ctx.Send(a.flusher, item)
	}
	a.notice()
	a.maybeRecover(ctx)
	if a.closed || a.stopping && a.engine.Failed() != nil {
		a.maybeClose(ctx)
		return
	}
	a.arm(ctx)
}

// arm sets the timer for the engine's next tick.
func (a *storeActor) arm(ctx actor.Context) {
	at, ok := a.engine.NextTick()
	if !ok || a.timerAt != 0 && a.timerAt <= at {
		return
	}
	a.timerAt = at
	wait := max(time.Duration(at-a.runtime.now()), time.Millisecond)
	if a.timer == nil {
		post := a.mailbox.PostUserMessage
		a.timer = time.AfterFunc(wait, func() { post(&tick{}) })
		return
	}
	a.timer.Reset(wait)
}

// maybeClose ends the actor once its children have nothing left to do.
func (a *storeActor) maybeClose(ctx actor.Context) {
	if a.commits > 0 || a.works > 0 || a.indexing > 0 || a.failure.attempting {
		return
	}
	ctx.Stop(ctx.Self())
}

// onTerminated notices a child or a watcher that has ended.
func (a *storeActor) onTerminated(m *actor.Terminated) {
	if !m.Who.Equal(a.writer) && !m.Who.Equal(a.flusher) && (a.indexer == nil || !m.Who.Equal(a.indexer)) {
		a.forgetWatcher(m.Who)
		return
	}
	if a.ended || a.failure.childless {
		return
	}
	// Its work will not be completed any more.
	a.failure.childless, a.failure.attempting, a.commits, a.works, a.indexing = true, false, 0, 0, 0
	a.atFlusher = nil
	err := fmt.Errorf("actors: child %s ended", m.Who.Id)
	a.engine.Abort(err)
	a.failed(err)
	a.deliver(a.engine.Settled())
}

// onStopping ends the store, whether it was asked to or is being stopped from
// outside. What was not acknowledged by now never will be; but what SyncNever has
// acknowledged is still to be written, when the children have ended.
func (a *storeActor) onStopping() {
	defer a.survive()
	defer a.mailbox.Close()
	a.ended = true
	a.stopped.Store(true)
	if a.timer != nil {
		a.timer.Stop()
	}
	a.failure.stop()
	a.failure.reason = a.engine.Failed()
	if a.inTurn {
		a.final = fmt.Errorf("%w: panic in the store actor", ErrFailed)
	}
	if a.config.Sync != SyncNever || a.inTurn {
		a.abort()
	}
}

// abort answers all who wait.
func (a *storeActor) abort() {
	a.engine.Abort(ErrStopped)
	a.deliverRest()
}

// onStopped comes when the children have ended, too: nothing touches the files
// any more.
func (a *storeActor) onStopped(ctx actor.Context) {
	defer close(a.gone)
	defer a.survive()
	a.writeRest()
	a.abort()
	a.final = errors.Join(a.final, a.failure.reason, a.files.Blocks.Close(), a.lock.Close())
	a.engine.Release()
	a.published.Close()
	a.source.Blocks().Close()
	a.endWatches(ctx)
	for _, o := range a.stops {
		a.finish(o, engine.Reply{Tag: o, Err: a.final})
	}
	a.log.Debug("stopped", "last", a.published.Last())
}

// writeRest writes what the engine still holds, unless it has failed. The stop
// command is there for its final commit.
func (a *storeActor) writeRest() {
	defer a.survive()
	if a.engine.Failed() != nil {
		return
	}
	if w := a.atWriter; a.commits > 0 {
		if !w.ran {
			w.run()
		}
		a.engine.Done(engine.Done{ID: w.commit.ID, Err: w.err})
	}
	for _, item := range a.atFlusher {
		if !item.ran {
			item.run()
		}
		a.engine.Done(item.done)
	}
	a.engine.LeaveIndexing()
	a.engine.Step(nil, &engine.Stop{})
	for {
		ready := a.engine.Ready()
		a.deliver(ready.Replies)
		if ready.Commit == nil && len(ready.Maintenance) == 0 {
			break
		}
		if c := ready.Commit; c != nil {
			a.engine.Done(engine.Done{ID: c.ID, Err: a.files.Commit(c)})
		}
		for _, w := range ready.Maintenance {
			a.engine.Done(a.files.Work(w))
		}
	}
	a.failure.reason = a.engine.Failed()
}

// survive keeps a panic from reaching the actor library, which would start a
// stopping actor again.
func (a *storeActor) survive() {
	if r := recover(); r != nil {
		a.log.Error("panic while stopping", "reason", r)
		a.final = errors.Join(a.final, fmt.Errorf("%w: panic while stopping", ErrFailed))
	}
}
