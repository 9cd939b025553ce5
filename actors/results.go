package actors

import (
	"iter"

	"github.com/seed-d8b58eba/millrace/actors/internal/read"
)

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
	buffer  read.Buffer
}

// took makes the loaded record the buffer's message, unless loading gave an error.
func (m *MessageBuffer) took(err error) error {
	if err != nil {
		m.Message = Message{}
		return err
	}
	m.borrow(&m.buffer.Record)
	return nil
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
