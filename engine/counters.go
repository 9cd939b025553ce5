package engine

// counter indexes the numbers of a published State and Stats.
type counter int

const (
	countMessages counter = iota
	countBytes
	countFirst
	countFirstTime
	countLast
	countLastTime
	countSubjects
	countLostMessages
	countLostBytes
	countDurable
	countBlocks
	countStored
	countRemovedMsgs
	countRemovedBytes
	countRemovedAge
	countRefusedMsgs
	countRefusedBytes
	countRefusedSize
	countRefusedSequence
	countUnacknowledged
	countUnindexed
	counters // how many
)

func stateOf(n *[counters]uint64) State {
	s := State{
		Messages: n[countMessages], Bytes: n[countBytes],
		FirstSequence: n[countFirst], FirstTime: int64(n[countFirstTime]),
		LastSequence: n[countLast], LastTime: int64(n[countLastTime]),
		Subjects:     n[countSubjects],
		LostMessages: n[countLostMessages], LostBytes: n[countLostBytes],
		Durable: n[countDurable],
	}
	if s.Messages > 0 {
		s.Deleted = s.LastSequence - s.FirstSequence + 1 - s.Messages
	}
	return s
}

// Counts are totals since the engine was made, and sizes at this instant.
type Counts struct {
	State
	Blocks          uint64
	Stored          uint64 // messages stored
	RemovedMsgs     uint64 // messages removed by MaxMsgs
	RemovedBytes    uint64 // messages removed by MaxBytes
	RemovedAge      uint64 // messages removed by MaxAge
	RefusedMsgs     uint64 // refused by MaxMsgs
	RefusedBytes    uint64 // refused by MaxBytes
	RefusedSize     uint64 // refused for their size
	RefusedSequence uint64 // refused for a sequence that did not match
	Unindexed       uint64 // sealed blocks that wait for an index, or get one
	Unacknowledged  uint64 // bytes of records not yet acknowledged or, at SyncNever, not yet written
}
