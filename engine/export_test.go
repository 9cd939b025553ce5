package engine

// This file opens what the tests of package engine_test look at but callers
// have no business with.

import (
	"fmt"
	"reflect"
)

// SetKeepRecords bounds the tables that recovery keeps, and returns what undoes
// that.
func SetKeepRecords(n int) (restore func()) {
	old := keepRecords
	keepRecords = n
	return func() { keepRecords = old }
}

// FirstTimeStale reports whether the time of the first message is not known yet. No group is closed then.
func (e *Engine) FirstTimeStale() bool {
	b := e.head()
	return b != nil && b.timeStale
}

// Unsent returns the replies that wait.
func (e *Engine) Unsent() []Reply {
	list := append([]Reply(nil), e.out...)
	for _, g := range [...]*group{e.current, e.inflight} {
		if g != nil {
			list = append(list, g.replies...)
		}
	}
	return list
}

// StagedCounts returns the totals with all that was accepted, shown or not.
func (e *Engine) StagedCounts() Counts { return e.numbers.toCounts() }

// MostLoads is how many attempts to load a table have to fail for limits to go without.
const MostLoads = mostLoads

// StagedState returns the state with all that was accepted, shown or not.
func (e *Engine) StagedState() State {
	e.fillNumbers()
	return e.numbers.state()
}

// Served reports whether the engine got as far as to serve.
func (e *Engine) Served() bool { return e.serving() }

// Parked returns how many commands wait for a table, but for those of the engine itself.
func (e *Engine) Parked() int {
	n := 0
	for i := range e.parked {
		if e.parked[i].tag != nil {
			n++
		}
	}
	if e.held() {
		n++
	}
	return n
}

// Truncating returns the sequence that a truncation which is out leaves as the last one.
func (e *Engine) Truncating() (sequence uint64, out bool) {
	if e.held() {
		return e.truncating.reply.Sequence, true
	}
	return 0, false
}

// TraceExpiry has f called with each message that is removed for its age.
func (e *Engine) TraceExpiry(f func(sequence uint64)) { e.expiry.expired = f }

// Holds reports whether there is a live message of the sequence, shown or not.
func (e *Engine) Holds(sequence uint64) bool { return e.blockOf(sequence) != nil }

// Held reports whether SyncNever holds back what is staged or in flight, or the time of the first message does.
func (e *Engine) Held() (current, inflight bool) {
	waits := e.current != nil && e.current.staged() && !e.firstTimeKnown()
	return waits || e.current != nil && e.current.staged() && e.current.held, e.inflight != nil && e.inflight.held
}

// MemoryBlocks returns how many blocks have bytes in memory.
func (e *Engine) MemoryBlocks() int {
	n := 0
	for _, b := range e.blocks {
		if b.memory.tail != nil {
			n++
		}
	}
	return n
}

// Tables returns how many blocks have a table in memory.
func (e *Engine) Tables() int {
	n := 0
	for _, b := range e.blocks {
		if b.scanned != nil || b.appended != nil {
			n++
		}
	}
	return n
}

// Clone returns a command that shares no memory with another.
func Clone(c Command) Command { return c.clone() }

// SetMostLent bounds the records in tables that were loaded for removals, and returns what undoes that.
func SetMostLent(n int) (restore func()) {
	old := mostLent
	mostLent = n
	return func() { mostLent = old }
}

// LentRecords is how many records there are in tables that were loaded for removals, and in how many tables.
func (e *Engine) LentRecords() (records, tables int) {
	for _, b := range e.blocks {
		if n := b.lentRecords(); n > 0 {
			records, tables = records+n, tables+1
		}
	}
	return records, tables
}

// SetSyncStep makes the steps of a SyncDeleted small, and returns what undoes that.
func SetSyncStep(messages, records uint64) (restore func()) {
	old, oldRecords := syncMessages, syncRecords
	syncMessages, syncRecords = messages, records
	return func() { syncMessages, syncRecords = old, oldRecords }
}

// SetPurgePieces has a purge of more than so many messages, or for which more than so many blocks have to be looked
// through, carried out in pieces, of so many. It returns what undoes that.
func SetPurgePieces(messages, blocks, piece int) (restore func()) {
	old := [...]int{mostPurged, mostLooked, purgePiece}
	mostPurged, mostLooked, purgePiece = messages, blocks, piece
	return func() { mostPurged, mostLooked, purgePiece = old[0], old[1], old[2] }
}

// Purging is a purge under way.
type Purging struct {
	Tag     any
	Removed int
	Keeps   bool // those that stay are not all found
}

// Purges returns those that are under way.
func (e *Engine) Purges() (list []Purging) {
	for _, p := range e.underWay() {
		list = append(list, Purging{p.tag, p.removed, p.keep > 0})
	}
	return list
}

// PurgeWaits reports whether a purge waits for the time of its next piece.
func (e *Engine) PurgeWaits() bool { return e.purgeDue() != never }

// Untold is what the sums of notices that have not come to their end come to.
func (e *Engine) Untold() (messages, bytes int64) {
	for _, p := range e.notices.parts {
		messages, bytes = messages+p.messages, bytes+p.bytes
	}
	return messages, bytes
}

// Schedules returns how many schedules the engine keeps, of messages that are there or not.
func (e *Engine) Schedules() int { return len(e.schedules.bySubject) }

// Differs says in what the scan of a block that is known is not what a scan of its records has found, but for what no scan of
// the test's has, and the time of the last message, which another block tells.
func (k *KnownBlock) Differs(found *Scan) error {
	known, other := *k.Scan, *found
	if k.Size != other.size || known.minTime > other.minTime {
		return fmt.Errorf("block %d: %d bytes, times from %d; %d bytes, times from %d", k.ID, k.Size, known.minTime, other.size, other.minTime)
	}
	names := make(map[string]nameSum)
	start := 0
	for i, end := range known.index.ends {
		names[string(known.index.names[start:end])] = known.index.sums[i]
		start = end
	}
	list := other.table.names.list
	for i := range list {
		if names[list[i].name] != list[i].nameSum {
			return fmt.Errorf("block %d: %s: %+v, not %+v", k.ID, list[i].name, names[list[i].name], list[i].nameSum)
		}
	}
	for _, s := range [...]*Scan{&known, &other} {
		s.index, s.table, s.minTime, s.lastTime, s.markCRC = nil, nil, 0, 0, 0 // an index has no mark
		s.lives, s.livesKnown, s.compressed = nil, false, false
	}
	if len(names) != len(list) || !reflect.DeepEqual(known, other) {
		return fmt.Errorf("block %d: %+v, not %+v", k.ID, known, other)
	}
	return nil
}
