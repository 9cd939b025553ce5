package actors

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/actors/internal/mailbox"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// A crash is a panic of the store actor or of a child, or the end of a child that nobody of ours has stopped. It is a
// bug, and ends like a failed write: all who wait are told, and the stream recovers from its files, with other
// children. A store that crashes again and again gives up.

// ErrCrashLoop: the store has crashed so often in a row that it does not recover by itself any more. It refuses
// everything but reads; stop it and open it again. An error that is ErrCrashLoop is ErrFailed, too.
var ErrCrashLoop = errors.New("the store has crashed too often in a row, and has given up; open it again")

const (
	// mostCrashes is how many crashes in a row are too many.
	mostCrashes = 5
	// crashPause is how long a store has to work without a crash for the next one to be the first in a row.
	crashPause = time.Minute
)

// crash is the error of a panic.
type crash struct {
	err   error
	stack []byte // nil when there is none
}

func (c *crash) Error() string { return c.err.Error() }
func (c *crash) Unwrap() error { return c.err }

// crashes counts those in a row.
type crashes struct {
	inRow int
	since int64 // when the store has begun to work again, see storeActor.now
}

// countCrash counts and logs a crash. It returns what has to be refused with from now on.
func (a *storeActor) countCrash(err error) error {
	c := &a.crashes
	a.try(func() { a.passTime() })
	if !a.failing.Load() && a.now-c.since >= int64(crashPause) {
		c.inRow = 0
	}
	c.inRow++
	a.meters.crashes.Add(1)
	a.meters.lastFailure.Store(a.clock)
	attributes := []any{"error", err, "in a row", c.inRow}
	if own := (*crash)(nil); errors.As(err, &own) && own.stack != nil {
		attributes = append(attributes, "stack", string(own.stack))
	}
	a.log.Error("crashed: a bug, please report it", attributes...)
	if c.inRow < mostCrashes || a.gaveUp.Load() {
		return err
	}
	a.gaveUp.Store(true)
	a.log.Error("too many crashes in a row; the store stays failed until it is opened again")
	return fmt.Errorf("%w: %w", ErrCrashLoop, err)
}

// crashed takes a crash of a child.
func (a *storeActor) crashed(err error) {
	err = a.countCrash(err)
	if a.engine.Failed() == nil {
		a.engine.Fail(err)
		a.failed(err)
		a.deliver(a.engine.Settled())
	} else {
		a.failedToo(err)
	}
	a.refuseForGood(err)
}

// refuseForGood has a store that has given up say so from now on.
func (a *storeActor) refuseForGood(err error) {
	if a.gaveUp.Load() && errors.Is(err, ErrCrashLoop) {
		a.engine.RefuseWith(fmt.Errorf("%w: %w", ErrFailed, err))
		a.endReadies(a.engine.Failed())
	}
}

// attempt handles a message. It reports false when that has panicked. A store that has given up is stopped by it.
func (a *storeActor) attempt(ctx actor.Context) (ok bool) {
	defer func() {
		if !ok {
			reason := recover()
			if a.gaveUp.Load() {
				panic(reason) // which stops the actor
			}
			a.panicked(ctx, reason, debug.Stack())
		}
	}()
	if plant := a.runtime.plant; plant != nil {
		plant(ctx.Message())
	}
	a.receive(ctx)
	return true
}

// try calls f, which may panic.
func (a *storeActor) try(f func()) {
	defer func() {
		if reason := recover(); reason != nil {
			a.log.Error("panic after a panic", "reason", reason, "stack", string(debug.Stack()))
		}
	}()
	f()
}

// panicked goes on after a panic of the store actor. Nothing of the engine is used after that but how far it had
// written: it answers all who wait, as far as it can, and another one takes its place that refuses everything until
// the stream is recovered. No write has failed, so all that is in the files may stay.
func (a *storeActor) panicked(ctx actor.Context, reason any, stack []byte) {
	if b, ok := ctx.Message().(*mailbox.Batch); ok && a.inHand == nil && b.Next < len(b.Messages) {
		a.inHand = b.Messages[b.Next] // or the same would come about again and again
		b.Next++
	}
	err := error(&crash{fmt.Errorf("%w in the store actor, at %T: %v", errPanic, ctx.Message(), reason), stack})
	broken := a.engine
	before := broken.Failed()
	err = a.countCrash(err)
	a.try(func() { broken.Fail(err) })
	refusal := before
	if refusal == nil {
		refusal = fmt.Errorf("%w: %w", ErrFailed, err)
	}
	unknown := fmt.Errorf("%w: %w", ErrOutcomeUnknown, refusal)
	a.answerAll(unknown)
	a.engine = broken.Refusing(refusal)
	a.try(broken.Release) // what a commit still writes is not used again before
	if before == nil {
		a.failed(err)
		a.failure.cut = nowhere
	}
	a.keepBooks(ctx, unknown)
	a.failure.attempting = a.flusher.has(recovers)
	if !a.flusher.has(func(j job) bool { _, ok := j.(*truncationWork); return ok }) {
		a.truncation = truncation{}
	}
	if u := a.update; u != nil && !u.saving {
		a.endUpdate(unknown)
	}
	a.refuseForGood(err)
	a.mailbox.PostUserMessage(&tick{}) // so that there is an end of a turn
}

// keepBooks does what has to be done at the message that has brought about a panic, whatever becomes of the rest: else
// the store would wait for ever for what has come already.
func (a *storeActor) keepBooks(ctx actor.Context, unknown error) {
	a.timerEnds = 0
	switch m := ctx.Message().(type) {
	case waitedFor:
		a.try(func() { m.crashed(a, unknown) })
	case *retry:
		a.failure.armed = false
	case *actor.Terminated:
		a.try(func() { a.onTerminated(m) })
	case *childEnded:
		a.try(func() { a.onChildEnded(ctx, m) })
	case *task:
		if out := m.lane.out; len(out) > 0 && out[0] == m {
			a.try(func() { a.onTask(ctx, m) })
		}
		if files := filesOf(m.done); files != nil && files != a.files {
			_ = files.Blocks.Close() // nothing was written through these handles that counts
		}
	}
}

// filesOf returns the files that were opened by what completes a job, nil when none were.
func filesOf(done any) *disk.Files {
	switch m := done.(type) {
	case *recovered:
		return m.files
	case *truncated:
		return m.files
	}
	return nil
}

// nowhere is where a log is cut of which all may stay.
var nowhere = engine.Position{Block: blockio.MaxBlockID}

// waitedFor is a control message of which the sender waits for the end.
type waitedFor interface {
	crashed(a *storeActor, err error)
}

// answerAll answers everybody whose operation was being done, each once, although a panic has interrupted that.
func (a *storeActor) answerAll(unknown error) {
	goOn := func() {
		for a.replies != nil {
			a.try(func() { a.tellAll(a.replies[a.told:]) })
		}
	}
	goOn()
	a.try(func() { a.deliver(a.engine.Settled()) })
	goOn()
	a.try(func() { a.answerInHand(unknown) })
}

// has reports whether a child has a job.
func (l *lane) has(wanted func(job) bool) bool {
	for _, t := range l.out {
		if wanted(t.job) {
			return true
		}
	}
	return false
}

// again reports whether a message that has brought about a panic has more to be handled.
func again(message any) bool {
	b, ok := message.(*mailbox.Batch)
	return ok && b.Next < len(b.Messages)
}
