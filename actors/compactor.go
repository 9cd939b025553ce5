package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/engine"
)

// compactors are actors that write blocks anew with their live messages alone: long jobs, as an indexer has, for which
// nobody waits. There are as many as were needed at a time.
type compactors struct {
	all, free []*actor.PID
}

// compactWork asks a compactor to write a block anew.
type compactWork struct {
	compactor *actor.PID
	runtime   *Runtime
	files     *disk.Files
	work      engine.Work
}

// compactDone completes it.
type compactDone struct {
	compactor *actor.PID

	work engine.Work
	done engine.Done
	kept error // why the block is as it was, nil when it is not
}

// Control implements mailbox.Control.
func (*compactDone) Control() {}

func (m *compactWork) run() (done *compactDone) {
	done = &compactDone{compactor: m.compactor, work: m.work, done: engine.Done{ID: m.work.ID}}
	// A few at a time, of all streams together: each takes the memory of two blocks.
	m.runtime.readers.Build(func() { done.done.Scan, done.kept, done.done.Err = m.files.CompactFor(m.work) })
	return done
}

func (a *storeActor) compact(ctx actor.Context, w engine.Work) {
	a.indexing++
	c := &a.compactors
	if len(c.free) == 0 {
		c.free = append(c.free, ctx.Spawn(actor.PropsFromProducer(func() actor.Actor { return &indexerActor{} })))
		c.all = append(c.all, c.free...)
	}
	last := len(c.free) - 1
	compactor := c.free[last]
	c.free = c.free[:last]
	ctx.Send(compactor, &compactWork{compactor, a.runtime, a.files, w})
}

func (a *storeActor) onCompacted(m *compactDone) {
	if a.ended || a.failure.childless {
		return
	}
	a.indexing--
	a.compactors.free = append(a.compactors.free, m.compactor)
	failed := a.engine.Failed() != nil
	a.engine.Done(m.done)
	switch err := m.done.Err; {
	case m.kept != nil:
		a.log.Error("a block is not compacted", "path", a.source.Path(m.work.Block), "error", m.kept)
	case err == nil:
	case failed:
		a.failedToo(err)
	default:
		a.failed(err)
	}
}
