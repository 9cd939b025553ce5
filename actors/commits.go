package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/mailbox"
	"github.com/seed-d8b58eba/millrace/engine"
)

// assignCommit hands out a commit, as soon as the turn is over. One that a single operation waits for, while nobody else has
// anything for the store actor, needs no other goroutine: that of the turn goes on as the block-writer, and then with the turn
// that takes the completion. A lone caller's store so takes two hand-overs between goroutines, and not four; and none where the turn
// is on the goroutine of that caller, see post. The store actor
// is idle meanwhile, and not busy with the disk: who posts a message finds it as he would while the block-writer works.
//
// With many callers the goroutine of the turn has their next operations to take in. At SyncNever nobody waits for a commit.
func (a *storeActor) assignCommit(ctx actor.Context, c *engine.Commit) {
	w := &commitWork{files: a.files, commit: c, owner: a}
	w.task.job = w
	a.spawnChild(ctx, &a.writer) // which guards a commit that is put aside, too
	lone := a.gathered <= 1
	a.gathered = 0
	if lone && a.engine.Level() != engine.SyncNever && len(a.writer.out) == 0 && a.mailbox.PutAside(w) {
		w.task.aside, w.task.lane = true, &a.writer
		a.writer.out = append(a.writer.out, &w.task)
		a.aside <- struct{}{}
		return
	}
	a.assign(ctx, &a.writer, &w.task)
}

// Aside implements mailbox.Aside.
func (w *commitWork) Aside() mailbox.Control {
	defer func() { <-w.owner.aside }()
	w.task.carryOut(w.owner.runtime.plant)
	return &w.task
}
