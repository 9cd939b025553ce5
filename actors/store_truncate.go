package actors

import (
	"context"
	"math"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// Truncate removes all messages above a sequence, which becomes the last one: the next message gets the
// sequence behind it. It returns how many there were, once that is durable at every sync level. A crash leaves
// all of it or nothing.
//
// It waits for everything that was accepted before it, and what is asked for after it waits for it. The stream
// is recovered from its files then, which takes about as long as Open. Reads go on meanwhile, as of before; those
// that need a file which is cut or removed wait for the end of it. (If it fails in the middle, they are refused with
// ErrUnreadable until the stream has recovered, which carries it out.) Whoever follows the stream and was further gets
// the new messages behind the sequence.
//
// With 0 the stream is as if it were new. A sequence below the first one leaves it empty: the first sequence is
// then the one behind, and there is no last time. Above the last one the error is ErrEOF, with
// ErrUnreadable a block that has to be looked at cannot be read at the moment, and nothing was changed. Other
// errors are those of StoreMsg.
func (s *Store) Truncate(ctx context.Context, sequence uint64) (removed uint64, err error) {
	r, err := s.runCommand(ctx, &engine.Truncate{Sequence: sequence})
	return uint64(r.Count), err
}

// truncation is the one that is out, or waits for the indexer.
type truncation struct {
	work  *truncationWork
	ready bool // the work waits to be handed to the flusher
}

// truncationWork asks the flusher for a truncation, and for the engine that takes over.
type truncationWork struct {
	files    *disk.Files // of the engine so far
	work     engine.Work
	recovery disk.Recovery
}

// truncated completes it.
type truncated struct {
	recovered
	begun bool // if not, nothing was changed
	// intended is what was written down, nil if it was not carried out.
	intended *disk.IntendedTruncation
}

func (m *truncationWork) failed(err error) any {
	return &truncated{recovered: recovered{files: m.recovery.Files, highest: m.recovery.Highest, err: err}, begun: true}
}

func (m *truncationWork) run() any {
	intended, begun, err := m.files.IntendTruncation(m.work.Truncation)
	if err != nil {
		return &truncated{recovered: recovered{err: blockio.NameCause(err)}, begun: begun}
	}
	m.recovery.Intended = intended
	// All that was written through these handles is synced.
	_ = m.files.Blocks.Close()
	e, err := m.recovery.Run(context.Background())
	return &truncated{recovered{e, m.recovery.Files, m.recovery.Highest, blockio.NameCause(err)}, true, intended}
}

// truncate hands the work of a truncation to the flusher, once the indexer has none any more.
func (a *storeActor) truncate(ctx actor.Context, w engine.Work) {
	m := &truncationWork{a.files, w, disk.Recovery{
		Files: a.newFiles(), Config: a.engineConfig(), Published: a.published, Now: a.runtime.now(), Scanners: a.runtime.scans,
		Highest: a.failure.highest,
	}}
	a.truncation = truncation{work: m, ready: true}
	a.beginTruncation(ctx)
}

// beginTruncation begins a truncation that waits, if nobody is busy with indexes.
func (a *storeActor) beginTruncation(ctx actor.Context) {
	t := &a.truncation
	switch {
	case !t.ready || a.ended:
	case a.engine.Failed() != nil:
		*t = truncation{} // whoever has asked for it is told
	case !a.indexing():
		t.ready = false
		a.source.BeginCut()
		a.assign(ctx, &a.flusher, &task{job: t.work})
	}
}

// onTruncated goes on with the engine that was recovered, or with the old one if nothing was changed.
func (a *storeActor) onTruncated(ctx actor.Context, m *truncated) {
	if a.ended {
		if m.files != nil {
			_ = m.files.Blocks.Close() // nothing was written through these handles, and nobody will
		}
		return
	}
	a.truncation = truncation{}
	switch {
	case a.engine.Failed() != nil && m.begun && m.err == nil:
		a.sweepLater(m.intended)
		a.onRecovered(ctx, &m.recovered) // it is what an attempt to recover would come to
		return
	case !m.begun:
		a.source.EndCut()
		a.log.Error("cannot read a block to truncate the stream", "error", m.err)
		a.engine.LeaveTruncation(m.err)
		return
	case m.err != nil:
		a.notTruncated(m)
		return
	}
	a.tellTakers()
	a.deliver(a.engine.Settled())
	old := a.engine
	a.source.EndCut()
	a.engine, a.files, a.failure.highest = m.engine, m.files, m.highest
	a.sweepLater(m.intended)
	old.HandOver(a.engine)
	a.state = stateLoop{group: math.MaxUint64, soon: true, rest: a.state.rest}
	a.tellTakers()
	old.Release()
	s := a.published.State()
	a.log.Info("truncated", "messages", s.Messages, "first", s.FirstSequence, "last", s.LastSequence)
	a.noticed = advance{math.MaxUint64, 0} // watches are told, whatever the last sequence is by then
	a.tellTime()
}

// notTruncated fails the engine: recovery carries out what was begun.
func (a *storeActor) notTruncated(m *truncated) {
	a.source.FailCut()
	a.engine.Fail(m.err)
	a.failed(m.err)
	f := &a.failure
	if m.files != nil {
		_ = a.files.Blocks.Close()
		a.files, f.highest = m.files, m.highest
	}
	if m.engine != nil {
		f.cut = safeAfter(m.engine, m.err)
		m.engine.Release()
	}
}
