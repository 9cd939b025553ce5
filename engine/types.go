package engine

import (
	"fmt"
	"time"
)

// NoTime stands for "no time" wherever the engine keeps nanoseconds since the
// Unix epoch: the first time of an empty stream, the last time of a stream that
// never held a message. It is what Go's zero time.Time yields as nanoseconds,
// and what nats-server writes in its place.
const NoTime int64 = -6795364578871345152

// SyncLevel says what a reply promises.
type SyncLevel uint8

const (
	// SyncAlways: synced to the disk. Survives power loss. The default.
	SyncAlways SyncLevel = iota
	// SyncInterval: handed to the operating system; synced in the background.
	// Survives a crash of the process, not of the machine.
	SyncInterval
	// SyncNever: held in memory and handed to the writer within milliseconds.
	// A crash of the process loses what the writer had not written yet.
	SyncNever
)

// String returns the level's name.
func (l SyncLevel) String() string {
	switch l {
	case SyncAlways:
		return "always"
	case SyncInterval:
		return "interval"
	case SyncNever:
		return "never"
	}
	return fmt.Sprintf("SyncLevel(%d)", uint8(l))
}

// DiscardPolicy says what happens when MaxMsgs or MaxBytes is reached.
type DiscardPolicy uint8

const (
	// DiscardOld removes the oldest messages to make room.
	DiscardOld DiscardPolicy = iota
	// DiscardNew refuses the new message.
	DiscardNew
)

// String returns the policy's name as JetStream spells it.
func (d DiscardPolicy) String() string {
	if d == DiscardNew {
		return "new"
	}
	return "old"
}

// Limits bound a stream. Zero or negative values mean unlimited.
type Limits struct {
	MaxMsgs    int64         // live messages
	MaxBytes   int64         // accounted bytes of live messages
	MaxMsgsPer int64         // live messages of one subject
	MaxAge     time.Duration // since a message's time
	MaxMsgSize int           // header block plus payload, in bytes
	Discard    DiscardPolicy
	// DiscardNewPer refuses a message of a subject that has MaxMsgsPer of them, if Discard is DiscardNew.
	DiscardNewPer bool
	// MsgTTL says what the header Nats-TTL of messages means.
	MsgTTL TTLMode
	// MarkerTTL is how long a marker lives that is stored when the last message of a subject goes, for its age or by
	// its TTL: in whole seconds; with less there are no markers. It takes MsgTTL.
	MarkerTTL time.Duration
}

// evicts reports whether a limit can remove messages.
func (l Limits) evicts() bool {
	return l.MaxAge > 0 || l.MaxMsgsPer > 0 || (l.Discard == DiscardOld && (l.MaxMsgs > 0 || l.MaxBytes > 0))
}

// Timeless returns the limits without those by which a message goes because time passes.
func (l Limits) Timeless() Limits {
	l.MaxAge, l.MsgTTL, l.MarkerTTL = 0, TTLOff, 0
	return l
}

// State is a stream at one instant.
type State struct {
	Messages      uint64 // live messages
	Bytes         uint64 // sum of the record sizes of live messages
	FirstSequence uint64 // lowest live sequence; LastSequence+1 when empty; 0 in a new stream
	FirstTime     int64  // nanoseconds since the epoch, or NoTime
	LastSequence  uint64 // highest sequence ever used
	LastTime      int64  // nanoseconds since the epoch, or NoTime
	Deleted       uint64 // sequences in [FirstSequence, LastSequence] without a live message
	Subjects      uint64 // distinct non-empty subjects of live messages
	LostMessages  uint64 // messages known to be lost through damage
	LostBytes     uint64 // bytes of damaged records
	// Recounting is 1 while the subject index, and so Subjects, counts messages that were lost and whose
	// subjects are not known: it is being found out which.
	Recounting uint64
	Durable    uint64 // highest sequence known to be on stable storage
}

// SequenceRange is a closed range of sequences.
type SequenceRange struct{ First, Last uint64 }

// Tombstone records that the message of a sequence, in whatever block, is deleted.
type Tombstone struct {
	Sequence uint64
	Time     int64
}

// Codec encodes records. Its functions are pure: the same arguments give the
// same bytes.
type Codec interface {
	// Size returns the length of a message record with these part lengths.
	Size(subject, header, payload int) int
	// EmptySize returns the length of a skip, a tombstone and a frame mark.
	EmptySize() int
	// Check refuses part lengths that no record can hold.
	Check(subject, header, payload int) error
	// Block returns the encoder for the records of one block.
	Block(id uint32) BlockCodec
}

// BlockCodec encodes records of one block. Append functions extend dst within
// its capacity when there is room.
type BlockCodec interface {
	AppendMessage(dst []byte, sequence uint64, time int64, subject string, header, payload []byte) []byte
	AppendSkip(dst []byte, sequence uint64, time int64) []byte
	AppendTombstone(dst []byte, sequence uint64, time int64) []byte
	// AppendFloor encodes that all messages below the sequence first are removed.
	AppendFloor(dst []byte, first uint64) []byte
	// LengthsCRC continues a checksum over the length fields of a record.
	LengthsCRC(crc uint32, record []byte) uint32
	// PutFrameMark writes the mark of a frame of so many bytes of records, whose lengths have that
	// checksum.
	PutFrameMark(dst []byte, bytes, crc uint32)
}

// Buffers lends the engine the large byte slices that hold the tail block.
// Implementations may be shared by engines of different goroutines.
type Buffers interface {
	// Get returns a slice of length BufferSize.
	Get() []byte
	// Put takes back a slice that the engine no longer uses. If reuse is false,
	// readers may still look at it, and it must not be lent again.
	Put(buffer []byte, reuse bool)
	// Tight reports whether too many slices are lent. Engines then keep less in
	// memory of what is in the files too.
	Tight() bool
}

// BufferSize is the length of the slices that Buffers hands out, in bytes.
const BufferSize = 512 << 10

// Config is fixed for the life of an Engine.
type Config struct {
	Limits    Limits
	BlockSize int64 // soft limit of a block, in bytes
	Level     SyncLevel
	SyncEvery time.Duration // SyncInterval: longest time that written data stays unsynced
	Codec     Codec
	// Seed keeps whoever chooses subjects from choosing them so that they collide
	// in hash tables.
	Seed    uint64
	Buffers Buffers
	// FirstSequence is the sequence of the first message of a new stream; 0 and
	// 1 mean 1. It does not touch a stream that has used a sequence already.
	FirstSequence uint64
	// Linger is how long SyncNever lets a small group that it has acknowledged
	// wait for more before it is written.
	Linger time.Duration
	// MaxUnwritten bounds the bytes that SyncNever may acknowledge before they
	// are written. Beyond it replies wait for the write.
	MaxUnwritten int64
	// IndexFrom is the size from which on a sealed block gets a block index, in
	// bytes. If it is below zero, no block gets one.
	IndexFrom int64
	// CompactBelow is the percentage of a block's bytes that have to be live for it not to be compacted. With 0
	// none is.
	CompactBelow int
	// Compress has sealed blocks compressed, except the last one. See SetCompression.
	Compress bool
	// RollupHeaders has the Nats-Rollup header of a message count as its Rollup. Raw messages are stored as
	// they are.
	RollupHeaders bool
	// Schedules has messages with the header Nats-Schedule be schedules. See SetSchedules.
	Schedules bool
	// Duplicates is for how long, and of how many messages, ids are remembered.
	Duplicates IDLimits
	// Derived names files that describe the blocks and would be wrong after the
	// first change; the first commit removes them.
	Derived []string
}
