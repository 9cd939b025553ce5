package metrics

import (
	"math"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-d8b58eba/millrace/actors"
)

// Source is what a Collector reads: an *actors.Store.
type Source interface {
	Stats() actors.Stats
}

// Collector is a prometheus.Collector for a set of stores. Its methods are safe
// for concurrent use.
type Collector struct {
	mu      sync.Mutex
	sources map[string]Source // by stream
}

// NewCollector returns a collector for these stores; Add adds more.
func NewCollector(sources ...Source) *Collector {
	c := &Collector{sources: make(map[string]Source)}
	for _, s := range sources {
		c.Add(s)
	}
	return c
}

// Add adds a store, in the place of one of the same stream.
func (c *Collector) Add(s Source) {
	name := s.Stats().Name
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sources[name] = s
}

// Remove forgets the store of a stream.
func (c *Collector) Remove(stream string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sources, stream)
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, n := range numbers {
		descriptions <- n.desc
	}
	for _, d := range []*prometheus.Desc{removed, refused, groupRecords, commitSeconds} {
		descriptions <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	c.mu.Lock()
	sources := make([]Source, 0, len(c.sources))
	for _, s := range c.sources {
		sources = append(sources, s)
	}
	c.mu.Unlock()
	for _, s := range sources {
		stats := s.Stats()
		collect(metrics, &stats)
	}
}

func collect(metrics chan<- prometheus.Metric, s *actors.Stats) {
	for _, n := range numbers {
		metrics <- prometheus.MustNewConstMetric(n.desc, n.kind, n.value(s), s.Name)
	}
	counter := func(d *prometheus.Desc, value uint64, reason string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), s.Name, reason)
	}
	counter(removed, s.RemovedMsgs, "max_msgs")
	counter(removed, s.RemovedBytes, "max_bytes")
	counter(removed, s.RemovedAge, "max_age")
	counter(removed, s.RemovedTTL, "ttl")
	counter(removed, s.RemovedPer, "max_msgs_per_subject")
	counter(removed, s.RemovedRequest, "request")
	for _, r := range s.Refusals {
		counter(refused, r.Count, r.Reason)
	}
	metrics <- histogram(groupRecords, s.Groups, s.Name)
	metrics <- histogram(commitSeconds, s.CommitSeconds, s.Name)
}

func histogram(d *prometheus.Desc, h actors.Histogram, stream string) prometheus.Metric {
	cumulated := make(map[float64]uint64, len(h.Bounds))
	sum := uint64(0)
	for i, bound := range h.Bounds {
		sum += h.Counts[i]
		cumulated[bound] = sum
	}
	return prometheus.MustNewConstHistogram(d, h.Count, h.Sum, cumulated, stream)
}

// seconds returns a time for Prometheus; NaN when there is none.
func seconds(t interface {
	IsZero() bool
	UnixNano() int64
}) float64 {
	if t.IsZero() {
		return math.NaN()
	}
	return float64(t.UnixNano()) / 1e9
}
