package actors

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/mailbox"
	"github.com/seed-d8b58eba/millrace/actors/internal/read"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/sealed"
	"github.com/seed-d8b58eba/millrace/engine"
)

// stream is what the handle of callers (Store) and the store actor share. All of it is set before the actor
// is spawned and safe for concurrent use; what changes belongs to the engine, and to the actor alone.
type stream struct {
	config Config
	dir    string // Config.Dir/Config.Name
	// below has the files as they are: Config.FS, unless the stream is open for reading only and that is its Overlay.
	below  blockio.FS
	sealed *sealed.FS // config.FS if the stream has a key, else nil
	limits engine.Limits
	// publishing is what headers mean, like limits of the store actor once it runs.
	publishing publishing
	syncing    syncing                            // likewise
	shown      atomic.Pointer[engine.Limits]      // what Store.Limits returns
	meta       *blockio.StreamMeta                // as it is stored; of the store actor
	shownMeta  atomic.Pointer[blockio.StreamMeta] // what Store.StreamConfig returns
	// serverLimits is what recovery has to know of a nats-server that had the directory.
	serverLimits struct {
		maxMsgsPer int64
		cannotTell bool // whether a message that is gone was removed
		had        bool // the directory since a store of ours
		removes    bool // messages that no limit would
	}
	log     *slog.Logger
	repeats *repeatState // of its lines
	system  *actor.ActorSystem
	runtime *Runtime

	published *engine.Published
	source    *read.Source
	mailbox   *mailbox.Mailbox
	credits   *mailbox.Credits
	lone      loneCaller
	reads     *mailbox.Credits // of reads for actors
	ops       opPool
	meters    meters
	// gone is closed when the store takes no more operations, and nothing of it runs any more.
	gone     chan struct{}
	final    error       // what every Stop returns; set before gone is closed
	stopped  atomic.Bool // a stop was asked for, or the actor is being stopped
	sampling atomic.Bool // see stamp
	failing  atomic.Bool // writes are refused until the store has recovered
	// lossReports is how many reports of lost messages are on their way to the store actor.
	lossReports atomic.Int32
	cause       atomic.Pointer[error] // what they are refused with then, nil while they are not
	deletion    deletion
	consumers   consumers
	gaveUp      atomic.Bool // and it does not recover by itself any more, after too many crashes
	patience    patience    // how its files wait for descriptors
}

// reject answers a data message that the mailbox does not take.
func (s *stream) reject(message any) {
	if o, ok := message.(*op); ok {
		s.finish(o, engine.Reply{Tag: o, Err: ErrStopped})
		return
	}
	err := ErrOverloaded
	if s.stopped.Load() {
		err = ErrStopped
	}
	if request, sender := unwrap(message); sender != nil {
		if m, ok := request.(*DeleteRequest); ok && s.stopped.Load() && !s.config.ReadOnly {
			s.deletion.asked.Store(true)
			s.deleteFor(m, sender)
			return
		}
		if m, ok := request.(*StopRequest); ok && s.stopped.Load() {
			// The store is stopping already. The answer is due when it has stopped.
			go func() {
				<-s.gone
				s.respond(sender, &StopReply{Err: s.final, Tag: m.Tag})
			}()
			return
		}
		switch request.(type) {
		case *StopRequest, *FlushRequest:
		case writing:
			_ = s.refused(err)
		}
		if reply := s.refusal(request, err); reply != nil {
			s.system.Root.Send(sender, reply)
		}
	}
}

// finish completes an op: it gives back the op's credit, and hands the reply out.
func (s *stream) finish(o *op, r engine.Reply) {
	s.credits.Release(o.bytes)
	s.tell(o, r)
}

// tell hands the reply of an op to whoever waits for it. The op's credit has been given back.
func (s *stream) tell(o *op, r engine.Reply) {
	if o.since != 0 {
		s.acknowledged(o, &r)
	}
	switch {
	case o.pipeline != nil:
		o.pipeline.completed(o, r)
	case o.request != nil:
		if o.counts() {
			s.countRefusal(context.Background(), r.Err)
		}
		s.respond(o.sender, o.request.answer(r))
		o.recycle()
	case !o.complete(&r, s.mailbox.Serves(o)):
		o.recycle()
	}
}
