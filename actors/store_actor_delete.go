package actors

import (
	"runtime"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/engine"
)

// deleteBy deletes the stream for an actor. What comes behind the request is refused.
func (a *storeActor) deleteBy(m *DeleteRequest, sender *actor.PID) {
	if a.config.ReadOnly {
		a.respond(sender, &DeleteReply{ErrReadOnly, m.Tag})
		return
	}
	a.deletion.asked.Store(true)
	o := a.ops.get() // nobody waits for it
	o.command = &engine.Stop{}
	a.credits.Force()
	a.step(o)
	a.deleteFor(m, sender)
}

// deleteFor answers a request to delete the stream, when it has stopped and is deleted.
func (s *stream) deleteFor(m *DeleteRequest, sender *actor.PID) {
	go func() {
		<-s.gone
		s.respond(sender, &DeleteReply{s.deleteStopped(forever, m.Background), m.Tag})
	}()
}

// letGo releases the lock of a stream that has stopped. If the stream is to be deleted, its folder is hidden before
// that, so that nobody opens it in between.
func (a *storeActor) letGo() error {
	if !a.deletion.asked.Load() || runtime.GOOS == "windows" { // which renames no folder in which a file is open
		return a.lock.Close()
	}
	d := removal{fs: a.below, dir: a.dir, log: a.log}
	err := a.hide(func() error {
		if _, err := d.removeLeft(forever); err != nil {
			return err
		}
		if err := d.rename(); err != nil {
			return err
		}
		a.tellTakers()
		if s := a.published.State(); s.Messages > 0 {
			a.pass([]Notice{{Reason: NoticeDeleted, Messages: -int64(s.Messages), Bytes: -int64(s.Bytes)}})
		}
		return nil
	})
	if err != nil {
		// Whoever has asked for it tries again, and is told.
		a.log.Error("cannot delete the stream", "error", err)
	}
	return a.lock.Close()
}
