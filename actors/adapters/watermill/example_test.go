package pubsub_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
	pubsub "github.com/seed-d8b58eba/millrace/actors/adapters/watermill"
)

// A topic with two consumer groups.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "pubsub")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
	messages, err := actors.Open(ctx, system, actors.Config{Dir: dir, Name: "MESSAGES"})
	if err != nil {
		log.Fatal(err)
	}
	defer messages.Stop(ctx)
	cursors, err := actors.Open(ctx, system, actors.Config{Dir: dir, Name: "CURSORS"})
	if err != nil {
		log.Fatal(err)
	}
	defer cursors.Stop(ctx)

	ps, err := pubsub.New(pubsub.Config{Messages: messages, Cursors: cursors})
	if err != nil {
		log.Fatal(err)
	}
	err = ps.Publisher().Publish("orders", message.NewMessage("1", []byte("coffee")), message.NewMessage("2", []byte("tea")))
	if err != nil {
		log.Fatal(err)
	}
	for _, group := range []string{"kitchen", "accounts"} {
		subscriber, err := ps.Subscriber(group)
		if err != nil {
			log.Fatal(err)
		}
		orders, err := subscriber.Subscribe(ctx, "orders")
		if err != nil {
			log.Fatal(err)
		}
		for range 2 {
			m := <-orders
			fmt.Println(group, m.UUID, string(m.Payload))
			m.Ack()
		}
		if err := subscriber.Close(); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// kitchen 1 coffee
	// kitchen 2 tea
	// accounts 1 coffee
	// accounts 2 tea
}
