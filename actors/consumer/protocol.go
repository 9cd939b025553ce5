package consumer

import (
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/actors/consumer/internal/cursor"
)

// The messages that actors send to Consumer.PID, with actor.Context.Request. Every request gets exactly one reply, of the
// type that its comment names, with the request's Tag, and SubscribeRequest others before it. Slices belong to the consumer until the reply. A
// request to a consumer that is gone is answered by the actor library, with actor.DeadLetterResponse.
type (
	// PullRequest asks for messages: at most Batch (0: 1), and no more beyond MaxBytes of subjects, headers and payloads (0:
	// no bound), but one. It is answered as soon as there are any, with all that can be delivered at once. With
	// Expires above 0 it waits for so long, and is then answered without messages; else it does not wait. Reply: *PullReply.
	PullRequest struct {
		Batch    int
		MaxBytes int
		Expires  time.Duration
		Tag      any
	}
	// PullReply answers PullRequest.
	PullReply struct {
		Deliveries []Delivery
		Err        error
		Tag        any
	}

	// SubscribeRequest has messages sent to its sender as they come, in *Pushed: so many as Credit says, and more with each
	// CreditRequest. It ends with an UnsubscribeRequest, with the sender, or with the consumer; the last *Pushed
	// says so with Err. A second one of the same sender takes the place of the first. Reply: *Pushed.
	SubscribeRequest struct {
		Credit int
		Tag    any
	}
	// CreditRequest lets a subscriber be sent so many messages more. It has no reply.
	CreditRequest struct{ Credit int }
	// UnsubscribeRequest ends what SubscribeRequest began. It has no reply of its own.
	UnsubscribeRequest struct{}
	// Pushed brings messages to a subscriber. With Err it is the last one: ErrStopped or ErrStreamStopped, ErrRequest or
	// ErrOverloaded when the subscription was refused, and ErrUnsubscribed after UnsubscribeRequest.
	Pushed struct {
		Deliveries []Delivery
		Err        error
		Tag        any
	}

	// SettleRequest says what became of deliveries. The reply comes when that is as durable as the sync level of the stream
	// with the state says. With Outputs, which only an acknowledgement can have, these are stored in that
	// stream as one with it: all of it or nothing. Reply: *SettleReply.
	SettleRequest struct {
		Verdict Verdict
		Tokens  []Token
		Delay   time.Duration // of Nak: until the message comes again
		Outputs []actors.BatchMessage
		Tag     any
	}
	// SettleReply answers SettleRequest. Err is ErrNotPending or ErrStale when some tokens are; the others have been settled, unless
	// there were Outputs. Ack is that of the Outputs.
	SettleReply struct {
		Ack actors.BatchAck
		Err error
		Tag any
	}

	// PauseRequest stops deliveries until a time; the zero time ends that. Reply: *PauseReply.
	PauseRequest struct {
		Until time.Time
		Tag   any
	}
	// PauseReply answers PauseRequest.
	PauseReply struct {
		Err error
		Tag any
	}

	// InfoRequest asks for the figures, as Consumer.Stats does, but for Lag. Reply: *InfoReply.
	InfoRequest struct{ Tag any }
	// InfoReply answers InfoRequest.
	InfoReply struct {
		Stats Stats
		Err   error
		Tag   any
	}

	// NoticesRequest asks for the notices behind a number, and waits for one if there are none. Reply: *NoticesReply.
	NoticesRequest struct {
		After uint64
		Tag   any
	}
	// NoticesReply answers NoticesRequest.
	NoticesReply struct {
		Notices []Notice
		Err     error
		Tag     any
	}

	// StopRequest stops the consumer, as Consumer.Stop does. Reply: *StopReply.
	StopRequest struct{ Tag any }
	// DeleteRequest deletes the consumer, as Consumer.Delete does. Reply: *StopReply.
	DeleteRequest struct{ Tag any }
	// StopReply answers StopRequest and DeleteRequest.
	StopReply struct {
		Err error
		Tag any
	}
)

// Verdict says what became of a delivery.
type Verdict uint8

// The verdicts.
const (
	// Ack: the message is done. It does not come again.
	Ack Verdict = iota
	// Nak: it could not be handled, and comes again after SettleRequest.Delay.
	Nak
	// InProgress: it is being handled, and has all of its time again.
	InProgress
	// Term: it cannot be handled, and does not come again. There is a notice.
	Term
)

// IgnoreDeadLetterLogging keeps payload out of the actor library's log.
func (*PullReply) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging keeps payload out of the actor library's log.
func (*Pushed) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging keeps payload out of the actor library's log.
func (*SettleRequest) IgnoreDeadLetterLogging() {}

// NoticeKind says what a Notice tells of.
type NoticeKind = cursor.NoticeKind

// The kinds of notices.
const (
	// NoticeExhausted: it was delivered MaxDeliver times, and not acknowledged in time.
	NoticeExhausted = cursor.NoticeExhausted
	// NoticeTerminated: whoever had it has settled it with Term.
	NoticeTerminated = cursor.NoticeTerminated
	// NoticeRemoved: a limit or a removal has taken it from the stream before it was settled.
	NoticeRemoved = cursor.NoticeRemoved
	// NoticeDamaged: it was to be delivered again, and cannot be read any more.
	NoticeDamaged = cursor.NoticeDamaged
)

// Notice tells of a message that was settled without an acknowledgement. It is a part of the state: as durable as an
// acknowledgement, and there after a crash.
type Notice struct {
	Number     uint64 // 1 for the first notice of the consumer, and so on
	Kind       NoticeKind
	Sequence   uint64
	Deliveries uint64
	Time       time.Time
}

func noticesOf(list []cursor.Notice) []Notice {
	notices := make([]Notice, len(list))
	for i, n := range list {
		notices[i] = Notice{n.Number, n.Kind, n.Sequence, n.Deliveries, time.Unix(0, n.Time).UTC()}
	}
	return notices
}
