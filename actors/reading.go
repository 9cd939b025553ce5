package actors

import (
	"context"
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors/internal/read"
)

// reading is a request that is carried out beside the store actor.
type reading interface {
	// weight returns the credit that it takes, in bytes.
	weight() int64
	// refuse makes the reply when it is not carried out.
	refuse(s *stream, err error) any
	// carryOut makes the reply, on a goroutine of its own. ctx says when nobody waits for it any more.
	carryOut(ctx context.Context, s *stream) any
}

// longReading is one that takes so long, and so little of the processor, that it waits for no place among others.
type longReading interface{ takesLong() }

// What bounds reads for actors, and so their goroutines and the memory of replies.
const (
	mostReads  = 1024
	loadCredit = 64 << 10 // what one message counts for, in bytes

	defaultReadMax   = 1000
	mostReadMax      = 1 << 16
	defaultReadBytes = 1 << 20
	mostReadBytes    = 8 << 20

	defaultSubjects     = 10_000
	defaultSubjectBytes = 1 << 20
	mostSubjectBytes    = 64 << 20

	defaultRow = 1 << 16 // of sequences or ranges
	mostRow    = 1 << 20 // and of subjects
	rowCredit  = 16      // what each of a row counts for, in bytes
)

// bounded returns what is asked for within bounds.
func bounded(asked, usual, most int) int {
	if asked <= 0 {
		return usual
	}
	return min(asked, most)
}

// readFor reads on a goroutine of its own.
func (s *stream) readFor(request reading, sender *actor.PID) {
	bytes := request.weight()
	if !s.reads.TryAcquire(bytes) {
		s.respond(sender, request.refuse(s, ErrOverloaded))
		return
	}
	ctx := &asked{Context: context.Background(), stream: s, sender: sender}
	_, job := request.(longReading)
	go func() {
		if !job {
			ctx.begin()
			defer ctx.end()
		}
		reply := s.tryRead(ctx, request)
		s.reads.Release(bytes)
		s.respond(sender, reply)
	}()
}

// tryRead reads. A panic is a bug, or damage that nobody thought of: the requester
// is told, and nobody else is hurt.
func (s *stream) tryRead(ctx context.Context, request reading) (reply any) {
	defer func() {
		if reason := recover(); reason != nil {
			s.meters.crashes.Add(1)
			s.log.Error("panic while reading for an actor", "reason", reason, "stack", string(debug.Stack()))
			reply = request.refuse(s, read.ErrPanic)
		}
	}()
	return request.carryOut(ctx, s)
}

// ask has a question answered about what filters select.
func (s *stream) ask(ctx context.Context, filters []Filters, answer func(*read.Lookup) error) error {
	set, err := setOf(filters)
	if err != nil {
		return err
	}
	return s.source.Ask(ctx, set, answer)
}

// forever is the context of who reads for the stream itself: nobody takes the request back.
var forever = context.Background()

// handle returns a handle to ask questions by. It has no PID.
func (s *stream) handle() *Store { return &Store{stream: s} }
