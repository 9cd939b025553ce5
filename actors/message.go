package actors

import (
	"time"
	"unsafe"

	"github.com/seed-d8b58eba/millrace/actors/internal/read"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// Message is a stored message.
type Message struct {
	Sequence    uint64
	Time        time.Time // UTC
	Subject     string
	HeaderBlock []byte // as stored; nil when there is none
	Payload     []byte
}

// Header returns the parsed header block, nil when there is none.
func (m *Message) Header() (Header, error) { return ParseHeader(m.HeaderBlock) }

// Ack acknowledges a store.
type Ack struct {
	Sequence uint64
	Time     time.Time // UTC; the message's time
	// Duplicate tells that a message with the same id was stored before, and that this one was not: Sequence
	// is that of the first. Its time is not told.
	Duplicate bool
}

// BatchMessage is one message of a batch.
type BatchMessage struct {
	Subject string
	Header  Header
	Payload []byte
	// Options are those of this message. What it expects is looked at as if the messages before it in
	// the batch were stored; if it does not hold the whole batch is refused.
	Options []StoreOption
}

// BatchAck acknowledges a batch. Its messages have the sequences from First to
// Last and the same time.
type BatchAck struct {
	First, Last uint64
	Time        time.Time
	// Duplicate tells that the same batch was stored before, and is not stored again, as of Ack.
	Duplicate bool
}

// RawMessage is a message with a sequence and a time of its own, as a replica, a
// mirror or a migration stores it.
type RawMessage struct {
	Sequence    uint64 // 0: the next one; otherwise it must be the next one
	Time        time.Time
	Subject     string
	HeaderBlock []byte // stored as it is
	Payload     []byte
	// StampNow has the message get the store's time, as StoreMsg gives one, in place of Time.
	StampNow bool
	// CheckDiscardNew applies the limits of DiscardNew; without it a raw message
	// is never refused for them.
	CheckDiscardNew bool
}

// State is a stream at one instant.
type State struct {
	Messages      uint64    // live messages
	Bytes         uint64    // sum of their record sizes, see RecordSize
	FirstSequence uint64    // lowest live sequence; LastSequence+1 when empty, 0 when new
	FirstTime     time.Time // zero when empty
	LastSequence  uint64    // highest sequence ever used
	LastTime      time.Time // zero when nothing was ever stored
	Deleted       uint64    // sequences from first to last that are not live
	Subjects      uint64    // distinct non-empty subjects of live messages
	Durable       uint64    // highest sequence known to be on stable storage
	LostMessages  uint64    // messages known to be lost through damage
	LostBytes     uint64    // bytes of damaged records
	// Recounting: messages were lost of which nobody knows the subjects, and Subjects still counts these.
	// The store is finding out which they are. Counts with filters leave them out, and take longer.
	Recounting bool
}

// SequenceRange is a closed range of sequences.
type SequenceRange = engine.SequenceRange

// RecordSize returns what a message counts for in State.Bytes and MaxBytes:
// its parts and 30 bytes, or 34 when it has a header block.
func RecordSize(subject, headerBlock, payload int) int {
	return blockio.RecordSize(subject, headerBlock, payload)
}

// timeOf converts the engine's nanoseconds.
func timeOf(nanoseconds int64) time.Time {
	if nanoseconds == engine.NoTime {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds).UTC()
}

func stateOf(s engine.State) State {
	return State{
		Messages: s.Messages, Bytes: s.Bytes,
		FirstSequence: s.FirstSequence, FirstTime: timeOf(s.FirstTime),
		LastSequence: s.LastSequence, LastTime: timeOf(s.LastTime),
		Deleted: s.Deleted, Subjects: s.Subjects, Durable: s.Durable,
		LostMessages: s.LostMessages, LostBytes: s.LostBytes,
		Recounting: s.Recounting > 0,
	}
}

// copyMessage makes a message of a record, in one allocation.
func copyMessage(r *blockio.Record) Message {
	var b read.Buffer
	b.Set(r)
	return borrowMessage(&b.Record)
}

// borrowMessage makes a message that shares its bytes with the record. They must not change while the
// message is in use.
func borrowMessage(r *blockio.Record) (m Message) {
	m.borrow(r)
	return m
}

// borrow is borrowMessage in place.
func (m *Message) borrow(r *blockio.Record) {
	m.Sequence, m.Time, m.Subject, m.HeaderBlock, m.Payload = r.Sequence, timeOf(r.Time), "", nil, r.Payload
	if len(r.Subject) > 0 {
		m.Subject = unsafe.String(&r.Subject[0], len(r.Subject))
	}
	if len(r.Header) > 0 {
		m.HeaderBlock = r.Header
	}
}
