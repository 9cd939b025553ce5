package actors

import (
	"fmt"

	"github.com/seed-d8b58eba/millrace/engine"
)

// deliver tells the takers of notices, gives back the credit of all replies at once, and then hands the replies out.
func (a *storeActor) deliver(replies []engine.Reply) {
	a.tellTakers()
	var ops, bytes int64
	for i := range replies {
		if o, ok := replies[i].Tag.(*op); ok {
			ops, bytes = ops+1, bytes+o.bytes
		}
	}
	if ops > 0 {
		a.load.ops += ops
		a.credits.ReleaseMany(ops, bytes)
	}
	a.tellAll(replies)
}

// tellAll hands out replies, and keeps count of how many it has, in case that it panics.
func (a *storeActor) tellAll(replies []engine.Reply) {
	a.replies, a.told = replies, 0
	for i := range replies {
		a.told = i + 1
		switch tag := replies[i].Tag.(type) {
		case *op:
			if tag == a.stepping {
				a.stepping, a.inHand = nil, nil
			}
			if tag.pipeline != nil {
				a.piped.tell(tag, &replies[i])
			} else {
				a.tell(tag, replies[i])
			}
		case *configUpdate:
			a.onLimitsSet(tag, replies[i].Err)
		case *int:
			a.closed, a.whole = true, replies[i].Err == nil
		}
	}
	a.piped.flush()
	a.replies = nil
	clear(replies) // the engine keeps the list, and with it the last operation of an idle stream
}

// errPanicked is what the operation is answered with in whose step the store actor panicked, and ended.
var errPanicked = fmt.Errorf("%w: %w: panic in the store actor", ErrOutcomeUnknown, ErrFailed)

// deliverRest answers everybody who still waits, each once, also when a panic has interrupted a delivery
// or a step.
func (a *storeActor) deliverRest() {
	for a.replies != nil {
		a.tellAll(a.replies[a.told:])
	}
	a.deliver(a.engine.Settled())
	a.answerInHand(errPanicked)
	a.endUpdates()
}

// answerInHand answers the message that was being handled, if nobody has.
func (a *storeActor) answerInHand(err error) {
	o, message := a.stepping, a.inHand
	a.stepping, a.inHand = nil, nil
	if own, ok := message.(*op); o == nil && ok {
		o = own
	}
	if o != nil {
		a.finish(o, engine.Reply{Tag: o, Err: err})
		return
	}
	if request, sender := unwrap(message); sender != nil {
		a.respond(sender, a.refusal(request, err))
	}
}
