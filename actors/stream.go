package actors

import (
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// stream is what the parts of a store share: the handle that callers have, the
// store actor, and readers.
type stream struct {
	config  Config
	dir     string // Config.Dir/Config.Name
	limits  engine.Limits
	log     *slog.Logger
	system  *actor.ActorSystem
	runtime *Runtime

	published *engine.Published
	mailbox   *mailbox
	credits   *credits
	reads     *credits // of reads for actors
	ops       opPool
	meters    meters
	lastKey   atomic.Pointer[blockKey]
	// distrusted holds the numbers of blocks whose index file turned out to be of no
	// use, until it is written again.
	distrusted sync.Map
	// gone is closed when the store takes no more operations, and nothing of it
	// runs any more.
	gone    chan struct{}
	final   error // what every Stop returns; set before gone is closed
	stopped atomic.Bool
	failing atomic.Bool
}

// blockPath returns the file of a block.
func (s *stream) blockPath(id uint32) string {
	return filepath.Join(s.dir, "msgs", strconv.FormatUint(uint64(id), 10)+".blk")
}

// blockKey is the checksum key of one block.
type blockKey struct {
	id  uint32
	key *blockio.RecordCodec
}

// key returns the checksum key of a block. Readers mostly stay with one.
func (s *stream) key(id uint32) *blockio.RecordCodec {
	if k := s.lastKey.Load(); k != nil && k.id == id {
		return k.key
	}
	k := &blockKey{id, blockio.NewRecordCodec(s.config.Name, id)}
	s.lastKey.Store(k)
	return k.key
}

// forget drops what the runtime holds of a block whose file has gone.
func (s *stream) forget(id uint32) {
	s.runtime.files.Forget(s.blockPath(id))
	s.runtime.readers.forget(readerKey{s, id})
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
		if m, ok := request.(*StopRequest); ok && s.stopped.Load() {
			go func() {
				<-s.gone
				s.respond(sender, &StopReply{Err: s.final, Tag: m.Tag})
			}()
			return
		}
		if reply := s.refusal(request, err); reply != nil {
			s.system.Root.Send(sender, reply)
		}
	}
}

// finish completes an op: it gives back its credit, and tells who waits.
func (s *stream) finish(o *op, r engine.Reply) {
	s.credits.release(o.bytes)
	s.tell(o, r)
}

// tell hands the reply of an op to who waits for it. The op's credit has been
// given back.
func (s *stream) tell(o *op, r engine.Reply) {
	switch {
	case o.pipeline != nil:
		o.pipeline.completed(o, r)
	case o.request != nil:
		if reply := answer(o.request, r); reply != nil && o.sender != nil {
			s.system.Root.Send(o.sender, reply)
		}
		o.recycle()
	case !o.complete(r):
		o.recycle()
	}
}

// fileSystem returns the file system of the stream.
func (s *stream) fileSystem() blockio.FS { return s.config.FS }
