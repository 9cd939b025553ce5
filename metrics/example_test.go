package metrics_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/metrics"
)

// quietSystem returns an actor system that does not log.
func quietSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
}

func ExampleNewCollector() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "millrace")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := actors.Open(ctx, quietSystem(), actors.Config{Dir: dir, Name: "ORDERS"})
	if err != nil {
		log.Fatal(err)
	}

	registry := prometheus.NewRegistry()
	stores := metrics.NewCollector(store)
	registry.MustRegister(stores) // serve it with promhttp.HandlerFor

	if _, err := store.StoreMsg(ctx, "orders.new", nil, []byte("one coffee")); err != nil {
		log.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		log.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "millrace_messages" {
			m := family.GetMetric()[0]
			fmt.Println(family.GetName(), m.GetLabel()[0].GetValue(), m.GetGauge().GetValue())
		}
	}

	stores.Remove("ORDERS")
	if err := store.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: millrace_messages ORDERS 1
}
