package blockio

// Limits of the record format.
const (
	// MaxRecordSize is the largest record, in bytes, with its length fields
	// and checksum.
	MaxRecordSize = 32 << 20

	// MaxSubjectLength is the longest subject, in bytes: its length is a u16.
	MaxSubjectLength = 65535

	// EmptyRecordSize is the size, in bytes, of a record with nothing in it:
	// every skip, tombstone and group mark, and the least a message can be.
	EmptyRecordSize = 30

	// MaxSequence is the highest sequence that a record can carry: the two
	// bits above it are flags.
	MaxSequence = 1<<62 - 1

	// MaxGroupRecords is the most records that one group mark can announce.
	MaxGroupRecords = 1<<31 - 1
)

// Layout of a record (all integers little-endian):
//
//	0   u32  length of the record, bit 31: it has headers
//	4   u64  sequence, bit 63: skip or erased, bit 62: tombstone
//	12  i64  time, nanoseconds since 1970
//	20  u16  length of the subject
//	22       subject
//	         u32 length of the headers and the headers, only with bit 31
//	         payload
//	         u64 checksum
const (
	headSize     = 22
	checksumSize = 8
	headerFlag   = 1 << 31
	erasedBit    = 1 << 63
	tombstoneBit = 1 << 62
	sequenceMask = tombstoneBit - 1
)

// Kind says what a record is for.
type Kind uint8

// The kinds of record.
const (
	// KindMessage is a stored message.
	KindMessage Kind = iota + 1
	// KindSkip says that its sequence, and all between the record before it
	// and that, are used but have no message.
	KindSkip
	// KindErased is a message whose content was overwritten; to a reader it is
	// a skip.
	KindErased
	// KindTombstone says that the message with its sequence, in whatever
	// block, is deleted. One with sequence 0 that is larger than an empty
	// record has no meaning and is to be ignored.
	KindTombstone
	// KindGroupMark is written before a group of records that were committed
	// together, all or nothing. For any other reader of the format it is a
	// tombstone for sequence 0, which no message has.
	KindGroupMark
	// KindFloor says that all messages below a sequence, in whatever block, are
	// removed. For any other reader it is a tombstone for sequence 0, too.
	KindFloor
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case KindMessage:
		return "message"
	case KindSkip:
		return "skip"
	case KindErased:
		return "erased"
	case KindTombstone:
		return "tombstone"
	case KindGroupMark:
		return "group mark"
	case KindFloor:
		return "floor"
	default:
		return "unknown"
	}
}

// A Record is one decoded record. Its slices alias the buffer it was decoded
// from and are valid for as long as that is left alone. Header and Payload of
// records that are no messages hold nothing of use.
type Record struct {
	Kind     Kind
	Sequence uint64 // without the flag bits
	Time     int64  // nanoseconds since 1970; of a group mark and a floor: what it says
	Subject  []byte
	Header   []byte // nil when the record has none
	Payload  []byte
	Size     int // bytes on disk
}

// GroupMark returns what a record of KindGroupMark of the first kind announces: so
// many records, of so many bytes in all, follow it and were committed as one
// group. For a mark of the second kind, see FrameMark, it is 0 of both.
func (r *Record) GroupMark() (records, bytes uint32) {
	if r.Time < 0 {
		return 0, 0
	}
	return uint32(uint64(r.Time) >> 32), uint32(uint64(r.Time))
}

// RecordSize is the size on disk, in bytes, of a message with a subject, header
// and payload of these lengths. It is also what the message counts towards the
// stream's bytes.
func RecordSize(subject, header, payload int) int {
	size := EmptyRecordSize + subject + payload
	if header > 0 {
		size += 4 + header
	}
	return size
}

// CheckSize says whether a message with parts of these lengths, in bytes, can be
// stored: nil, or a *SizeError. It has no side effects.
func CheckSize(subject, header, payload int) error {
	switch {
	case subject > MaxSubjectLength:
		return &SizeError{What: "subject", Size: subject, Limit: MaxSubjectLength}
	case header > MaxRecordSize: // ahead of the sum, which must not overflow
		return &SizeError{What: "header", Size: header, Limit: MaxRecordSize}
	case payload > MaxRecordSize:
		return &SizeError{What: "payload", Size: payload, Limit: MaxRecordSize}
	}
	if size := RecordSize(subject, header, payload); size > MaxRecordSize {
		return &SizeError{What: "record", Size: size, Limit: MaxRecordSize}
	}
	return nil
}
