package actors

import (
	"sync/atomic"
	"time"
)

// Stats are the figures of a store for monitoring. Totals count from Open.
type Stats struct {
	State
	Name   string
	Dir    string // Config.Dir
	Blocks uint64 // block files
	Limits Limits // as they are now, see Store.Limits
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

	Consumers int       // that are registered, see Store.AddConsumer
	Watches   int       // callers of Store.Watch and actors that watch
	Followers int       // iterations with Follow, each of which watches, too
	Groups    Histogram // records in a group
	// AckSeconds is what callers see: the time from the call that stores messages to its acknowledgement, in seconds, with
	// the wait for room (Config.MaxInFlight). For the message of a Pipeline it begins when the pipeline has taken it, for the
	// request of an actor when the store actor does. While a store is busy, with more than 20,000 calls a
	// second, one of 16 is measured, and counted for 16.
	AckSeconds    Histogram
	CommitSeconds Histogram // time that a group's commit took: the next two, and new files
	WriteSeconds  Histogram // time that a commit took but for its syncs
	SyncSeconds   Histogram // time that one sync of a block took, of a commit or in the background
	MailboxDepth  int       // operations that the store actor has not looked at
	InFlight      int64     // operations on their way, without reads
	InFlightBytes int64     // their bytes
	// MaxInFlight and MaxInFlightBytes are those of the Config.
	MaxInFlight, MaxInFlightBytes int64
	// LastFailure is when a write or sync has failed last, or the store actor has crashed; zero for never.
	LastFailure time.Time
	Failures    uint64 // failed writes and syncs
	Recoveries  uint64 // recoveries after a failure
	Crashes     uint64 // panics in the store actor, a child, or a reader for an actor, and ends of a child: bugs
	Indexed     uint64 // block indexes written
	Unindexed   uint64 // full blocks that wait for their index
	Uncompacted uint64 // full blocks that wait to be compacted or compressed, or are just being
	BadIndexes  uint64 // block indexes found damaged or stale while the store was open
}

// meters are the figures that the store actor keeps for Stats.
type meters struct {
	acks, groups           meter
	commits, writes, syncs meter
	failures               atomic.Uint64
	recoveries             atomic.Uint64
	crashes                atomic.Uint64
	lastFailure            atomic.Int64 // nanoseconds since the epoch; 0 for none
	watches, followers     atomic.Int64
	indexed                atomic.Uint64
	badIndexes             atomic.Uint64
	refused                refusals
}

// commit notes a commit that was carried out, and how much of its time were syncs.
func (m *meters) commit(took, syncs time.Duration) {
	m.commits.observeTime(took, 1)
	m.writes.observeTime(took-syncs, 1)
	if syncs > 0 {
		m.syncs.observeTime(syncs, 1)
	}
}

// failed notes a failed write or sync.
func (m *meters) failed(now int64) {
	m.failures.Add(1)
	m.lastFailure.Store(now)
}

// lastFailed returns when the last failure was, or the zero time.
func (m *meters) lastFailed() time.Time {
	if at := m.lastFailure.Load(); at != 0 {
		return timeOf(at)
	}
	return time.Time{}
}

// Stats returns the store's figures. It costs constant time, disturbs nobody, and
// works on a stopped store, too.
func (s *Store) Stats() Stats {
	c := s.published.Counts()
	ops, bytes := s.credits.InFlight()
	return Stats{
		State: stateOf(c.State), Name: s.config.Name, Dir: s.config.Dir, Blocks: c.Blocks, Limits: *s.shown.Load(), Failed: s.failing.Load(), GaveUp: s.gaveUp.Load(),
		Stored: c.Stored, StoredBytes: c.StoredBytes, FreedBytes: c.FreedBytes, RemovedMsgs: c.RemovedMsgs, RemovedBytes: c.RemovedBytes, RemovedAge: c.RemovedAge, RemovedTTL: c.RemovedTTL,
		RemovedPer: c.RemovedPer, RemovedRequest: c.RemovedRequest,
		RefusedMsgs: c.RefusedMsgs, RefusedBytes: c.RefusedBytes,
		RefusedPer: c.RefusedPer, RefusedSize: c.RefusedSize, RefusedSequence: c.RefusedSequence,
		Refusals:   s.refusals(&c),
		Duplicates: c.Duplicates,
		Fired:      c.Fired,
		PassedOver: c.PassedOver,
		Groups:     s.meters.groups.histogram(sizes),
		AckSeconds: s.meters.acks.histogram(times), CommitSeconds: s.meters.commits.histogram(times),
		WriteSeconds: s.meters.writes.histogram(times), SyncSeconds: s.meters.syncs.histogram(times),
		MailboxDepth: s.mailbox.UserMessageCount(),
		Consumers:    s.consumers.count(), Watches: int(s.meters.watches.Load()), Followers: int(s.meters.followers.Load()),
		InFlight: ops, InFlightBytes: bytes, MaxInFlight: int64(s.config.MaxInFlight), MaxInFlightBytes: s.config.MaxInFlightBytes,
		Failures: s.meters.failures.Load(), Recoveries: s.meters.recoveries.Load(), Crashes: s.meters.crashes.Load(),
		LastFailure: s.meters.lastFailed(),
		Unindexed:   c.Unindexed, Uncompacted: c.Uncompacted, Indexed: s.meters.indexed.Load(), BadIndexes: s.meters.badIndexes.Load(),
	}
}
