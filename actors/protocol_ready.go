package actors

import "github.com/asynkron/protoactor-go/actor"

type (
	// ReadyRequest asks to be told when the store takes writes, as Store.Ready does: the reply comes at once while it
	// does. Reply: *ReadyReply.
	ReadyRequest struct{ Tag any }
	// ReadyReply answers ReadyRequest.
	ReadyReply struct {
		Err error
		Tag any
	}
)

// readyBy has an actor wait until the store is usable.
func (a *storeActor) readyBy(m *ReadyRequest, sender *actor.PID) {
	a.onReady(&readyOp{tell: func(err error) { a.respond(sender, &ReadyReply{err, m.Tag}) }})
}
