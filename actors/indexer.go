package actors

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// indexWork asks the indexer for the index of a block.
type indexWork struct {
	stream *stream
	key    *blockio.RecordCodec
	work   engine.Work
}

// indexDone completes it.
type indexDone struct {
	work    engine.Work
	done    engine.Done
	written bool // if not, and without an error, the block can have no index
}

func (*indexDone) control() {}

// indexerActor writes the indexes of sealed blocks: long jobs, one at a time, that
// nobody waits for and that must not keep the lanes waiting.
type indexerActor struct{}

// Receive implements actor.Actor.
func (*indexerActor) Receive(ctx actor.Context) {
	if m, ok := ctx.Message().(*indexWork); ok {
		ctx.Send(ctx.Parent(), m.run())
	}
}

func (m *indexWork) run() *indexDone {
	s := m.stream
	// Of all streams together, a few at a time.
	s.runtime.builds <- struct{}{}
	defer func() { <-s.runtime.builds }()
	written, err := writeIndex(s.fileSystem(), s.blockPath(m.work.Block), m.work.Block, m.key)
	return &indexDone{m.work, engine.Done{ID: m.work.ID, Err: err}, written}
}

// writeIndex writes the index of a sealed block. It reports false when the block can
// have none, and sees to it that it has none.
func writeIndex(fsys blockio.FS, path string, id uint32, key *blockio.RecordCodec) (written bool, err error) {
	file, err := fsys.OpenFile(path, blockio.ModeRead)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // it went meanwhile
	}
	if err != nil {
		return false, err
	}
	defer file.Close() // opened for reading: there is nothing to lose
	stat, err := file.Stat()
	if err != nil {
		return false, err
	}
	data := make([]byte, stat.Size)
	if n, err := readFull(file, data); err != nil || n < len(data) {
		return false, fmt.Errorf("actors: read %s: %d of %d bytes: %w", path, n, len(data), errors.Join(err, io.ErrUnexpectedEOF))
	}
	image, _, err := blockindex.Build(path, id, key, data, stat)
	if err == nil {
		err = blockindex.Write(fsys, blockindex.Path(path), image)
	}
	if errors.Is(err, blockindex.ErrUnsealed) || errors.Is(err, blockindex.ErrLimit) {
		// It is read as a whole when it is needed.
		err = fsys.Remove(blockindex.Path(path))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return false, err
	}
	return err == nil, err
}

// readFull reads all of a buffer, or up to the end of the file.
func readFull(file io.ReaderAt, into []byte) (int, error) {
	n, err := file.ReadAt(into, 0)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// reindexRequest asks for a new index of a block, in place of one that has turned out
// to be wrong.
type reindexRequest struct{ block uint32 }

func (*reindexRequest) control() {}

// reindex has the index of a block written again.
func (s *stream) reindex(id uint32, why error) {
	if why == errNoIndex || s.stopped.Load() {
		return // it is on its way
	}
	s.distrusted.Store(id, true)
	s.meters.badIndexes.Add(1)
	s.log.Warn("a block index is not to be used; it is written anew", "path", blockindex.Path(s.blockPath(id)), "error", why)
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
		a.log.Error("cannot write the index of a block; it will be tried again", "path", a.blockPath(m.work.Block), "error", m.done.Err)
	case m.written:
		a.meters.indexed.Add(1)
		a.distrusted.Delete(m.work.Block)
		// Readers that made an index of their own find the file from now on.
		a.runtime.readers.forget(readerKey{a.stream, m.work.Block})
	}
	a.engine.Done(m.done)
}
