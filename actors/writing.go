package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/engine"
)

// writing is a request that is carried out by the engine, in order with all others.
type writing interface {
	// fill gives an op, which is empty, the command that the request asks for.
	fill(o *op) error
	// answer makes the reply to the request.
	answer(r engine.Reply) any
}

// writeFor turns a request of an actor into an operation of the engine.
func (a *storeActor) writeFor(request writing, sender *actor.PID) {
	o := a.ops.get()
	o.sender, o.request = sender, request
	if err := request.fill(o); err != nil {
		a.respond(sender, a.refusal(request, a.refused(err)))
		o.recycle()
		return
	}
	if o.stops() {
		a.credits.Force() // a stop needs no credit; it gives back one
	} else if o.bytes = o.cost(); !a.credits.TryAcquire(o.bytes) {
		if o.counts() {
			_ = a.refused(ErrOverloaded)
		}
		a.respond(sender, a.refusal(request, ErrOverloaded))
		o.recycle()
		return
	}
	a.stamp(o)
	a.step(o)
}

// opOverhead is what an operation, and each message of a batch, counts for besides
// its bytes.
const opOverhead = 128

// costOf returns the credit that so many pieces with so many bytes take.
func costOf(pieces, bytes int) int64 { return int64(opOverhead*pieces + bytes) }

// cost returns the credit that an operation takes, in bytes.
func (o *op) cost() int64 { return costOf(o.command.Size()) }

// stops reports whether the operation is a stop.
func (o *op) stops() bool {
	_, stops := o.command.(*engine.Stop)
	return stops
}

func ackOf(r engine.Reply) Ack {
	if r.Err != nil {
		return Ack{}
	}
	if r.Duplicate {
		return Ack{Sequence: r.Sequence, Duplicate: true}
	}
	return Ack{Sequence: r.Sequence, Time: timeOf(r.Time)}
}

func batchAckOf(r engine.Reply) BatchAck {
	if r.Err != nil {
		return BatchAck{}
	}
	ack := BatchAck{First: r.Sequence - uint64(r.Count) + 1, Last: r.Sequence, Duplicate: r.Duplicate}
	if !r.Duplicate {
		ack.Time = timeOf(r.Time)
	}
	return ack
}
