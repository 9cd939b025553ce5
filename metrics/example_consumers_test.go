package metrics_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/actors/consumer"
	"github.com/seed-d8b58eba/millrace/metrics"
)

// Consumers have a collector of their own.
func ExampleNewConsumerCollector() {
	dir, err := os.MkdirTemp("", "millrace")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	system := actor.NewActorSystem(actor.WithDeadLetterThrottleInterval(10*time.Millisecond),
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	orders, err := actors.Open(ctx, system, actors.Config{Dir: dir, Name: "ORDERS"})
	if err != nil {
		log.Fatal(err)
	}
	state, err := actors.Open(ctx, system, actors.Config{Dir: dir, Name: "STATE"})
	if err != nil {
		log.Fatal(err)
	}
	billing, err := consumer.Open(ctx, system, orders, state, consumer.Config{Name: "billing"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := orders.StoreMsg(ctx, "orders.new", nil, nil); err != nil {
		log.Fatal(err)
	}

	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.NewConsumerCollector(billing))
	families, err := registry.Gather()
	if err != nil {
		log.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "millrace_consumer_lag_messages" {
			fmt.Println(family.GetMetric()[0].GetGauge().GetValue())
		}
	}
	for _, stop := range []func(context.Context) error{billing.Stop, orders.Stop, state.Stop} {
		if err := stop(ctx); err != nil {
			log.Fatal(err)
		}
	}
	// Output: 1
}
