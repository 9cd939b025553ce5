package metrics_test

import (
	"context"
	_ "embed"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors/consumer"
	"github.com/seed-d8b58eba/millrace/metrics"
)

//go:embed testdata/consumers.txt
var consumersExposition string

type consumerSource struct {
	stats consumer.Stats
	hangs bool
}

func (s *consumerSource) Name() consumer.Name { return s.stats.Name }

func (s *consumerSource) Stats(ctx context.Context) (consumer.Stats, error) {
	if s.hangs {
		<-ctx.Done()
		return consumer.Stats{}, ctx.Err()
	}
	return s.stats, nil
}

// TestFiguresOfConsumersAreShown: no two of them are the same. One that does not answer is left out, and holds nobody up.
func TestFiguresOfConsumersAreShown(t *testing.T) {
	synctest.Test(t, showConsumers) // where the patience of a scrape takes no time
}

func showConsumers(t *testing.T) {
	busy := &consumerSource{stats: consumer.Stats{
		Name: consumer.Name{Stream: "ORDERS", Consumer: "billing"}, Config: consumer.Config{MaxAckPending: 12}, Lag: 1, Pending: 2, Held: 3, Waiting: 4, PausedUntil: time.Unix(9, 0),
		Delivered: 5, Redelivered: 6, Acked: 7, Terminated: 8, Exhausted: 9, Removed: 10, Damaged: 11, Failed: errors.New("full"),
	}}
	hanging := &consumerSource{stats: consumer.Stats{Name: consumer.Name{Stream: "ORDERS", Consumer: "mail"}}, hangs: true}
	c := metrics.NewConsumerCollector(busy, hanging)
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(c))
	require.Equal(t, consumersExposition, string(gather(t, registry)))
	c.Remove(hanging.Name())
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	require.Empty(t, problems)
	c.Remove(busy.Name())
	require.Zero(t, testutil.CollectAndCount(c))
}
