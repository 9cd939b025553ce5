package actors

import "iter"

// SubjectState is the messages of one subject, or of what a filter selects.
type SubjectState struct {
	Messages    uint64 // how many
	First, Last uint64 // sequences of the first and the last
}

// FullState is a stream at one instant, with what it has lost from its middle.
type FullState struct {
	State
	// Deleted holds the sequences between the first and the last that have no
	// message, ascending and disjoint.
	DeletedRanges []SequenceRange
}

// MessageBuffer is a message and the memory for it, to be used again.
type MessageBuffer struct {
	Message // valid until the next load into the buffer
	bytes   []byte
	loads   uint32 // so far
	pace    pace
}

// Sequences gives the single sequences of some ranges.
func Sequences(ranges []SequenceRange) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for _, r := range ranges {
			for sequence := r.First; ; sequence++ {
				if !yield(sequence) {
					return
				}
				if sequence >= r.Last {
					break
				}
			}
		}
	}
}
