package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/seed-d8b58eba/millrace/actors"
)

// Source is what a Collector reads: an *actors.Store. One that is a DiskSource, too, is asked what its files take.
type Source interface {
	Stats() actors.Stats
}

// Collector is a prometheus.Collector for a set of stores. Its methods are safe
// for concurrent use.
type Collector struct {
	mu      sync.Mutex
	sources map[string]Source // by stream
	disk    disk
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
	c.disk.forget(name)
}

// Remove forgets the store of a stream.
func (c *Collector) Remove(stream string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sources, stream)
	c.disk.forget(stream)
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, n := range numbers {
		descriptions <- n.desc
	}
	for _, d := range []*prometheus.Desc{
		removed, refused, ackSeconds, writeSeconds, syncSeconds, groupRecords, diskUsage, spaceFree, spaceTotal,
	} {
		descriptions <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	c.mu.Lock()
	sources := make(map[string]Source, len(c.sources))
	for name, s := range c.sources {
		sources[name] = s
	}
	c.mu.Unlock()
	usage, spaces := c.disk.look(sources)
	for name, s := range sources {
		stats := s.Stats()
		collect(metrics, &stats)
		if u, ok := usage[name]; ok {
			collectUsage(metrics, name, u)
		}
	}
	for dir, space := range spaces {
		labels := []*dto.LabelPair{label("dir", dir)}
		metrics <- &sample{spaceFree, prometheus.GaugeValue, float64(space.Free), labels}
		metrics <- &sample{spaceTotal, prometheus.GaugeValue, float64(space.Total), labels}
	}
}

func collect(metrics chan<- prometheus.Metric, s *actors.Stats) {
	stream := label("stream", s.Name)
	labels := []*dto.LabelPair{stream}
	for i := range numbers {
		n := &numbers[i]
		metrics <- &sample{n.desc, n.kind, n.value(s), labels}
	}
	counter := func(d *prometheus.Desc, count uint64, reason string) {
		metrics <- &sample{d, prometheus.CounterValue, float64(count), []*dto.LabelPair{label("reason", reason), stream}}
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
	metrics <- &histogram{ackSeconds, &s.AckSeconds, times, labels}
	metrics <- &histogram{writeSeconds, &s.WriteSeconds, times, labels}
	metrics <- &histogram{syncSeconds, &s.SyncSeconds, times, labels}
	metrics <- &histogram{groupRecords, &s.Groups, sizes, labels}
}

func collectUsage(metrics chan<- prometheus.Metric, name string, u actors.DiskUsage) {
	stream := label("stream", name)
	for _, part := range []struct {
		kind  *dto.LabelPair
		bytes uint64
	}{{kindBlocks, u.Blocks}, {kindIndexes, u.Indexes}, {kindOther, u.Other}, {kindZeros, u.ZerosAhead}} {
		metrics <- &sample{diskUsage, prometheus.GaugeValue, float64(part.bytes), []*dto.LabelPair{part.kind, stream}}
	}
}

var kindBlocks, kindIndexes, kindOther, kindZeros = label("kind", "blocks"), label("kind", "indexes"), label("kind", "other"), label("kind", "zeros_ahead")
