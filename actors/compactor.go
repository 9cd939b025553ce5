package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// Compactors are children that write blocks anew with their live messages alone: long jobs, as an indexer has, for which
// nobody waits. There are as many as were needed at a time.

// compactWork asks a compactor to write a block anew.
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

func (m *compactWork) run() any {
	done := &compactDone{work: m.work, done: engine.Done{ID: m.work.ID}}
	// A few at a time, of all streams together: each takes the memory of two blocks.
	m.runtime.readers.Build(func() { done.done, done.kept = m.files.CompactFor(m.work) })
	done.done.Err = blockio.NameCause(done.done.Err)
	return done
}

func (m *compactWork) failed(err error) any {
	return &compactDone{work: m.work, done: engine.Done{ID: m.work.ID, Err: err}}
}

func (a *storeActor) compact(ctx actor.Context, w engine.Work) {
	a.assign(ctx, a.freeCompactor(), &task{job: &compactWork{a.runtime, a.files, w}})
}

// freeCompactor returns a compactor that has nothing to do.
func (a *storeActor) freeCompactor() *lane {
	for _, l := range a.compactors {
		if len(l.out) == 0 {
			return l
		}
	}
	l := &lane{name: "compactor"}
	a.compactors = append(a.compactors, l)
	return l
}

func (a *storeActor) onCompacted(m *compactDone) {
	if a.ended {
		return
	}
	failed := a.engine.Failed() != nil
	if m.done.Indexed {
		a.indexed(m.work.Block)
	}
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
