package actors

import (
	"errors"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/engine"
)

// onStop begins the close protocol: all operations that were accepted are completed, then the actor stops
// itself.
func (a *storeActor) onStop(o *op) {
	o.state.CompareAndSwap(opClaimed, opStaged)
	a.stops = append(a.stops, o)
	a.inHand = nil
	if a.stopping {
		return
	}
	a.stopping = true
	a.stopped.Store(true)
	a.endReadies(ErrStopped)
	if a.config.ReadOnly {
		return // there is nothing to complete
	}
	if a.engine.Failed() == nil {
		a.stopEngine()
	} else if a.failure.attempting {
		a.failure.cancel()
	}
}

// stopEngine lets the engine complete what it has, and seal the tail block.
func (a *storeActor) stopEngine() {
	a.engine.Step(stopTag, &engine.Stop{})
}

// stopTag is the tag of the engine's reply to the stop.
var stopTag = new(int)

// maybeClose stops the actor once its children have no work any more.
func (a *storeActor) maybeClose(ctx actor.Context) {
	if a.busy() {
		return
	}
	ctx.Stop(ctx.Self())
}

// onTerminated takes the end of a watcher, or of a child: what that has completed before comes first.
func (a *storeActor) onTerminated(m *actor.Terminated) {
	for _, l := range a.lanes() {
		if m.Who.Equal(l.pid) {
			a.mailbox.PostUserMessage(&childEnded{l, l.pid})
			return
		}
	}
	a.forgetWatcher(m.Who)
	a.forgetTaker(m.Who)
}

// onStopping ends the store, whether a stop was asked for or the actor is being stopped from outside.
// Operations that were accepted and not acknowledged by now end with an unknown outcome; those in the
// mailbox are refused. What SyncNever has acknowledged and not yet
// written is written by onStopped, when the children have ended.
func (a *storeActor) onStopping() {
	defer a.survive()
	defer a.mailbox.Close()
	a.ended = true
	a.stopped.Store(true)
	a.patience.end()
	a.source.EndCut()
	if a.timer != nil {
		a.timer.Stop()
	}
	a.failure.stop()
	a.failure.reason = a.engine.Failed()
	a.captureLast()
	if a.inTurn {
		a.final = fmt.Errorf("%w: panic in the store actor", ErrFailed)
	}
	if a.engine.Level() != engine.SyncNever || a.inTurn {
		a.abort()
	}
}

// abort answers everybody who waits and is known to the engine.
func (a *storeActor) abort() {
	a.engine.Abort()
	a.deliverRest()
}

// onStopped closes everything. The children have ended, and nothing is put aside any more, so nobody else touches the
// files.
func (a *storeActor) onStopped(ctx actor.Context) {
	defer close(a.gone)
	defer a.repeats.end()
	defer a.survive()
	a.aside <- struct{}{} // and nothing will be put aside any more
	if !a.config.ReadOnly {
		a.writeRest()
		a.sweepAtStop()
		a.stateAtStop()
		a.proveEnd()
	}
	a.abort()
	ended := a.endConsumers()
	a.final = errors.Join(a.final, a.failure.reason, ended, a.files.Blocks.Close(), a.letGo())
	a.engine.Release()
	a.published.Close()
	a.source.Blocks().Close()
	a.endReadies(ErrStopped)
	a.endTakers(ctx)
	a.endWatches(ctx)
	for _, o := range a.stops {
		a.finish(o, engine.Reply{Tag: o, Err: a.final})
	}
	a.log.Debug("stopped", "last", a.published.Last())
}

// proveEnd leaves the proof of where the log ends, when all of it is written and synced. It is best effort:
// without it, the next open cannot tell a last block that was cut from one that ended there.
func (a *storeActor) proveEnd() {
	defer a.survive()
	if !a.whole && a.engine.Failed() != nil || a.truncation.work != nil {
		return
	}
	if err := a.files.ProveEnd(a.published.Last()); err != nil {
		a.log.Warn("cannot write the proof of the end", "error", err)
	}
}

// writeRest carries out the work that was out with the children, and whatever the engine still holds,
// unless it has failed. After an orderly stop there is none. The command to stop makes the engine emit
// its last commit.
func (a *storeActor) writeRest() {
	defer a.survive()
	if a.engine.Failed() != nil {
		return
	}
	for _, t := range append(a.writer.out, a.flusher.out...) {
		if t.done == nil && t.writes() {
			t.carryOut(nil)
		}
		switch m := t.done.(type) {
		case *commitDone:
			a.engine.Done(m.done)
		case *workDone:
			a.engine.Done(m.done)
		}
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

// survive ends a panic, which would otherwise make the actor library start a stopping actor again.
func (a *storeActor) survive() {
	if r := recover(); r != nil {
		a.log.Error("panic while stopping", "reason", r)
		a.final = errors.Join(a.final, fmt.Errorf("%w: panic while stopping", ErrFailed))
	}
}
