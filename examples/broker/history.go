package main

import (
	"math"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
)

// The broker takes a sample of every stream each second, and keeps those of the last minute: whoever looks sees at once
// what has been, and the page need not be open for it.
const (
	sampleEvery = time.Second
	mostSamples = 60
)

// takeSample is the broker actor's word to itself, each second.
type takeSample struct{ at time.Time }

// A sample is what a stream had done at one moment, in all.
type sample struct {
	at            time.Time
	stored, bytes uint64
	commits       actors.Histogram // how long commits took
}

// A history is the samples of a stream, the newest last: one more than there are differences.
type history struct {
	samples []sample
}

func (h *history) add(s sample) {
	if len(h.samples) > mostSamples {
		h.samples = append(h.samples[:0], h.samples[1:]...)
	}
	h.samples = append(h.samples, s)
}

// figures are what a stream did lately.
type figures struct {
	Stored  []float64 // messages a second, the newest last
	Bytes   []float64 // of them, a second
	commits commits
}

func (h *history) figures() (f figures) {
	for i := 1; i < len(h.samples); i++ {
		before, after := h.samples[i-1], h.samples[i]
		seconds := max(after.at.Sub(before.at).Seconds(), 0.001)
		f.Stored = append(f.Stored, tenths(float64(after.stored-min(before.stored, after.stored))/seconds))
		f.Bytes = append(f.Bytes, tenths(float64(after.bytes-min(before.bytes, after.bytes))/seconds))
	}
	if n := len(h.samples); n > 1 {
		f.commits.add(h.samples[n-1].commits, 1)
		f.commits.add(h.samples[0].commits, -1)
	}
	return f
}

// tenths rounds a rate to what is worth telling.
func tenths(rate float64) float64 { return math.Round(rate*10) / 10 }

// commits counts commits by their longest time, in seconds; of one stream or of several.
type commits struct {
	bounds []float64
	counts []int64
}

// add adds counts, or takes them away.
func (c *commits) add(h actors.Histogram, sign int64) {
	if c.counts == nil {
		c.bounds, c.counts = h.Bounds, make([]int64, len(h.Counts))
	}
	for i := range min(len(c.counts), len(h.Counts)) {
		c.counts[i] += sign * int64(h.Counts[i])
	}
}

func (c *commits) merge(other commits) {
	if len(other.counts) == 0 {
		return
	}
	if c.counts == nil {
		c.bounds, c.counts = other.bounds, make([]int64, len(other.counts))
	}
	for i := range min(len(c.counts), len(other.counts)) {
		c.counts[i] += other.counts[i]
	}
}

// p99 is the time in which 99 of 100 commits were done, as exactly as the buckets tell; 0 when there were none.
func (c *commits) p99() float64 {
	total := int64(0)
	for _, n := range c.counts {
		total += n
	}
	seen := int64(0)
	for i, n := range c.counts {
		seen += n
		if n > 0 && seen*100 >= total*99 {
			return c.bounds[min(i, len(c.bounds)-1)]
		}
	}
	return 0
}

// wind has the next sample taken in a second.
func (b *brokerActor) wind(ctx actor.Context) {
	system, self := b.system, ctx.Self()
	if b.clock == nil {
		b.clock = time.AfterFunc(sampleEvery, func() { system.Root.Send(self, &takeSample{at: time.Now()}) })
		return
	}
	b.clock.Reset(sampleEvery)
}

// sample reads the figures of every open store, which costs constant time and disturbs nobody.
func (b *brokerActor) sample(at time.Time) {
	for _, entry := range b.topics {
		if entry.topic == nil {
			entry.history = history{}
			continue
		}
		stats := entry.topic.Store.Stats()
		entry.history.add(sample{at: at, stored: stats.Stored, bytes: entry.notes.bytes.Load(), commits: stats.CommitSeconds})
	}
}
