package actors

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/seed-d8b58eba/millrace/actors/internal/mailbox"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// DiscardPolicy says what happens when MaxMsgs or MaxBytes is reached.
type DiscardPolicy uint8

// The discard policies, see Config.Discard.
const (
	// DiscardAsStored is the policy that the stream has; DiscardOld for a new one.
	DiscardAsStored DiscardPolicy = iota
	// DiscardOld removes the oldest messages to make room.
	DiscardOld
	// DiscardNew refuses the new message with ErrMaxMsgs or ErrMaxBytes.
	DiscardNew
)

// Switch turns something on or off that is stored with the stream.
type Switch uint8

// The positions of a switch.
const (
	// AsStored is how the stream has it; Off for a new one.
	AsStored Switch = iota
	On
	Off
)

// Unlimited lifts a limit that an existing stream has.
const Unlimited = -1

// Config describes a stream and how to open it. Dir and Name are required; zero
// means the default for all else. Limits are stored with the stream: a zero
// limit keeps the stored one, Unlimited (or any negative value) lifts it.
type Config struct {
	// Dir holds one folder a stream; it can be the streams folder of a JetStream
	// account. It is created when missing.
	Dir string
	// Name is the stream's name and the name of its folder: 1 to 255 bytes
	// without white space, control characters, '.', '*', '>', '/' and '\'.
	Name string
	// Subjects are written to the stream's meta file for nats-server, which
	// needs to know what to listen to. The store itself takes any subject.
	// Default: as stored, for a new stream its name.
	Subjects []string
	// StreamConfig, if not nil, is a server's StreamConfig as JSON, with Created, the time of the stream's creation, if
	// that is to be another one: it takes the place of the configuration that the stream has, or that a new one gets.
	// The store acts on those of its members that stand for fields of Config, as if they had been stored, and keeps
	// all others as they are, byte for byte and in their order. Fields of Config that are set go before its members.
	// What no store can do is refused with ErrUnsupported; docs/servers.md has a table. See Store.StreamConfig.
	StreamConfig []byte

	// Sync is what an acknowledgement promises. Default SyncAlways.
	//
	//	SyncAlways    synced to disk     survives power loss
	//	SyncInterval  written to the OS  survives a crash of the process; power
	//	                                 loss costs at most SyncEvery and what one
	//	                                 sync takes
	//	SyncNever     in memory, handed  a crash of the process costs the last
	//	              to the writer      milliseconds, power loss what the system
	//	              within             has not written back; at most
	//	              milliseconds       MaxUnwritten bytes wait at a time
	//
	// At the two weaker levels a disk that fails to sync costs what was not
	// synced yet: nobody knows what of it the disk has. It is cut off, a copy is
	// kept aside, and the sequences are not used again.
	//
	// The level is not stored with the stream. UpdateConfig changes it: what was acknowledged before is synced
	// first, and what comes meanwhile waits for that.
	Sync SyncLevel
	// SyncEvery is SyncInterval's longest time between a write and its sync.
	// Default 1 s, at least 1 ms. For UpdateConfig 0 is what is in force.
	SyncEvery time.Duration

	// MaxMsgs bounds the number of messages. Default unlimited.
	MaxMsgs int64
	// MaxBytes bounds the bytes of the messages, see RecordSize. Default
	// unlimited.
	MaxBytes int64
	// MaxMsgsPer bounds the messages of one subject: the oldest makes room for a new
	// one, whatever Discard says, unless DiscardNewPer is set. It does not count messages
	// without a subject. Default unlimited.
	MaxMsgsPer int64
	// DiscardNewPer, if On, refuses a message of a subject that has MaxMsgsPer of them with
	// ErrMaxMsgsPerSubject, if the stream discards new messages.
	DiscardNewPer Switch
	// MaxAge bounds the age of messages, at least 1 ms. They go at most about
	// 250 ms after that. A nats-server does not open a stream with less than 100 ms. Default unlimited.
	MaxAge time.Duration
	// MaxMsgSize bounds header block plus payload, in bytes. Default: what a
	// record can hold, 32 MiB with subject and overhead.
	MaxMsgSize int
	// MaxMsgSizeElsewhere leaves MaxMsgSize to somebody above the store, who checks it before a message comes here, as a
	// nats-server does: it is stored with the stream, and not applied.
	MaxMsgSizeElsewhere bool
	// Discard chooses between removing old messages and refusing new ones.
	Discard DiscardPolicy
	// Duplicates is for how long the ids of messages are remembered, at least 100 ms: see MsgID. A message
	// whose id is remembered is not stored again; whoever offers it is told the sequence that it has
	// already. Ids are also those in the header Nats-Msg-Id. It is stored with the stream as its duplicate
	// window, for a nats-server; what is stored there does not turn it on. Default 0, or below it: no id means
	// anything. For UpdateConfig 0 is what is in force.
	Duplicates time.Duration
	// MaxDuplicates bounds how many ids are remembered, the latest. Each takes about 45 bytes and its
	// own. Default 100,000.
	MaxDuplicates int
	// AllowRollup, if On, has the header Nats-Rollup of a message mean the same as the option Rollup: with "sub" the
	// message takes the place of those of its subject, with "all" of all. It is stored with the stream.
	// Without it the header means nothing.
	AllowRollup Switch
	// AllowMsgSchedules, if On, has a message with the header Nats-Schedule be a schedule: whenever it is due, a
	// message is stored on the subject in Nats-Schedule-Target, with its payload, or with that of the last message
	// on the subject in Nats-Schedule-Source. It takes the place of all messages of its subject. What cannot be a
	// schedule is refused with ErrBadHeader; raw messages are stored as they are. docs/operations.md has all
	// headers and rules. The switch is stored with the stream, and AllowRollup with it. A stream with schedules
	// cannot discard new messages.
	AllowMsgSchedules Switch
	// AllowMsgTTL, if On, has the header Nats-TTL of a message, which the option TTL sets, say how long the message
	// lives: see TTL. Messages that are there when it is turned on count, too. Without it the header means nothing.
	AllowMsgTTL Switch
	// SubjectDeleteMarkerTTL, at least a second, stores a marker when the last message of a subject goes for its age
	// or by its TTL: a message without a payload and with the header Nats-Marker-Reason, which lives as long. It turns
	// AllowMsgTTL and AllowRollup on, and is stored in whole seconds. Below zero there are no markers. Default: as
	// stored, for a new stream none.
	SubjectDeleteMarkerTTL time.Duration
	// FirstSequence is the sequence of the first message of a new stream.
	// Default 1. An existing stream ignores it.
	FirstSequence uint64

	// BlockSize is the size at which a new block file is begun, 30 bytes to 8 MiB. A message that is larger has a block
	// of its own, so with the smallest each has. Every block costs a file and two syncs: small ones are for tests.
	// Default, as nats-server chooses it: 8 MiB, 4 MiB for an interest stream or a work queue of
	// a server, 2 MiB for an encrypted stream, or about a quarter of MaxBytes.
	BlockSize int64
	// MaxInFlight bounds the operations on their way. Default 16,384, at most
	// 2^22.
	MaxInFlight int
	// MaxInFlightBytes bounds their bytes. Default 64 MiB, at most 2^38; a single
	// operation may always go. Reads for actors may take as much again.
	MaxInFlightBytes int64
	// MaxUnwritten bounds what SyncNever acknowledges before it is written, in
	// bytes. Default 16 MiB.
	MaxUnwritten int64

	// NoRecovery keeps a failed store failed until it is stopped and opened
	// again: writes are refused with the same error, which wraps the cause, and reads go on. See Store.Err. By default it recovers by itself: after RetryMin, then after twice
	// as long each time up to RetryMax. Defaults 50 ms and 10 s.
	NoRecovery         bool
	RetryMin, RetryMax time.Duration

	// ReadOnly opens the stream without changing anything: no byte, no time, no name in its directory, which may be
	// one without permission to write, or on a file system that cannot be written to. What recovery does to a
	// directory is done in memory alone. Everything that reads works, Snapshot, Verify and watches included;
	// everything that would change the stream, UpdateConfig included, is refused with ErrReadOnly.
	//
	// The stream is shown as it was at one instant during Open, whatever becomes of it: nothing is removed because time
	// passes, and what others store is not seen. A lost configuration is no error: the messages are shown as those of
	// a stream without limits.
	//
	// No lock is taken, so that another process may have the stream open, a nats-server too, and change it. What
	// was read is never wrong for that, but it may become unreadable: ErrChanged then; open it again. Open tries for a
	// while to see a directory at one instant that changes all the time, and may return ErrChanged, too.
	// docs/reading.md says what holds.
	//
	// Of Config only Dir, Name, Key, OldKey, MaxInFlight, MaxInFlightBytes, IndexFrom, Runtime, Logger and FS count then.
	ReadOnly bool

	// RecreateMeta lets Open go on when the stream's configuration is lost, which is
	// ErrMetaLost otherwise: that of this Open is taken, as of a new stream, and all
	// messages are recovered. The stream's own limits are not known any more, so
	// messages that they had removed, and that are still in a block, may be back. The
	// log says so with WARN, and what is left of the meta files goes to lost+found.
	// While the configuration can be read, RecreateMeta does nothing.
	RecreateMeta bool

	// IndexFrom is the size from which a block gets an index file when it is full,
	// in bytes: an index takes 20 KiB at least. A smaller block is read as a whole
	// when it is read. Default 64 KiB; below zero no block gets one.
	IndexFrom int64

	// CompactBelow is the percentage of a full block's bytes that have to be live: a
	// block with less is written anew in the background, if that wins a sixteenth of a
	// block. Default 50, at most 90; below zero none is.
	CompactBelow int

	// Compression, if On, has full blocks compressed with S2 in the background, all but the last one, as a nats-server
	// does: what compresses well takes less disk, and reading it costs the decoding of 8 KiB. Turned on, it compresses
	// the blocks that are there as well; turned off, it leaves them compressed until they are compacted. It is stored
	// with the stream.
	Compression Switch

	// Key, if not nil, encrypts the stream, as a nats-server does: it returns the key, of 32 bytes, with which those of the
	// stream and of its blocks are wrapped, see KeyFunc. One that was plain is converted when it is opened. ServerKey returns that of a
	// nats-server. docs/encryption.md has what this protects.
	Key KeyFunc
	// OldKey, if not nil, is the Key of before: what Key does not open is wrapped with Key anew when the stream is
	// opened.
	OldKey KeyFunc
	// Cipher is how the stream is encrypted. One that is encrypted in another way is converted when it is opened, block by
	// block; a crash meanwhile does no harm. Default: as stored, ChaCha20 for a stream that is not encrypted.
	Cipher Cipher

	// Runtime holds what stores of a process share. Default: one for all.
	Runtime *Runtime
	// Logger gets what operators should know. Default: the Runtime's.
	Logger *slog.Logger
	// FS is the file system. Default: the operating system's. For tests.
	FS blockio.FS
	// NoPreallocation lets block files grow write by write. By default small
	// writes overwrite zeros that were written ahead, and large ones go into
	// a hole at the end of the file, which syncs faster.
	NoPreallocation bool
}

const (
	minBlockSize = blockio.EmptyRecordSize // the smallest record
	maxBlockSize = 8 << 20
	minAge       = time.Millisecond
)

// withDefaults returns the configuration with defaults filled in.
func (c Config) withDefaults() Config {
	def(&c.Sync, SyncAlways)
	def(&c.SyncEvery, time.Second)
	def(&c.MaxInFlight, 16<<10)
	def(&c.MaxInFlightBytes, 64<<20)
	def(&c.MaxUnwritten, 16<<20)
	def(&c.MaxDuplicates, 100_000)
	def(&c.IndexFrom, 64<<10)
	if c.CompactBelow == 0 {
		c.CompactBelow = 50
	}
	def(&c.RetryMin, 50*time.Millisecond)
	def(&c.RetryMax, max(10*time.Second, c.RetryMin))
	if c.Runtime == nil {
		c.Runtime = DefaultRuntime()
	}
	if c.Logger == nil {
		c.Logger = c.Runtime.logger
	}
	if c.FS == nil {
		c.FS = blockio.OS
	}
	return c
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate returns an error that lists every problem of the configuration, or
// nil. Open calls it.
func (c *Config) Validate() error {
	var problems []error
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf(format, args...))
	}
	if c.Dir == "" {
		bad("Dir is empty")
	}
	if err := storedName(c.Name); err != nil {
		problems = append(problems, err)
	}
	if c.Sync > SyncNever {
		bad("Sync %d is not a sync level", c.Sync)
	}
	if c.Discard > DiscardNew {
		bad("Discard %d is not a discard policy", c.Discard)
	}
	if c.DiscardNewPer > Off {
		bad("DiscardNewPer %d is not a switch", c.DiscardNewPer)
	}
	if c.AllowMsgSchedules > Off {
		bad("AllowMsgSchedules %d is not a switch", c.AllowMsgSchedules)
	}
	if c.Cipher > CipherAES {
		bad("Cipher %d is not a cipher", c.Cipher)
	}
	if c.Key == nil && (c.OldKey != nil || c.Cipher == CipherChaCha20 || c.Cipher == CipherAES) {
		bad("OldKey or Cipher without Key")
	}
	if c.Compression > Off {
		bad("Compression %d is not a switch", c.Compression)
	}
	if c.AllowMsgTTL > Off {
		bad("AllowMsgTTL %d is not a switch", c.AllowMsgTTL)
	}
	if d := c.SubjectDeleteMarkerTTL; d > 0 && d < time.Second {
		bad("SubjectDeleteMarkerTTL is %v, at least 1s", d)
	}
	if c.SubjectDeleteMarkerTTL > 0 && (c.AllowMsgTTL == Off || c.AllowRollup == Off) {
		bad("SubjectDeleteMarkerTTL without AllowMsgTTL and AllowRollup")
	}
	if c.SyncEvery != 0 && c.SyncEvery < time.Millisecond {
		bad("SyncEvery %v is below 1ms", c.SyncEvery)
	}
	if c.MaxAge > 0 && c.MaxAge < minAge {
		bad("MaxAge %v is below %v", c.MaxAge, minAge)
	}
	if c.AllowRollup > Off {
		bad("AllowRollup %d is not a switch", c.AllowRollup)
	}
	if c.Duplicates > 0 && c.Duplicates < 100*time.Millisecond {
		bad("Duplicates %v is below 100ms", c.Duplicates)
	}
	if c.MaxDuplicates > engine.MostIDs {
		bad("MaxDuplicates %d is above %d", c.MaxDuplicates, engine.MostIDs)
	}
	largest := blockio.MaxRecordSize
	if c.MaxMsgSizeElsewhere {
		largest = math.MaxInt32 // as the file holds it
	}
	if c.MaxMsgSize > largest {
		bad("MaxMsgSize %d is above %d", c.MaxMsgSize, largest)
	}
	if c.CompactBelow > 90 {
		bad("CompactBelow %d is above 90", c.CompactBelow)
	}
	if c.FirstSequence >= 1<<62 {
		bad("FirstSequence %d is not below 2^62", c.FirstSequence)
	}
	if c.BlockSize != 0 && (c.BlockSize < minBlockSize || c.BlockSize > maxBlockSize) {
		bad("BlockSize %d is not within %d and %d", c.BlockSize, minBlockSize, maxBlockSize)
	}
	for _, p := range []struct {
		name  string
		value int64
	}{
		{"MaxInFlight", int64(c.MaxInFlight)}, {"MaxInFlightBytes", c.MaxInFlightBytes},
		{"MaxUnwritten", c.MaxUnwritten}, {"MaxDuplicates", int64(c.MaxDuplicates)}, {"RetryMin", int64(c.RetryMin)}, {"RetryMax", int64(c.RetryMax)},
	} {
		if p.value < 0 {
			bad("%s %d is negative", p.name, p.value)
		}
	}
	if c.RetryMax != 0 && c.RetryMax < c.RetryMin {
		bad("RetryMax %v is below RetryMin %v", c.RetryMax, c.RetryMin)
	}
	if c.MaxInFlight > mailbox.MostOps {
		bad("MaxInFlight %d is above %d", c.MaxInFlight, mailbox.MostOps)
	}
	if c.MaxInFlightBytes > mailbox.MostBytes {
		bad("MaxInFlightBytes %d is above %d", c.MaxInFlightBytes, mailbox.MostBytes)
	}
	if c.StreamConfig != nil {
		if _, err := parseGiven(c); err != nil {
			problems = append(problems, err)
		}
	}
	for _, s := range c.Subjects {
		if s == "" || strings.Contains(s, "\x00") || validPattern(s) != nil {
			bad("subject %q is not valid", s)
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w: %w", ErrConfig, errors.Join(problems...))
	}
	return nil
}

// blockSizeFor returns the default block size, as nats-server chooses it.
func blockSizeFor(maxBytes int64, retention string, encrypted bool) int64 {
	if maxBytes <= 0 {
		if encrypted {
			return 2 << 20
		}
		if retention == "interest" || retention == "workqueue" {
			return 4 << 20 // its messages go from anywhere
		}
		return maxBlockSize
	}
	size := maxBytes/4 + 1
	if r := size % 100; r != 0 {
		size += 100 - r
	}
	switch {
	case size <= 32000:
		return 32000
	case size >= maxBlockSize:
		return maxBlockSize
	}
	return 4 << 20
}
