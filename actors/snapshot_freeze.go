package actors

import (
	"context"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// frozen is a stream as of one instant, with its configuration.
type frozen struct {
	stream *engine.Frozen
	meta   []byte // meta.inf
	pin    *blockio.Pin
	// retired is how often bytes of the stream's messages had been overwritten.
	retired uint64
}

// freezeRequest asks the store actor, which alone knows which configuration belongs to the stream as it is.
type freezeRequest struct {
	taken atomic.Bool // by whoever comes first: the answer, or the end of the caller's context
	reply chan freezeReply
}

type freezeReply struct {
	frozen *frozen
	err    error
}

// Control implements mailbox.Control.
func (*freezeRequest) Control() {}

// crashed answers, unless onFreeze has.
func (m *freezeRequest) crashed(_ *storeActor, err error) {
	m.taken.Store(true)
	select {
	case m.reply <- freezeReply{err: err}:
	default:
	}
}

// onFreeze answers between two publications. The blocks that are shown now are pinned in time: to remove them is
// work that the same actor hands out, later than this.
func (a *storeActor) onFreeze(m *freezeRequest) {
	if !m.taken.CompareAndSwap(false, true) {
		return
	}
	meta, err := a.meta.Bytes()
	if err == nil && (a.ended || a.closed) {
		err = ErrStopped
	}
	if err != nil {
		m.reply <- freezeReply{err: err}
		return
	}
	f := &frozen{meta: meta, stream: a.published.Freeze(), retired: a.source.Blocks().Retired()}
	last := uint32(0)
	if n := len(f.stream.Blocks); n > 0 {
		last = f.stream.Blocks[n-1].View.ID
	}
	f.pin = a.source.Blocks().Pin(last)
	m.reply <- freezeReply{frozen: f}
}

// freeze returns the stream as of an instant. Its blocks are pinned: the caller releases them.
func (s *Store) freeze(ctx context.Context) (*frozen, error) {
	m := &freezeRequest{reply: make(chan freezeReply, 1)}
	if err := s.postControl(m); err != nil {
		return nil, err
	}
	select {
	case r := <-m.reply:
		return r.frozen, r.err
	case <-s.gone:
		return nil, ErrStopped
	case <-ctx.Done():
	}
	if !m.taken.CompareAndSwap(false, true) { // the answer is there, or is about to be
		if r := <-m.reply; r.frozen != nil {
			r.frozen.pin.Release()
		}
	}
	return nil, context.Cause(ctx)
}
