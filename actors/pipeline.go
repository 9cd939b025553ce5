package actors

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/engine"
)

// PipelineResult is the outcome of one message of a Pipeline.
type PipelineResult struct {
	Index uint64 // of the message, from 0, in the order of Pipeline.Store
	Ack   Ack
	Err   error
}

// Pipeline stores messages without waiting for each: up to a window of them are
// on their way. Outcomes come in the order of the calls. A Pipeline is safe for
// several goroutines; it needs no closing.
type Pipeline struct {
	store *Store
	done  func(PipelineResult)

	mu        sync.Mutex // guards ring and submitted
	ring      []op       // message i is in slot i modulo the window
	submitted uint64     // messages handed over so far

	completes atomic.Uint64 // messages whose outcome is known
	// Callers of await wait on signal, which is closed when completes reaches target: the least number
	// that any of them waits for, or noTarget.
	target   atomic.Uint64
	signalMu sync.Mutex // guards signal, and changes of target
	signal   chan struct{}
}

// noTarget is the target while nobody waits.
const noTarget = math.MaxUint64

// Pipeline returns a new pipeline with room for window messages on their way
// (at least 1, at most Config.MaxInFlight). done, if not nil, is called with every
// outcome, in order, on the store actor's turn: it must be quick, and must not
// call the store.
func (s *Store) Pipeline(window int, done func(PipelineResult)) *Pipeline {
	window = min(max(window, 1), s.config.MaxInFlight)
	p := &Pipeline{store: s, done: done, ring: make([]op, window), signal: make(chan struct{})}
	p.target.Store(noTarget)
	for i := range p.ring {
		p.ring[i].pipeline = p
		p.ring[i].uses = uint8(i)
		p.ring[i].command = &p.ring[i].store
	}
	return p
}

// Store hands over a message and returns its index. It waits while the window is
// full, until the context ends; header and payload may be used again when it
// returns. An error means that nothing was handed over, and nothing was changed by it.
func (p *Pipeline) Store(ctx context.Context, subject string, header Header, payload []byte, opts ...StoreOption) (uint64, error) {
	index, err := p.handOver(ctx, subject, header, payload, opts)
	if err != nil {
		p.store.meters.refused.count(reasonIn(ctx, err))
	}
	return index, err
}

// handOver is Store, which counts its errors.
func (p *Pipeline) handOver(ctx context.Context, subject string, header Header, payload []byte, opts []StoreOption) (uint64, error) {
	if ctx.Err() != nil {
		return 0, fmt.Errorf("nothing was changed: %w", context.Cause(ctx))
	}
	bytes := costOf(1, len(subject)+header.size()+len(payload))
	for {
		if err := p.store.credits.Acquire(ctx, bytes, p.store.gone); err != nil {
			return 0, err
		}
		index, ok, err := p.submit(subject, header, payload, bytes, opts)
		if ok {
			return index, nil
		}
		p.store.credits.Release(bytes)
		if err == nil {
			// Wait until half of the window is free: to wake up for each message would cost more than
			// the message.
			if err = p.await(ctx, index-uint64(len(p.ring)/2)); err != nil {
				err = fmt.Errorf("nothing was changed: %w", err)
			}
		}
		if err != nil {
			return 0, err
		}
	}
}

// submit posts a message if the window has room for it. It returns the
// message's index, or the one that it would have.
func (p *Pipeline) submit(subject string, header Header, payload []byte, bytes int64, opts []StoreOption) (index uint64, ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.submitted-p.completes.Load() >= uint64(len(p.ring)) {
		return p.submitted, false, nil
	}
	index = p.submitted
	o := &p.ring[index%uint64(len(p.ring))]
	if err := o.own(subject, header, payload, opts); err != nil {
		o.disown()
		return 0, false, err
	}
	o.index, o.bytes = index, bytes
	p.store.stamp(o)
	if !p.store.mailbox.Post(o) {
		o.disown()
		return 0, false, ErrStopped
	}
	p.submitted++
	return index, true, nil
}

// own copies a message into the op, which then owns it.
func (o *op) own(subject string, header Header, payload []byte, opts []StoreOption) error {
	header, err := o.takeOptions(header, opts)
	if err != nil {
		return err
	}
	o.store.Subject, o.store.Header = subject, nil
	o.scratch = o.scratch[:0]
	if len(header) > 0 {
		if o.scratch, err = header.AppendBlock(o.scratch); err != nil {
			return err
		}
	}
	n := len(o.scratch)
	o.scratch = append(o.scratch, payload...)
	if n > 0 {
		o.store.Header = o.scratch[:n:n]
	}
	o.store.Payload = o.scratch[n:]
	return nil
}

// disown drops the message of an op that is done: a pipeline without traffic holds
// none of the callers' bytes, and little memory of its own.
func (o *op) disown() {
	o.store, o.since = engine.Store{}, 0
	o.scratch = spare(o.scratch)
}

// completed takes the outcome of the oldest message on its way.
func (p *Pipeline) completed(o *op, r engine.Reply) {
	p.outcome(o, r)
	p.complete(1)
}

// outcome is completed without its end, which complete is for one message or for several.
func (p *Pipeline) outcome(o *op, r engine.Reply) {
	p.store.countRefusal(context.Background(), r.Err)
	o.disown()
	if p.done != nil {
		p.tell(PipelineResult{Index: o.index, Ack: ackOf(r), Err: r.Err})
	}
}

// complete gives back the places of the oldest messages, and wakes who waits for that.
func (p *Pipeline) complete(messages uint64) {
	if p.completes.Add(messages) >= p.target.Load() {
		p.signalMu.Lock()
		p.target.Store(noTarget)
		close(p.signal)
		p.signal = make(chan struct{})
		p.signalMu.Unlock()
	}
}

// tell hands an outcome to the caller's function. A panic there is not the store's:
// it is logged, and everybody else goes on.
func (p *Pipeline) tell(r PipelineResult) {
	defer func() {
		if reason := recover(); reason != nil {
			p.store.log.Error("panic in a function of a pipeline", "reason", reason, "index", r.Index)
		}
	}()
	p.done(r)
}

// Wait returns when the outcome of every message handed over before is known.
func (p *Pipeline) Wait(ctx context.Context) error {
	p.mu.Lock()
	upTo := p.submitted
	p.mu.Unlock()
	return p.await(ctx, upTo)
}

// await waits until so many outcomes are known.
func (p *Pipeline) await(ctx context.Context, outcomes uint64) error {
	for {
		p.signalMu.Lock()
		signal := p.signal
		p.target.Store(min(p.target.Load(), outcomes))
		p.signalMu.Unlock()
		// Looked at after the target was set: whoever completes next sees it.
		if p.completes.Load() >= outcomes {
			return nil
		}
		select {
		case <-signal:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
