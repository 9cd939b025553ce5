package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/engine"
)

// commitWork is a commit for the block-writer. The commit belongs to the engine and stays as it is
// until it is completed.
type commitWork struct {
	files  *disk.Files
	commit *engine.Commit

	// Set when it was carried out. A store actor that stops looks at it, since it does not get the
	// completion any more.
	ran bool
	err error
}

func (w *commitWork) run() {
	w.err = w.files.Commit(w.commit)
	w.ran = true
}

// writerActor is the block-writer, the commit lane: it creates, appends, syncs and seals blocks, one
// commit after the other.
type writerActor struct{}

// Receive implements actor.Actor.
func (*writerActor) Receive(ctx actor.Context) {
	if m, ok := ctx.Message().(*commitWork); ok {
		start := time.Now()
		m.run()
		ctx.Send(ctx.Parent(), &commitDone{
			done: engine.Done{ID: m.commit.ID, Err: m.err}, took: time.Since(start),
		})
	}
}

// maintenanceWork is work for the flusher.
type maintenanceWork struct {
	files *disk.Files
	work  engine.Work

	// Set when it was carried out, as in commitWork.
	ran  bool
	done engine.Done
}

func (w *maintenanceWork) run() {
	w.done = w.files.Work(w.work)
	w.ran = true
}

// recoveryWork asks the flusher for an attempt to recover.
type recoveryWork struct{ attempt func() *recovered }

// flusherActor is the flusher, the maintenance lane: it syncs in the background, seals, reads tables,
// removes blocks, and recovers.
type flusherActor struct{}

// Receive implements actor.Actor.
func (*flusherActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *maintenanceWork:
		m.run()
		ctx.Send(ctx.Parent(), &workDone{m.work, m.done})
	case *fetchWork:
		ctx.Send(ctx.Parent(), m.run())
	case *metaWork:
		ctx.Send(ctx.Parent(), m.run())
	case *truncationWork:
		ctx.Send(ctx.Parent(), m.run())
	case *recoveryWork:
		ctx.Send(ctx.Parent(), m.attempt())
	}
}
