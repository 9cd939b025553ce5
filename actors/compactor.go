package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/engine"
)

// compactWork asks the indexer to write a block anew with its live messages alone: a long job, too, for which
// nobody waits.
type compactWork struct {
	runtime *Runtime
	files   *disk.Files
	work    engine.Work
}

// compactDone completes it.
type compactDone struct {
	work engine.Work
	done engine.Done
	kept error // why the block is as it was, nil when it is not
}

// Control implements mailbox.Control.
func (*compactDone) Control() {}

func (m *compactWork) run() (done *compactDone) {
	done = &compactDone{work: m.work, done: engine.Done{ID: m.work.ID}}
	// A few at a time, of all streams together: each takes the memory of two blocks.
	m.runtime.readers.Build(func() { done.done.Scan, done.kept, done.done.Err = m.files.CompactFor(m.work) })
	return done
}

func (a *storeActor) compact(ctx actor.Context, w engine.Work) {
	a.indexing++
	a.spawnIndexer(ctx)
	ctx.Send(a.indexer, &compactWork{a.runtime, a.files, w})
}

func (a *storeActor) onCompacted(m *compactDone) {
	if a.ended || a.failure.childless {
		return
	}
	a.indexing--
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
