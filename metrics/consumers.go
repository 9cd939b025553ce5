package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/seed-d8b58eba/millrace/actors/consumer"
)

// ConsumerSource is what a ConsumerCollector reads: a *consumer.Consumer.
type ConsumerSource interface {
	Name() consumer.Name
	Stats(ctx context.Context) (consumer.Stats, error)
}

// ConsumerCollector is a prometheus.Collector for a set of consumers. Its methods are safe for concurrent use.
type ConsumerCollector struct {
	mu      sync.Mutex
	sources map[consumer.Name]ConsumerSource
}

// consumerPatience is how long a scrape waits for the figures of all consumers together. One that does not answer is left
// out: the disk of its state hangs.
const consumerPatience = 2 * time.Second

// NewConsumerCollector returns a collector for these consumers; Add adds more. A scrape counts the lag of each, which costs
// what Store.NumPending does.
func NewConsumerCollector(sources ...ConsumerSource) *ConsumerCollector {
	c := &ConsumerCollector{sources: make(map[consumer.Name]ConsumerSource)}
	for _, s := range sources {
		c.Add(s)
	}
	return c
}

// Add adds a consumer, in the place of one of the same name and stream.
func (c *ConsumerCollector) Add(s ConsumerSource) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sources[s.Name()] = s
}

// Remove forgets a consumer.
func (c *ConsumerCollector) Remove(name consumer.Name) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sources, name)
}

// consumerNumber is a metric that is one field of the statistics of a consumer.
type consumerNumber struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*consumer.Stats) float64
}

var (
	consumerLag         = describe("consumer_lag_messages", "Messages that the filters select and that were never delivered.", "consumer")
	consumerPending     = describe("consumer_pending_messages", "Messages that are delivered and not settled.", "consumer")
	consumerMayPend     = describe("consumer_limit_pending_messages", "Messages that may be delivered and not settled.", "consumer")
	consumerHeld        = describe("consumer_held_messages", "Messages of the lag that were read, and wait for one of their subject.", "consumer")
	consumerWaiting     = describe("consumer_waiting_pulls", "Pulls that wait for messages.", "consumer")
	consumerPaused      = describe("consumer_paused", "1 while nothing is delivered because of a pause, else 0.", "consumer")
	consumerFailed      = describe("consumer_failed", "1 while nothing is delivered because the state cannot be stored, else 0.", "consumer")
	consumerDelivered   = describe("consumer_deliveries_total", "Deliveries, since the consumer was made.", "consumer")
	consumerRedelivered = describe("consumer_redeliveries_total", "Deliveries that were not the first of their message.", "consumer")
	consumerSettled     = describe("consumer_settled_messages_total", "Messages that do not come again, by the way in which they were settled.", "consumer", "way")
)

var consumerNumbers = []consumerNumber{
	{consumerLag, prometheus.GaugeValue, func(s *consumer.Stats) float64 { return float64(s.Lag) }},
	{consumerPending, prometheus.GaugeValue, func(s *consumer.Stats) float64 { return float64(s.Pending) }},
	{consumerMayPend, prometheus.GaugeValue, func(s *consumer.Stats) float64 { return float64(s.Config.MaxAckPending) }},
	{consumerHeld, prometheus.GaugeValue, func(s *consumer.Stats) float64 { return float64(s.Held) }},
	{consumerWaiting, prometheus.GaugeValue, func(s *consumer.Stats) float64 { return float64(s.Waiting) }},
	{consumerPaused, prometheus.GaugeValue, func(s *consumer.Stats) float64 { return one(!s.PausedUntil.IsZero()) }},
	{consumerFailed, prometheus.GaugeValue, func(s *consumer.Stats) float64 { return one(s.Failed != nil) }},
	{consumerDelivered, prometheus.CounterValue, func(s *consumer.Stats) float64 { return float64(s.Delivered) }},
	{consumerRedelivered, prometheus.CounterValue, func(s *consumer.Stats) float64 { return float64(s.Redelivered) }},
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// Describe implements prometheus.Collector.
func (c *ConsumerCollector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, n := range consumerNumbers {
		descriptions <- n.desc
	}
	descriptions <- consumerSettled
}

// Collect implements prometheus.Collector.
func (c *ConsumerCollector) Collect(metrics chan<- prometheus.Metric) {
	c.mu.Lock()
	sources := make([]ConsumerSource, 0, len(c.sources))
	for _, s := range c.sources {
		sources = append(sources, s)
	}
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), consumerPatience)
	defer cancel()
	var asking sync.WaitGroup
	for _, s := range sources {
		asking.Go(func() {
			if stats, err := s.Stats(ctx); err == nil {
				collectConsumer(metrics, &stats)
			}
		})
	}
	asking.Wait()
}

func collectConsumer(metrics chan<- prometheus.Metric, s *consumer.Stats) {
	labels := []*dto.LabelPair{label("consumer", s.Consumer), label("stream", s.Stream)}
	for _, n := range consumerNumbers {
		metrics <- &sample{n.desc, n.kind, n.value(s), labels}
	}
	for _, w := range []struct {
		way   string
		count uint64
	}{{"acknowledged", s.Acked}, {"terminated", s.Terminated}, {"exhausted", s.Exhausted}, {"removed", s.Removed}, {"damaged", s.Damaged}} {
		metrics <- &sample{consumerSettled, prometheus.CounterValue, float64(w.count), append(labels[:2:2], label("way", w.way))}
	}
}
