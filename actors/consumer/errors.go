package consumer

import (
	"errors"

	"github.com/seed-d8b58eba/millrace/actors"
)

// Errors of a consumer. Test for them with errors.Is.
var (
	// ErrConfig: the configuration is not valid, or the streams cannot serve it. The error lists every problem.
	ErrConfig = errors.New("consumer: invalid configuration")
	// ErrNoConsumer: there is no consumer of this name.
	ErrNoConsumer = errors.New("consumer: there is none of this name")
	// ErrDifferent: the consumer is there already, with other filters or another order, which cannot be changed.
	ErrDifferent = errors.New("consumer: it is there already, and differs")
	// ErrOtherStream: the state is that of a consumer of another stream of the same name, which was deleted. Delete the
	// consumer to begin anew.
	ErrOtherStream = errors.New("consumer: its stream was another one of this name")
	// ErrState: the state cannot be read: it is damaged, a part of it was removed, or a later version wrote it.
	ErrState = errors.New("consumer: its state cannot be read")
	// ErrTaken: somebody else has opened the consumer since. Nothing of what was asked for has happened.
	ErrTaken = errors.New("consumer: it was opened by somebody else")

	// ErrNotPending: the message is settled already, or was never delivered with this token.
	ErrNotPending = errors.New("consumer: the message is not pending")
	// ErrStale: the message was delivered again since, and only whoever has it now can put it off.
	ErrStale = errors.New("consumer: the message was delivered again since")
	// ErrTooManyPulls: refused, as many pulls as may wait do so, see Config.MaxWaiting.
	ErrTooManyPulls = errors.New("consumer: too many pulls wait")
	// ErrUnsubscribed: a subscription has ended, as its actor wanted.
	ErrUnsubscribed = errors.New("consumer: unsubscribed")
	// ErrRequest: refused, the request makes no sense; the error says why.
	ErrRequest = errors.New("consumer: invalid request")

	// ErrStopped: the consumer has stopped, and did nothing of what was asked for.
	ErrStopped = errors.New("consumer: stopped")
	// ErrStreamStopped: it has stopped because its stream, or that with its state, has.
	ErrStreamStopped = errors.New("consumer: its stream has stopped")

	// ErrOverloaded: too much is in flight for an actor that sends by PID.
	ErrOverloaded = actors.ErrOverloaded
	// ErrOutcomeUnknown: an acknowledgement may or may not be durable: the disk failed, the consumer was stopped from
	// outside, or the caller's context ended while it was on its way. If it is not, the message comes again.
	ErrOutcomeUnknown = actors.ErrOutcomeUnknown
)
