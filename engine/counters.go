package engine

// counter names one of the counts that a stream keeps.
type counter int

const (
	countMessages counter = iota
	countBytes
	countFirst
	countLast
	countSubjects
	countLostMessages
	countLostBytes
	countRecounting
	countBlocks
	countStored
	countStoredBytes
	countRemovedMsgs
	countRemovedBytes
	countRemovedAge
	countRemovedTTL
	countRemovedPer
	countRemovedRequest
	countFreedBytes
	countRefusedMsgs
	countRefusedBytes
	countRefusedPer
	countRefusedSize
	countRefusedSequence
	countDuplicates
	countFired
	countPassedOver
	countDurable
	countUnacknowledged
	countUnindexed
	countUncompacted
	counters // how many there are
)

// counterClass says when readers see a count, and whether it outlives its engine.
type counterClass uint8

const (
	// ofState is part of the stream's state. Readers see it with the group that
	// changed it; recovery counts it anew.
	ofState counterClass = iota + 1
	// ofTotal counts what groups did since the stream was opened. Readers see it
	// with the group that changed it; it goes on when an engine takes over from
	// one that failed.
	ofTotal
	// ofRefusal counts what was refused since the stream was opened. No group
	// carries a refusal, so readers see it at once; it goes on when an engine
	// takes over.
	ofRefusal
	// ofGauge is a size at this instant. Readers see it at once; a new engine
	// begins its own.
	ofGauge
)

// outlives reports whether an engine that takes over from a failed one goes on
// with the count.
func (c counterClass) outlives() bool { return c == ofTotal || c == ofRefusal }

// atOnce reports whether readers see the count without waiting for a group.
func (c counterClass) atOnce() bool { return c == ofRefusal || c == ofGauge }

// counterTable says of each counter what it is.
var counterTable = [counters]struct {
	name  string
	class counterClass
}{
	countMessages:        {"messages", ofState},
	countBytes:           {"bytes", ofState},
	countFirst:           {"first sequence", ofState},
	countLast:            {"last sequence", ofState},
	countSubjects:        {"subjects", ofState},
	countLostMessages:    {"lost messages", ofState},
	countLostBytes:       {"lost bytes", ofState},
	countRecounting:      {"recounting", ofState},
	countBlocks:          {"blocks", ofState},
	countStored:          {"stored", ofTotal},
	countStoredBytes:     {"bytes stored", ofTotal},
	countRemovedMsgs:     {"removed by MaxMsgs", ofTotal},
	countRemovedBytes:    {"removed by MaxBytes", ofTotal},
	countRemovedAge:      {"removed by MaxAge", ofTotal},
	countRemovedTTL:      {"removed by their TTL", ofTotal},
	countRemovedPer:      {"removed by MaxMsgsPer", ofTotal},
	countRemovedRequest:  {"removed on request", ofTotal},
	countFreedBytes:      {"bytes of removed messages", ofTotal},
	countRefusedMsgs:     {"refused by MaxMsgs", ofRefusal},
	countRefusedBytes:    {"refused by MaxBytes", ofRefusal},
	countRefusedPer:      {"refused by MaxMsgsPer", ofRefusal},
	countRefusedSize:     {"refused for size", ofRefusal},
	countRefusedSequence: {"refused for sequence", ofRefusal},
	countDuplicates:      {"duplicates", ofRefusal},
	countFired:           {"produced by schedules", ofTotal},
	countPassedOver:      {"passed over by schedules", ofRefusal},
	countDurable:         {"durable", ofGauge},
	countUnacknowledged:  {"unacknowledged", ofGauge},
	countUnindexed:       {"unindexed", ofGauge},
	countUncompacted:     {"uncompacted", ofGauge},
}

// String returns the counter's name.
func (c counter) String() string { return counterTable[c].name }

// The counters that outlive an engine, and those that readers see at once.
var (
	outliving   = countersThat(counterClass.outlives)
	shownAtOnce = countersThat(counterClass.atOnce)
)

func countersThat(are func(counterClass) bool) (list []counter) {
	for c := range counters {
		if are(counterTable[c].class) {
			list = append(list, c)
		}
	}
	return list
}

// numbers is all that a stream counts, and the times of its first and last
// messages in nanoseconds since the epoch, or NoTime.
type numbers struct {
	counts              [counters]uint64
	firstTime, lastTime int64
}

// noNumbers are those of a stream that never held a message.
func noNumbers() numbers { return numbers{firstTime: NoTime, lastTime: NoTime} }

func (n *numbers) state() State {
	c := &n.counts
	s := State{
		Messages: c[countMessages], Bytes: c[countBytes],
		FirstSequence: c[countFirst], FirstTime: n.firstTime,
		LastSequence: c[countLast], LastTime: n.lastTime,
		Subjects:     c[countSubjects],
		LostMessages: c[countLostMessages], LostBytes: c[countLostBytes],
		Recounting: c[countRecounting],
		Durable:    c[countDurable],
	}
	if s.Messages > 0 {
		s.Deleted = s.LastSequence - s.FirstSequence + 1 - s.Messages
	}
	return s
}

// Counts are totals since the stream was opened, and sizes at this instant.
type Counts struct {
	State
	Blocks          uint64
	Stored          uint64 // messages stored
	StoredBytes     uint64 // their accounted bytes
	RemovedMsgs     uint64 // messages removed by MaxMsgs
	RemovedBytes    uint64 // messages removed by MaxBytes
	RemovedAge      uint64 // messages removed by MaxAge
	RemovedTTL      uint64 // messages removed by their own TTL
	RemovedPer      uint64 // messages removed by MaxMsgsPer
	RemovedRequest  uint64 // messages that somebody asked to remove: one, some, or all
	FreedBytes      uint64 // accounted bytes of messages removed for any of these reasons
	RefusedMsgs     uint64 // refused by MaxMsgs
	RefusedBytes    uint64 // refused by MaxBytes
	RefusedPer      uint64 // refused by MaxMsgsPer
	RefusedSize     uint64 // refused for their size
	RefusedSequence uint64 // refused for a sequence that did not match
	Duplicates      uint64 // not stored, since their ids were remembered
	Fired           uint64 // messages that schedules have produced
	PassedOver      uint64 // messages that they could not produce
	Unindexed       uint64 // sealed blocks that wait for an index, or get one
	Uncompacted     uint64 // sealed blocks that wait to be written anew, compacted or compressed, or are just being
	Unacknowledged  uint64 // bytes of records not yet acknowledged or, at SyncNever, not yet written
}

func (n *numbers) toCounts() Counts {
	c := &n.counts
	return Counts{
		State: n.state(), Blocks: c[countBlocks], Stored: c[countStored], StoredBytes: c[countStoredBytes], FreedBytes: c[countFreedBytes],
		RemovedMsgs: c[countRemovedMsgs], RemovedBytes: c[countRemovedBytes], RemovedAge: c[countRemovedAge], RemovedTTL: c[countRemovedTTL],
		RemovedPer: c[countRemovedPer], RemovedRequest: c[countRemovedRequest],
		RefusedMsgs: c[countRefusedMsgs], RefusedBytes: c[countRefusedBytes],
		RefusedPer: c[countRefusedPer], RefusedSize: c[countRefusedSize], RefusedSequence: c[countRefusedSequence],
		Duplicates: c[countDuplicates], Fired: c[countFired], PassedOver: c[countPassedOver],
		Unindexed: c[countUnindexed], Uncompacted: c[countUncompacted], Unacknowledged: c[countUnacknowledged],
	}
}
