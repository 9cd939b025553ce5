package main

import (
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// newSystem makes the process's actor system, which the broker's caller owns and shuts down. Dead letters
// are not logged: the library would print the whole message, payload included.
func newSystem(logger *slog.Logger) *actor.ActorSystem {
	return actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
			return logger.With("component", "actors")
		}),
		actor.WithDeadLetterThrottleCount(0),
		actor.WithDeadLetterThrottleInterval(10*time.Millisecond),
		actor.WithDeadLetterRequestLogging(false),
	)
}
