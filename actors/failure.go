package actors

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// failure is what a store actor knows of the way back after a failed write or sync. An attempt to recover
// begins when no work of the failed engine is out any more, first after Config.RetryMin, then after twice
// as long each time. It runs on the flusher; reads go on meanwhile. When the stream is recovered from its files,
// the disk still has to show that it takes writes, see proof.go.
type failure struct {
	cut        engine.Position // where the log can be trusted to end
	cutAgain   bool            // an attempt may have cut it there, and could not sync that
	highest    uint32          // the highest number that a block ever had, as far as is known
	wait       time.Duration   // until the next attempt
	armed      bool            // a retry message is on its way
	attempting bool            // an attempt, or a proof, is out with the flusher
	noRoom     bool            // the last attempt had no room for what it had to write
	proof      proof
	foreign    bool  // somebody else changes the files, so only a new Open may help
	reason     error // of the failure that the store stopped with
	timer      *time.Timer
	cancel     context.CancelFunc // ends the attempt
}

// stop ends what is planned or under way.
func (f *failure) stop() {
	if f.timer != nil {
		f.timer.Stop()
	}
	if f.cancel != nil {
		f.cancel()
	}
}

// safeAfter returns where the log of an engine can be trusted to end after an error. A failed sync, of
// whatever file or directory, means that pages are lost which a read may still show, and of which a later
// sync would not tell. Any other error leaves earlier writes as they are.
func safeAfter(e *engine.Engine, err error) engine.Position {
	if errors.Is(err, blockio.ErrSync) {
		return e.SyncedTo()
	}
	return e.WrittenTo()
}

// lower notes that the log cannot be trusted beyond a place.
func (f *failure) lower(at engine.Position) {
	if at.Before(f.cut) {
		f.cut = at
	}
}

// failedToo notes an error of work that was still out when the engine failed.
func (a *storeActor) failedToo(err error) {
	a.failure.lower(safeAfter(a.engine, err))
	a.failure.foreign = a.failure.foreign || errors.Is(err, ErrChanged)
	a.log.Error("and another failure", "error", err)
}

// failed notes why the engine has failed.
func (a *storeActor) failed(err error) {
	a.failing.Store(true)
	a.tellFailure()
	a.meters.failed(a.runtime.now())
	f := &a.failure
	f.cut, f.cutAgain = safeAfter(a.engine, err), false
	f.foreign = errors.Is(err, ErrChanged)
	f.proof.wanted = false
	// The wait is reset when a commit succeeds after the proof; until then it goes on from where it was.
	f.wait = max(f.wait, a.config.RetryMin)
	a.log.Error("storage failed; reads go on, writes are refused until it has recovered", "error", engine.CauseOf(err))
}

// maybeRecover plans the next attempt to recover, once no work of the failed engine is out any more.
func (a *storeActor) maybeRecover(ctx actor.Context) {
	f := &a.failure
	if !a.failing.Load() || a.stopping || a.config.NoRecovery || f.foreign || a.gaveUp.Load() || f.armed || f.attempting {
		return
	}
	switch {
	case f.proof.wanted && !f.proof.tried:
		a.prove(ctx)
		return
	case !f.proof.wanted && a.busy():
		return
	}
	f.armed = true
	a.log.Info(tryingAgain, "in", f.wait)
	post := a.mailbox.PostUserMessage
	f.timer = time.AfterFunc(f.wait, func() { post(&retry{}) })
	f.wait = min(2*f.wait, a.config.RetryMax)
}

// onRetry lets the flusher recover the stream from its files.
func (a *storeActor) onRetry(ctx actor.Context) {
	f := &a.failure
	f.armed = false
	if a.stopping || !a.failing.Load() {
		return
	}
	if f.proof.wanted {
		a.prove(ctx)
		return
	}
	var background context.Context
	background, f.cancel = context.WithCancel(context.Background())
	old := a.files.Blocks
	r := disk.Recovery{
		Files: a.newFiles(), Config: a.engineConfig(), Published: a.published, Now: a.runtime.now(),
		Scanners: a.runtime.scans, Highest: f.highest, Frugal: f.noRoom,
		After: &disk.Failure{Cut: f.cut, CutAgain: f.cutAgain, First: a.published.First(), Last: a.published.Last()},
	}
	a.assign(ctx, &a.flusher, &task{job: &recoveryWork{func() *recovered {
		// These handles are broken, so an error of closing them is no news.
		_ = old.Close()
		e, err := r.Run(background)
		return &recovered{e, r.Files, r.Highest, err}
	}, r.Files, func() uint32 { return r.Highest }}})
	f.attempting = true
}

// notRecovered notes how far the log can be trusted after an attempt to recover that has failed.
func (a *storeActor) notRecovered(m *recovered) {
	f := &a.failure
	switch {
	case m.engine != nil:
		// All that the attempt had left of the log was synced, and its engine has written behind that.
		f.cut = safeAfter(m.engine, m.err)
		m.engine.Release()
	case errors.Is(m.err, blockio.ErrSync):
		f.lower(a.engine.SyncedTo())
	}
	f.cutAgain = f.cutAgain || errors.Is(m.err, blockio.ErrSync)
	f.noRoom = errors.Is(blockio.NameCause(m.err), ErrNoSpace)
	a.log.Error("cannot recover yet", "error", m.err)
}

// onRecovered goes on with the recovered engine, or plans another attempt. What stores is refused until the disk has
// shown that it takes writes.
func (a *storeActor) onRecovered(ctx actor.Context, m *recovered) {
	if a.ended {
		// The store is stopping: nothing was written through these handles, and nobody will.
		_ = m.files.Blocks.Close()
		return
	}
	f := &a.failure
	f.attempting = false
	if f.cancel != nil {
		f.cancel()
	}
	a.files, f.highest = m.files, m.highest
	if m.err != nil {
		a.notRecovered(m)
		return
	}
	// The failed engine has refused what came since the last turn.
	a.deliver(a.engine.Settled())
	a.engine.Release()
	a.engine = m.engine
	a.state = stateLoop{group: math.MaxUint64}
	a.engine.NotifyOn(len(a.takers.all))
	a.tellTakers()
	a.source.EndCut()
	f.proof.wanted, f.proof.tried = true, false
	a.tellTime()
	if a.stopping {
		a.stopEngine()
	}
	a.arm(ctx)
}
