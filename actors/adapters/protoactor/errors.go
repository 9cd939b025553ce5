package protoactor

import (
	"errors"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
)

var (
	// ErrConfig: the configuration cannot be used.
	ErrConfig = errors.New("protoactor: invalid configuration")
	// ErrConflict: an event was not stored, as there is one with its index or a later one: the actor is active twice, or
	// goes on after a failure without having been restarted.
	ErrConflict = errors.New("protoactor: somebody else has stored events of this actor")
	// ErrGap: events that are to be replayed are missing, or one that is to be stored does not follow the last one.
	ErrGap = errors.New("protoactor: events are missing")
	// ErrCodec: a message cannot be encoded, or what is stored cannot be decoded, as for a type that this program does not
	// have.
	ErrCodec = errors.New("protoactor: no codec for the message")
)

// Error is what a method of the provider panics with: the supervisor of the actor gets it as the reason. Neither names
// of messages nor what is in them are in its text.
type Error struct {
	Op    string // "PersistEvent", "GetEvents" and so on
	Actor string // the name of the actor
	Index int    // of the event or snapshot, where there is one
	Err   error
}

// Error tells what failed.
func (e *Error) Error() string {
	return fmt.Sprintf("protoactor: %s, index %d: %v", e.Op, e.Index, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Decide is a decider for supervision, as actor.NewOneForOneStrategy takes it: an actor whose state cannot be had in a
// better way by trying again is stopped, as after ErrConflict, ErrGap, ErrCodec, damage, or when the stream was stopped.
// All else, a disk that fails among it, restarts the actor, which recovers from what is stored.
func Decide(reason any) actor.Directive {
	var failure *Error
	if err, isError := reason.(error); !isError || !errors.As(err, &failure) {
		return actor.RestartDirective
	}
	for _, final := range []error{ErrConflict, ErrGap, ErrCodec, actors.ErrCorrupt, actors.ErrStopped, actors.ErrReadOnly, actors.ErrTooLarge} {
		if errors.Is(failure, final) {
			return actor.StopDirective
		}
	}
	return actor.RestartDirective
}
