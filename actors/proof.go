package actors

import (
	"crypto/rand"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// A recovery reads, cuts and removes, all of which a full disk allows. So when a stream is recovered from its files the
// store does not come back yet: it writes a file of its own, as large as what has failed, syncs it, and removes it. Until
// that has succeeded, tried again and again as the recovery is, the store stays failed, and what would store is refused.
// Nobody has to store anything for it to come back. The log does not have the proof, so a crash in the middle of one leaves
// a file that nobody reads.
//
// What removes is carried out meanwhile, and limits by time are applied: it may be just what makes room.

// proof is what a store knows of the one that it needs, or does not need.
type proof struct {
	wanted bool  // the stream is recovered from its files, and no proof has succeeded since
	tried  bool  // and at least one has failed
	size   int64 // in bytes, 0 for the least
}

// What bounds the size of a proof, in bytes: the least is what is written ahead of the first records of a block.
const (
	leastRoom = 64 << 10
	mostRoom  = 8 << 20
)

// roomFor returns how large the proof is after a commit of so many bytes has failed.
func roomFor(bytes int) int64 { return min(max(int64(bytes), leastRoom), mostRoom) }

// proofWork asks the flusher for a proof. What it was asked for earlier comes first, such as the removal of blocks.
type proofWork struct{ prove func() error }

// proofDone completes it.
type proofDone struct{ err error }

func (w *proofWork) run() any             { return &proofDone{blockio.NameCause(w.prove())} }
func (w *proofWork) failed(err error) any { return &proofDone{err} }

// recovers reports whether a job is an attempt to recover, or a proof.
func recovers(j job) bool {
	switch j.(type) {
	case *recoveryWork, *proofWork:
		return true
	}
	return false
}

// prove has the flusher find out whether the disk takes writes.
func (a *storeActor) prove(ctx actor.Context) {
	f := &a.failure
	f.proof.tried = true
	fsys, dir, size := a.below, a.dir, max(f.proof.size, leastRoom)
	a.assign(ctx, &a.flusher, &task{job: &proofWork{func() error { return blockio.ProveRoom(fsys, dir, size, rand.Reader) }}})
	f.attempting = true
}

// onProof takes the end of a proof. If it has failed, the end of the turn plans the next one.
func (a *storeActor) onProof(m *proofDone) {
	f := &a.failure
	f.attempting = false
	if a.ended || !f.proof.wanted { // the engine has failed meanwhile
		return
	}
	if m.err != nil {
		a.log.Error("cannot recover yet", "error", m.err)
		return
	}
	f.proof = proof{}
	a.failing.Store(false)
	a.cause.Store(nil)
	a.crashes.since = a.now
	a.endReadies(nil)
	a.meters.recoveries.Add(1)
	s := a.published.State()
	a.log.Info("recovered", "messages", s.Messages, "first", s.FirstSequence, "last", s.LastSequence)
}

// stores reports whether a command stores messages, or uses up sequences.
func stores(c engine.Command) bool {
	switch c.(type) {
	case *engine.Store, *engine.StoreBatch, *engine.StoreRaw, *engine.Skip:
		return true
	}
	return false
}
