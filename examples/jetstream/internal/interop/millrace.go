package interop

import (
	"context"
	"errors"
	"log/slog"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
)

// QuietSystem is an actor system that logs nothing.
func QuietSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
}

// OpenMillrace opens the stream in dir/stream with Millrace, and calls use with its reading. Like
// any open, that recovers the stream and locks it until use returns.
func OpenMillrace(ctx context.Context, dir, stream string, use func(Reading) error) error {
	return OpenMillraceWith(ctx, actors.Config{Dir: dir, Name: stream}, use)
}

// OpenMillraceWith is OpenMillrace with a configuration.
func OpenMillraceWith(ctx context.Context, config actors.Config, use func(Reading) error) (err error) {
	system := QuietSystem()
	defer system.Shutdown()
	store, err := actors.Open(ctx, system, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Stop(context.WithoutCancel(ctx))) }()
	state, err := store.FastState(ctx)
	if err != nil {
		return err
	}
	return use(Reading{
		Messages: state.Messages, Bytes: state.Bytes, First: state.FirstSequence, Last: state.LastSequence,
		All: func(yield func(Message, error) bool) {
			for message, err := range store.Messages(ctx, actors.From(1), actors.Borrowed()) {
				ours := Message{Sequence: message.Sequence, Time: message.Time, Subject: message.Subject,
					Header: message.HeaderBlock, Payload: message.Payload}
				if !yield(ours, err) {
					return
				}
			}
		},
	})
}
