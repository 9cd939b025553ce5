package actors

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Stats are the figures of a store for monitoring. Totals count from Open.
type Stats struct {
	State
	Name   string
	Blocks uint64 // block files
	Failed bool   // writes are refused until the store has recovered
	GaveUp bool   // it does not recover by itself any more, see ErrCrashLoop

	Stored       uint64 // messages stored
	StoredBytes  uint64 // their accounted bytes, see RecordSize
	RemovedMsgs  uint64 // messages removed by MaxMsgs
	RemovedBytes uint64 // messages removed by MaxBytes
	RemovedAge   uint64 // messages removed by MaxAge
	RemovedTTL   uint64 // messages removed by their own TTL
	RemovedPer   uint64 // messages removed by MaxMsgsPer
	// RemovedRequest counts messages that somebody asked to remove: one, some, or all.
	RemovedRequest uint64
	// FreedBytes counts the accounted bytes of the messages that were removed, for whatever reason.
	FreedBytes uint64

	RefusedMsgs     uint64 // stores refused by MaxMsgs
	RefusedBytes    uint64 // stores refused by MaxBytes
	RefusedPer      uint64 // stores refused by MaxMsgsPer
	RefusedSize     uint64 // stores refused for their size
	RefusedSequence uint64 // stores refused for a sequence
	// Refusals has every reason for which an operation that changes something was refused, or ended with an error, those
	// above among them, in an order that does not change.
	Refusals []Refusal
	// Duplicates counts messages that were offered again within Config.Duplicates, and were not stored again.
	Duplicates uint64
	// Fired counts messages that schedules have produced, and PassedOver those that they could not: they are too large
	// for the stream, or the schedule is a raw message that is none.
	Fired, PassedOver uint64

	Consumers     int       // that are registered, see Store.AddConsumer
	Groups        Histogram // records in a group
	SyncSeconds   Histogram // time that a group's commit took, in seconds
	MailboxDepth  int       // operations that the store actor has not looked at
	InFlight      int64     // operations on their way, without reads
	InFlightBytes int64     // their bytes
	Failures      uint64    // failed writes and syncs
	Recoveries    uint64    // recoveries after a failure
	Crashes       uint64    // panics in the store actor, a child, or a reader for an actor, and ends of a child: bugs
	Indexed       uint64    // block indexes written
	Unindexed     uint64    // full blocks that wait for their index
	Uncompacted   uint64    // full blocks that wait to be compacted or compressed, or are just being
	BadIndexes    uint64    // block indexes found damaged or stale while the store was open
}

// Histogram counts observations in buckets.
type Histogram struct {
	Bounds []float64 // upper bounds of the buckets, ascending; shared, not to be changed
	Counts []uint64  // observations in each, and above the last bound in one more
	Sum    float64
	Count  uint64
}

// meters are the figures that the store actor keeps for Stats.
type meters struct {
	groups     meter
	syncs      meter
	failures   atomic.Uint64
	recoveries atomic.Uint64
	crashes    atomic.Uint64
	indexed    atomic.Uint64
	badIndexes atomic.Uint64
	refused    refusals
}

// buckets is the number of buckets of a meter; the last has no bound.
const buckets = 20

// meter is a histogram with bounds that double from one bucket to the next.
type meter struct {
	counts [buckets]atomic.Uint64
	sum    atomic.Uint64
}

// observe counts a value; bucket i takes values up to first times 2 to the i.
func (m *meter) observe(value, first uint64) {
	i := 0
	if value > first {
		i = bits.Len64((value - 1) / first)
	}
	m.counts[min(i, buckets-1)].Add(1)
	m.sum.Add(value)
}

// histogram returns the counts, with bounds and sum in another unit.
func (m *meter) histogram(bounds []float64, unit float64) Histogram {
	h := Histogram{Bounds: bounds, Counts: make([]uint64, buckets), Sum: float64(m.sum.Load()) * unit}
	for i := range h.Counts {
		h.Counts[i] = m.counts[i].Load()
		h.Count += h.Counts[i]
	}
	return h
}

// shortestSync is the first bound of the commit times.
const shortestSync = 16 * time.Microsecond

var (
	groupBounds = doubling(1)
	syncBounds  = doubling(shortestSync.Seconds())
)

func doubling(first float64) []float64 {
	bounds := make([]float64, buckets-1)
	for i := range bounds {
		bounds[i] = first
		first *= 2
	}
	return bounds
}

func (m *meters) group(records, _ int)    { m.groups.observe(uint64(records), 1) }
func (m *meters) sync(took time.Duration) { m.syncs.observe(uint64(took), uint64(shortestSync)) }

// Stats returns the store's figures. It costs constant time, disturbs nobody, and
// works on a stopped store, too.
func (s *Store) Stats() Stats {
	c := s.published.Counts()
	ops, bytes := s.credits.InFlight()
	return Stats{
		State: stateOf(c.State), Name: s.config.Name, Blocks: c.Blocks, Failed: s.failing.Load(), GaveUp: s.gaveUp.Load(),
		Stored: c.Stored, StoredBytes: c.StoredBytes, FreedBytes: c.FreedBytes, RemovedMsgs: c.RemovedMsgs, RemovedBytes: c.RemovedBytes, RemovedAge: c.RemovedAge, RemovedTTL: c.RemovedTTL,
		RemovedPer: c.RemovedPer, RemovedRequest: c.RemovedRequest,
		RefusedMsgs: c.RefusedMsgs, RefusedBytes: c.RefusedBytes,
		RefusedPer: c.RefusedPer, RefusedSize: c.RefusedSize, RefusedSequence: c.RefusedSequence,
		Refusals:     s.refusals(&c),
		Duplicates:   c.Duplicates,
		Fired:        c.Fired,
		PassedOver:   c.PassedOver,
		Groups:       s.meters.groups.histogram(groupBounds, 1),
		SyncSeconds:  s.meters.syncs.histogram(syncBounds, time.Nanosecond.Seconds()),
		MailboxDepth: s.mailbox.UserMessageCount(),
		Consumers:    s.consumers.count(),
		InFlight:     ops, InFlightBytes: bytes,
		Failures: s.meters.failures.Load(), Recoveries: s.meters.recoveries.Load(), Crashes: s.meters.crashes.Load(),
		Unindexed: c.Unindexed, Uncompacted: c.Uncompacted, Indexed: s.meters.indexed.Load(), BadIndexes: s.meters.badIndexes.Load(),
	}
}
