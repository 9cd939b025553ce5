package actors

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-d8b58eba/millrace/engine"
)

// StoreMsg appends a message and returns once it is as durable as the stream's
// sync level says, and visible. header may be nil. The store keeps neither header
// nor payload.
//
// With ErrOutcomeUnknown the message may or may not be stored: the disk failed
// (ErrFailed, too), the store was stopped from outside, or the context ended while the
// message was on its way. Every other error has changed nothing: ErrMaxMsgs,
// ErrMaxBytes, ErrTooLarge, ErrSequenceMismatch, ErrBadHeader, ErrStopped, ErrFailed
// alone, and a context that ended before.
func (s *Store) StoreMsg(ctx context.Context, subject string, header Header, payload []byte, opts ...StoreOption) (Ack, error) {
	o := s.ops.get()
	if err := o.fillStore(subject, header, payload, opts); err != nil {
		o.recycle()
		return Ack{}, s.refused(err)
	}
	r, err := s.run(ctx, o)
	return ackOf(r), err
}

// StoreRaw appends a message with a sequence and a time of its own, as StoreMsg
// does otherwise. The time is stored as it is, also when it lies before that of
// the message before; the zero time is stored as no time, and one that the format
// cannot hold is refused with ErrBadTime.
func (s *Store) StoreRaw(ctx context.Context, m RawMessage) (Ack, error) {
	o := s.ops.get()
	if err := o.fillRaw(&m); err != nil {
		o.recycle()
		return Ack{}, s.refused(err)
	}
	r, err := s.run(ctx, o)
	return ackOf(r), err
}

// StoreBatch appends all messages or none, also across a crash: readers and
// recovery never see a part. (At SyncInterval and SyncNever a power loss may take
// any of what was not synced, a part of a batch too.) A batch is refused with
// ErrTooLarge when its records exceed 32 MiB. Other errors are those of StoreMsg.
// Options are about the stream before the batch; those of a message are in BatchMessage.
// (A nats-server that opens the files of a crashed store before Millrace has
// recovered them may see the first messages of a batch that was not
// acknowledged.)
func (s *Store) StoreBatch(ctx context.Context, messages []BatchMessage, opts ...StoreOption) (BatchAck, error) {
	o := s.ops.get()
	err := o.fillBatch(messages)
	if err == nil {
		err = o.setBatchOptions(opts)
	}
	if err != nil {
		o.recycle()
		return BatchAck{}, s.refused(err)
	}
	r, err := s.run(ctx, o)
	return batchAckOf(r), err
}

// Skip uses up count sequences without messages, from sequence (0: the next one)
// on, at the cost of one small record. It returns the last of them. A sequence
// that is not the next one is refused with ErrSequenceMismatch.
func (s *Store) Skip(ctx context.Context, sequence, count uint64) (uint64, error) {
	o := s.ops.get()
	o.command = &engine.Skip{Sequence: sequence, Count: count}
	r, err := s.run(ctx, o)
	return r.Sequence, err
}

// SkipAt is Skip that makes a time the last time of the stream, as a server does for sequences that it uses up
// without a message: whoever starts by time then starts behind them. The zero time, and that of 1970, are
// refused with ErrBadTime.
func (s *Store) SkipAt(ctx context.Context, sequence, count uint64, at time.Time) (uint64, error) {
	o := s.ops.get()
	if err := o.fillSkipAt(sequence, count, at); err != nil {
		o.recycle()
		return 0, s.refused(err)
	}
	r, err := s.run(ctx, o)
	return r.Sequence, err
}

// Flush returns when everything that was accepted before it is on stable
// storage, whatever the sync level.
func (s *Store) Flush(ctx context.Context) error {
	o := s.ops.get()
	o.command = &engine.Flush{}
	_, err := s.run(ctx, o)
	return err
}

// FlushToSystem returns when everything that was accepted before it is written to the files: a crash of the process
// does not take it any more, a loss of power may. Only at SyncNever it has anything to wait for that the
// acknowledgements have not waited for. Flush is the one to the disk.
func (s *Store) FlushToSystem(ctx context.Context) error {
	o := s.ops.get()
	o.command = &engine.Flush{ToSystem: true}
	_, err := s.run(ctx, o)
	return err
}

// run takes credit for an operation, posts it, and waits for its reply.
func (s *Store) run(ctx context.Context, o *op) (engine.Reply, error) {
	counts := o.counts()
	r, err := s.carryOut(ctx, o)
	if err != nil && counts {
		if ctx.Err() != nil {
			err = s.whileStarved(err)
		}
		s.countRefusal(ctx, err)
	}
	return r, err
}

func (s *Store) carryOut(ctx context.Context, o *op) (engine.Reply, error) {
	if ctx.Err() != nil { // a nil context panics here, or the operation would be under way when it does
		o.recycle()
		return engine.Reply{}, fmt.Errorf("nothing was changed: %w", context.Cause(ctx))
	}
	s.stamp(o)
	o.bytes = o.cost()
	if err := s.credits.Acquire(ctx, o.bytes, s.gone); err != nil {
		o.recycle()
		return engine.Reply{}, err
	}
	if !s.post(ctx, o) {
		s.credits.Release(o.bytes)
		o.recycle()
		return engine.Reply{}, ErrStopped
	}
	return o.wait(ctx)
}
