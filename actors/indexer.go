package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// indexWork asks the indexer for the index of a block.
type indexWork struct {
	runtime *Runtime
	files   *disk.Files
	work    engine.Work
}

// indexDone completes it.
type indexDone struct {
	work    engine.Work
	done    engine.Done
	written bool // if not, and without an error, the block can have no index
}

func (*indexDone) Control() {}

// indexerActor writes the indexes of sealed blocks: long jobs, one at a time, that
// nobody waits for and that must not keep the lanes waiting. Others of its kind are compactors.
type indexerActor struct{}

// Receive implements actor.Actor.
func (*indexerActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *indexWork:
		ctx.Send(ctx.Parent(), m.run())
	case *compactWork:
		ctx.Send(ctx.Parent(), m.run())
	case *renewWork:
		ctx.Send(ctx.Parent(), m.run())
	}
}

func (m *indexWork) run() (done *indexDone) {
	done = &indexDone{work: m.work, done: engine.Done{ID: m.work.ID}}
	// A few at a time, of all streams together: each takes the memory of a block.
	m.runtime.readers.Build(func() { done.written, done.done.Err = m.files.WriteIndex(m.work.Block, m.work.Data) })
	return done
}

// reindexRequest asks for a new index of a block, in place of one that has turned out
// to be wrong.
type reindexRequest struct{ block uint32 }

func (*reindexRequest) Control() {}

// reindex has the index of a block written again, since the file that it has is of no use.
func (s *stream) reindex(id uint32, why error) {
	s.meters.badIndexes.Add(1)
	s.log.Warn("a block index is not to be used; it is written anew", "path", blockindex.Path(s.source.Path(id)), "error", why)
	if s.mailbox != nil { // while it is only recovered, a stream has no actor
		s.mailbox.PostUserMessage(&reindexRequest{id})
	}
}

func (a *storeActor) onIndexDone(m *indexDone) {
	if a.ended || a.failure.childless {
		return
	}
	a.indexing--
	switch {
	case m.done.Err != nil:
		a.log.Error("cannot write the index of a block; it will be tried again", "path", a.source.Path(m.work.Block), "error", m.done.Err)
	case m.written:
		a.meters.indexed.Add(1)
		a.source.IndexWritten(m.work.Block)
	}
	a.engine.Done(m.done)
}

// renewRequest asks for the index file of a block to be made one of the block's file as it is now: nothing
// but the modification time of the block differs.
type renewRequest struct{ now blockindex.Identity }

// Control implements mailbox.Control.
func (*renewRequest) Control() {}

// renewWork asks the indexer to do so, which writes all index files of the stream.
type renewWork struct {
	files *disk.Files
	now   blockindex.Identity
}

// renewDone completes it.
type renewDone struct {
	block uint32
	err   error
}

// Control implements mailbox.Control.
func (*renewDone) Control() {}

func (m *renewWork) run() *renewDone {
	return &renewDone{m.now.Block, m.files.RenewIndex(m.now)}
}

// renewIndex asks for an index file to be renewed, from a reader's goroutine.
func (s *stream) renewIndex(now blockindex.Identity) {
	if s.mailbox != nil { // while it is only recovered, a stream has no actor
		s.mailbox.PostUserMessage(&renewRequest{now})
	}
}

func (a *storeActor) onRenew(ctx actor.Context, m *renewRequest) {
	if a.ended || a.stopping || a.config.ReadOnly || a.failure.childless || a.engine.Failed() != nil || a.truncation.work != nil {
		return // the next reader that opens the index asks again
	}
	a.indexing++
	a.spawnIndexer(ctx)
	ctx.Send(a.indexer, &renewWork{a.files, m.now})
}

func (a *storeActor) onRenewed(m *renewDone) {
	if a.ended || a.failure.childless {
		return
	}
	a.indexing--
	a.beginTruncation()
	if m.err != nil {
		a.log.Warn("cannot renew the index of a block; its block is checked again when it is opened next",
			"path", blockindex.Path(a.source.Path(m.block)), "error", m.err)
	}
}

// spawnIndexer spawns the indexer when it is first needed, which in most streams is never.
func (a *storeActor) spawnIndexer(ctx actor.Context) {
	if a.indexer == nil {
		a.indexer = ctx.Spawn(actor.PropsFromProducer(func() actor.Actor { return &indexerActor{} }))
	}
}
