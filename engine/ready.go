package engine

import (
	"fmt"
	"time"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// WorkID names one piece of work, of either lane.
type WorkID uint64

// OpKind names an operation of the commit lane.
type OpKind uint8

const (
	// OpRemoveDerived removes the files of Config.Derived and syncs their
	// directory. It comes once, before the first change of a stream's blocks.
	OpRemoveDerived OpKind = iota + 1
	// OpCreate creates an empty block file and syncs the directory.
	OpCreate
	// OpWrite writes Data at Offset and, if Sync, syncs the file.
	OpWrite
	// OpSync syncs what was written to the block.
	OpSync
	// OpSeal cuts the block to Size, syncs and closes it.
	OpSeal
)

var opNames = [...]string{
	OpRemoveDerived: "remove derived", OpCreate: "create", OpWrite: "write", OpSync: "sync", OpSeal: "seal",
}

// String returns the operation's name.
func (k OpKind) String() string {
	if int(k) < len(opNames) && opNames[k] != "" {
		return opNames[k]
	}
	return fmt.Sprintf("OpKind(%d)", uint8(k))
}

// Op is one operation of the commit lane.
type Op struct {
	Kind   OpKind
	Block  uint32
	Offset int64    // write: where; seal: the block's final size
	Data   [][]byte // write: pieces that follow each other
	Sync   bool     // write
}

// String prints the operation without its data.
func (o Op) String() string {
	switch o.Kind {
	case OpWrite:
		n := 0
		for _, d := range o.Data {
			n += len(d)
		}
		s := fmt.Sprintf("write %d [%d..%d)", o.Block, o.Offset, o.Offset+int64(n))
		if o.Sync {
			s += " sync"
		}
		return s
	case OpSeal:
		return fmt.Sprintf("seal %d at %d", o.Block, o.Offset)
	case OpRemoveDerived:
		return o.Kind.String()
	}
	return fmt.Sprintf("%s %d", o.Kind, o.Block)
}

// Commit is the work of one group.
type Commit struct {
	ID      WorkID
	Ops     []Op
	Records int // message, skip and tombstone records in it
	Bytes   int
}

// WorkKind names work of the maintenance lane.
type WorkKind uint8

const (
	// WorkLoad scans the first Size bytes of a block into a Table.
	WorkLoad WorkKind = iota + 1
	// WorkSync syncs what was written to a block.
	WorkSync
	// WorkSeal cuts a block to Size, syncs and closes it.
	WorkSeal
	// WorkRemove removes a block's file and syncs the directory.
	WorkRemove
	// WorkFind lists the records in the first Size bytes of a block whose subjects Filter selects. Those above
	// Sequence, if it is not 0, are not needed.
	WorkFind
	// WorkSubjects lists the subjects of the message records in the first Size bytes of a block, each with
	// how many there are.
	WorkSubjects
	// WorkTombstones lists the tombstones in the first Size bytes of a block.
	WorkTombstones
	// WorkErase overwrites the message record of Sequence, Length bytes from Size on, in a sealed block, and
	// what is kept of the message elsewhere. What describes the block is gone then. Readers find the record in
	// no memory of the shell.
	WorkErase
	// WorkTruncate cuts the end of the log off, see Truncation.
	WorkTruncate
	// WorkCompact writes a sealed block of Size bytes anew, see Compaction, beside the lane as WorkIndex. When it
	// is done without an error and without a scan, the block is as it was.
	WorkCompact
	// WorkIDs lists the ids of the messages in the first Size bytes of a block that are not older than Since.
	WorkIDs
	// WorkFetch looks for what the schedules of Fetch produce, among what readers see: for each of them in order, and
	// for the first at least. It stops where the payloads are many bytes. The shell runs it where it can read.
	WorkFetch
	// WorkSchedules lists the messages in the first Size bytes of a block that are schedules, or that schedules have
	// produced, and the zones that they name.
	WorkSchedules
	// WorkZone looks for the time zone of a name.
	WorkZone
	// WorkLives lists the messages in the first Size bytes of a block whose headers say how long they live, or that
	// they are markers. A block of which some cannot be read is an error.
	WorkLives
	// WorkIndex writes the block index of a sealed block. It takes long, and no
	// other work waits for it: the shell runs it beside the lane.
	WorkIndex
	// WorkTell writes down what Published says is lost, so that it is known after a crash. An error of it
	// changes nothing: what is lost is written down again with the next loss, and at a stop.
	WorkTell
)

var workNames = [...]string{
	WorkLoad: "load", WorkSync: "sync", WorkSeal: "seal", WorkRemove: "remove", WorkFind: "find", WorkSubjects: "subjects",
	WorkTombstones: "tombstones", WorkIDs: "ids", WorkLives: "lives", WorkErase: "erase", WorkTruncate: "truncate", WorkCompact: "compact", WorkIndex: "index", WorkTell: "tell",
	WorkFetch: "fetch", WorkSchedules: "schedules", WorkZone: "zone",
}

// String returns the kind's name.
func (k WorkKind) String() string {
	if int(k) < len(workNames) && workNames[k] != "" {
		return workNames[k]
	}
	return fmt.Sprintf("WorkKind(%d)", uint8(k))
}

// Work is one item of the maintenance lane.
type Work struct {
	ID       WorkID
	Kind     WorkKind
	Block    uint32
	Size     int64
	Sequence uint64 // erase, find
	Length   int    // erase
	// Data is all that was written to the block of WorkIndex, in pieces of whole records, or nil. It does not change
	// until the work is done.
	Data [][]byte
	// Filter is what WorkFind selects by.
	Filter *subject.Set
	// Compaction is what WorkCompact does.
	Compaction *Compaction
	// Truncation is what WorkTruncate does.
	Truncation *Truncation
	// Since is the time that WorkIDs begins from, in nanoseconds since the epoch.
	Since int64
	// Fetch is what WorkFetch looks for.
	Fetch []Fetch
	// Zone is the name that WorkZone looks for.
	Zone string
}

// String prints the work in one line.
func (w Work) String() string { return fmt.Sprintf("%s %d", w.Kind, w.Block) }

// Done completes one piece of work.
type Done struct {
	ID  WorkID
	Err error
	// Table is what WorkLoad, WorkFind and WorkSubjects found.
	Table *Table
	// Tombstones is what WorkTombstones found.
	Tombstones []Tombstone
	// Scan is of the block that WorkCompact has left, and Indexed tells that its index was written as well.
	Scan    *Scan
	Indexed bool
	// IDs is what WorkIDs found, in order of sequence.
	IDs []MessageID
	// Fetched is what WorkFetch found of Work.Fetch, or of the first of it.
	Fetched []Fetched
	// Scheduled is what WorkSchedules found, in the order of the block.
	Scheduled []ScheduleRecord
	// Zones are the time zones that WorkSchedules and WorkZone found, by their names.
	Zones map[string]*time.Location
	// Lives is what WorkLives found, in order of sequence.
	Lives []MessageLife
}

// Ready is what has to happen outside: replies to send, then work to start. It
// is valid until the next call of Engine.Ready.
type Ready struct {
	Replies     []Reply
	Commit      *Commit // nil when there is none, or one is still in flight
	Maintenance []Work
}
