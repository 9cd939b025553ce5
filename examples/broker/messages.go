package main

import (
	"context"
	"errors"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
)

// What the broker's actors say to each other, and what goroutines outside say to them. A goroutine that
// wants an answer puts a channel of one slot into its message: the actor never waits when it answers,
// and no future is registered per message.

var (
	errBusy            = errors.New("the stream has as many messages under way as it takes")
	errClosing         = errors.New("the broker is shutting down")
	errNoStream        = errors.New("there is no such stream")
	errTooManyStreams  = errors.New("the broker holds as many streams as it may")
	errTooManySessions = errors.New("the stream has as many followers as it may")
	errTooManyReads    = errors.New("the stream has as many reads under way as it takes")
)

// topicRequest asks the broker actor for a topic, which it opens when it has to.
type topicRequest struct {
	name       string
	create     bool  // or answer errNoStream
	retry      bool  // a stream that could not be opened is tried again, if that was not tried just now
	found      bool  // it is in the data folder: its name is what it is
	maxMsgsPer int64 // of a stream that is made
	done       chan<- topicResult
}

type topicResult struct {
	topic *Topic
	err   error
}

// listRequest asks the broker actor for all streams.
type listRequest struct {
	done chan<- []StreamStatus
}

// topicOpened is a topic actor's word to the broker actor: it works, or it never will.
type topicOpened struct {
	name  string
	store *actors.Store
	held  bool // there was such a stream before
	err   error
}

// storeOpened brings a topic actor the store that a goroutine opened for it.
type storeOpened struct {
	store *actors.Store
	held  bool // there was such a stream before
	err   error
}

// storeEnded is a topic actor's word to itself: all that its store has said has been heard.
type storeEnded struct{}

// closeBroker ends the broker actor after all topics; closeTopic ends one after all that it has taken, perhaps as its
// stream is deleted; closeSession ends a session at once.
type (
	closeBroker  struct{}
	closeTopic   struct{ deleted bool }
	closeSession struct{ err error }
)

// publish asks a topic actor to store one message for a goroutine.
type publish struct {
	subject string
	header  actors.Header
	payload []byte
	options []actors.StoreOption
	done    chan<- publishResult // one slot
}

func (m *publish) fail(err error) { m.done <- publishResult{err: err} }

// An asker is a request of a goroutine that waits for its answer.
type asker interface {
	fail(err error)
}

type publishResult struct {
	ack actors.Ack
	err error
}

// IgnoreDeadLetterLogging keeps the payload out of the library's log.
func (*publish) IgnoreDeadLetterLogging() {}

// subscribe asks a topic actor for a session.
type subscribe struct {
	what reading
	done chan<- subscribeResult // one slot
}

// A reading is what a session reads. Those that go on for ever and those that end count apart: many who follow a stream
// do not keep anybody from a look at it.
type reading struct {
	from    uint64
	filters []actors.Filters // none: all messages
	follow  bool
}

type subscribeResult struct {
	subscription *Subscription
	err          error
}

// acknowledge is a subscriber's word to its session: all up to this sequence is dealt with.
type acknowledge struct {
	through uint64
}

// await is the goroutine's side of such an answer. gone is closed when the actor that should answer has
// ended.
func await[T any](ctx context.Context, gone <-chan struct{}, answers <-chan T) (T, error) {
	var none T
	select {
	case answer := <-answers:
		return answer, nil
	case <-ctx.Done():
		return none, ctx.Err()
	case <-gone:
	}
	select { // it may have answered and ended
	case answer := <-answers:
		return answer, nil
	default:
		return none, errClosing
	}
}

// sendToStore passes a request on with the asking actor as the one that gets the reply.
func sendToStore(ctx actor.Context, store *actors.Store, request any) {
	ctx.RequestWithCustomSender(store.PID(), request, ctx.Self())
}
