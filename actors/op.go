package actors

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/engine"
)

// The states of an operation that somebody waits for. The caller may walk away while the operation is
// queued: then it does not happen. It may walk away after the operation was staged: then it may still
// happen. In between it may not, since the engine reads the caller's bytes.
const (
	opQueued    int32 = iota // in the mailbox
	opClaimed                // the store actor reads it
	opStaged                 // the engine has it; the bytes are the caller's again
	opDone                   // the reply is set
	opAbandoned              // the caller is gone
)

// op is one operation on its way through the store actor. Once it is posted it belongs to the actor, until
// it is done. Somebody waits for it: a caller on the channel done, a pipeline, or an actor that has sent a
// request.
type op struct {
	// command is what the engine is to do. The commands that store messages, or remove
	// one, are part of the op, so that they need no memory of their own.
	//
	// What every store uses comes first: an op goes from core to core, and each line of it that is touched has to
	// be fetched there.
	command  engine.Command
	store    engine.Store
	state    atomic.Int32
	uses     uint8 // how often it was used, modulo 256
	weight   uint8 // how many operations it is measured for
	silent   bool  // the reply was set on the goroutine of the caller, who needs no signal
	since    int64 // when the call began; 0 when that is not measured. See stamp
	bytes    int64 // credit that it holds
	reply    engine.Reply
	done     chan struct{} // of capacity 1; receives when the reply is set
	pipeline *Pipeline     // nil when the operation is not of a pipeline
	index    uint64        // in the pipeline
	request  writing       // nil when it is not of an actor
	sender   *actor.PID    // the actor; nil when it does not want an answer
	pool     *opPool
	scratch  []byte
	config   *Config // that is to be taken, nil when the operation is not for that

	remove engine.Remove
	batch  engine.StoreBatch
	raw    engine.StoreRaw
}

// HoldsCredit implements mailbox.Credited.
func (*op) HoldsCredit() {}

// Answered implements mailbox.Visitor.
func (o *op) Answered() bool { return o.state.Load() == opDone }

// opPool holds operations to be used again. Each store has one: with one for all,
// channels made in a test's synctest bubble would come out in another.
type opPool struct{ pool sync.Pool }

// get returns an op that has no command yet.
func (p *opPool) get() *op {
	o, ok := p.pool.Get().(*op)
	if !ok {
		o = &op{pool: p, done: make(chan struct{}, 1), uses: anyUse()}
	}
	o.state.Store(opQueued)
	return o
}

// recycle returns an op that nobody refers to any more to the pool.
func (o *op) recycle() {
	switch o.command {
	case &o.store:
		o.store = engine.Store{}
	case &o.raw:
		o.raw = engine.StoreRaw{}
	case &o.batch:
		batch := o.batch.Messages
		clear(batch)
		if cap(batch) > mostSpareMessages {
			batch = nil
		}
		o.batch = engine.StoreBatch{Messages: batch[:0]}
	}
	o.command = nil
	o.reply, o.bytes, o.since, o.scratch = engine.Reply{}, 0, 0, spare(o.scratch)
	o.pipeline, o.sender, o.request, o.config = nil, nil, nil, nil
	o.pool.pool.Put(o)
}

// What bounds the memory that an op keeps for the next one.
const (
	maxSpareScratch   = 64 << 10 // bytes
	mostSpareMessages = 1024     // of a batch
)

// spare returns what of a buffer is kept for the next operation.
func spare(scratch []byte) []byte {
	if cap(scratch) > maxSpareScratch {
		return nil
	}
	return scratch[:0]
}

// claim reports whether the op is to be carried out. Nobody walks away from one of a pipeline, which stays opQueued.
func (o *op) claim() bool { return o.pipeline != nil || o.state.CompareAndSwap(opQueued, opClaimed) }

// staged tells the caller that the engine has a copy of its bytes: from here on the caller may walk away again.
func (o *op) staged() {
	if o.pipeline == nil {
		o.state.CompareAndSwap(opClaimed, opStaged)
	}
}

// complete hands the reply to a caller: on its channel, unless this is the goroutine of the caller. It reports false when the
// caller is gone.
func (o *op) complete(r *engine.Reply, own bool) bool {
	o.reply, o.silent = *r, own
	for {
		state := o.state.Load()
		if state == opAbandoned {
			return false
		}
		if o.state.CompareAndSwap(state, opDone) {
			if !own {
				o.done <- struct{}{}
			}
			return true
		}
	}
}

// wait waits for the reply or the end of the context. Afterwards the op is no
// longer the caller's.
func (o *op) wait(ctx context.Context) (engine.Reply, error) {
	if ended := ctx.Done(); o.Answered() && o.silent {
		// The caller has run the turn that has set the reply.
	} else if ended != nil {
		select {
		case <-o.done:
		case <-ended:
			if err := o.abandon(ctx); err != nil {
				return engine.Reply{}, err
			}
			<-o.done
		}
	} else {
		<-o.done
	}
	r := o.reply
	o.recycle()
	return r, r.Err
}

// abandon walks away from an op whose context has ended. It returns nil when the
// op was done in that moment.
func (o *op) abandon(ctx context.Context) error {
	for {
		switch o.state.Load() {
		case opQueued:
			if o.state.CompareAndSwap(opQueued, opAbandoned) {
				return fmt.Errorf("nothing was changed: %w", context.Cause(ctx))
			}
		case opStaged:
			if o.state.CompareAndSwap(opStaged, opAbandoned) {
				return fmt.Errorf("the context ended: %w: %w", ErrOutcomeUnknown, context.Cause(ctx))
			}
		case opDone:
			return nil
		default:
			// Claimed: the actor is about to have copied our bytes.
			runtime.Gosched()
		}
	}
}
