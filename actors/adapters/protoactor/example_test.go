package protoactor_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/persistence"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/actors/adapters/protoactor"
)

// An account of a bank. Its events are amounts that were paid in, or out, and its snapshot is the balance.
type account struct {
	persistence.Mixin
	balance uint64
}

// pay asks an account to take an amount, or to give one below zero. The reply is the balance after it.
type pay struct{ amount int64 }

// errOverdrawn is the reply where there is not that much.
const errOverdrawn = "there is not that much"

func (a *account) Receive(ctx actor.Context) {
	switch message := ctx.Message().(type) {
	case *wrapperspb.UInt64Value: // the snapshot
		a.balance = message.GetValue()
	case *wrapperspb.Int64Value: // an event, of before
		a.balance += uint64(message.GetValue())
	case *persistence.RequestSnapshot:
		a.PersistSnapshot(wrapperspb.UInt64(a.balance))
	case *pay:
		if message.amount < 0 && a.balance < uint64(-message.amount) {
			ctx.Respond(errOverdrawn)
			return
		}
		sender, self := ctx.Sender(), ctx.ActorSystem() // a snapshot takes the context away
		a.PersistReceive(wrapperspb.Int64(message.amount))
		a.balance += uint64(message.amount) // after the event, as the snapshot is of what was before it
		self.Root.Send(sender, a.balance)
	}
}

// newAccount is how accounts are made: on a provider, and supervised by what it decides.
func newAccount(provider persistence.Provider) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor { return new(account) },
		actor.WithReceiverMiddleware(persistence.Using(provider)),
		actor.WithGuardian(actor.NewOneForOneStrategy(10, time.Minute, protoactor.Decide)))
}

// quiet is an actor system that does not log.
func quiet() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
}

// An account that is there again after the program has ended.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "bank")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for range 2 {
		ctx, system := context.Background(), quiet()
		store, err := actors.Open(ctx, system, actors.Config{Dir: dir, Name: "BANK"})
		if err != nil {
			log.Fatal(err)
		}
		provider, err := protoactor.New(store, protoactor.Config{SnapshotInterval: 100, DeleteEvents: true})
		if err != nil {
			log.Fatal(err)
		}
		anna, err := system.Root.SpawnNamed(newAccount(provider), "anna")
		if err != nil {
			log.Fatal(err)
		}
		for _, amount := range []int64{100, -30, -500} {
			reply, err := system.Root.RequestFuture(anna, &pay{amount}, time.Minute).Result()
			fmt.Println(amount, reply, err)
		}
		if err := system.Root.PoisonFuture(anna).Wait(); err != nil {
			log.Fatal(err)
		}
		if err := store.Stop(ctx); err != nil {
			log.Fatal(err)
		}
		system.Shutdown()
	}
	// Output:
	// 100 100 <nil>
	// -30 70 <nil>
	// -500 there is not that much <nil>
	// 100 170 <nil>
	// -30 140 <nil>
	// -500 there is not that much <nil>
}
