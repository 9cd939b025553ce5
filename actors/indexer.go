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

func (m *indexWork) run() any {
	done := &indexDone{work: m.work, done: engine.Done{ID: m.work.ID}}
	// A few at a time, of all streams together: each takes the memory of a block.
	m.runtime.readers.Build(func() { done.written, done.done.Err = m.files.WriteIndex(m.work.Block, m.work.Data) })
	return done
}

func (m *indexWork) failed(err error) any {
	return &indexDone{work: m.work, done: engine.Done{ID: m.work.ID, Err: err}}
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
	if a.ended {
		return
	}
	switch {
	case m.done.Err != nil:
		a.log.Error("cannot write the index of a block; it will be tried again", "path", a.source.Path(m.work.Block), "error", m.done.Err)
	case m.written:
		a.indexed(m.work.Block)
	}
	a.engine.Done(m.done)
}

// indexed notes that the index of a block was written.
func (a *storeActor) indexed(block uint32) {
	a.meters.indexed.Add(1)
	a.source.IndexWritten(block)
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

func (m *renewWork) run() any { return &renewDone{m.now.Block, m.files.RenewIndex(m.now)} }

func (m *renewWork) failed(err error) any { return &renewDone{m.now.Block, err} }

// renewIndex asks for an index file to be renewed, from a reader's goroutine.
func (s *stream) renewIndex(now blockindex.Identity) {
	if s.mailbox != nil { // while it is only recovered, a stream has no actor
		s.mailbox.PostUserMessage(&renewRequest{now})
	}
}

func (a *storeActor) onRenew(ctx actor.Context, m *renewRequest) {
	if a.ended || a.stopping || a.config.ReadOnly || a.engine.Failed() != nil || a.truncation.work != nil {
		return // the next reader that opens the index asks again
	}
	a.assign(ctx, &a.indexer, &task{job: &renewWork{a.files, m.now}})
}

func (a *storeActor) onRenewed(m *renewDone) {
	if !a.ended && m.err != nil {
		a.log.Warn("cannot renew the index of a block; its block is checked again when it is opened next",
			"path", blockindex.Path(a.source.Path(m.block)), "error", m.err)
	}
}
