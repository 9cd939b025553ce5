package blockio

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Sentinels. Every error of this package is, or wraps, one of these or an
// error of the file system below; test with errors.Is.
var (
	// ErrCorrupt: bytes on disk do not say what they must. What and where is
	// in the CorruptionError around it, when the place is known.
	ErrCorrupt = errors.New("damaged")

	// ErrShort: the buffer ends before the record that starts in it. It wraps
	// ErrCorrupt: whether that is a torn tail or damage is for the scan to say.
	ErrShort = fmt.Errorf("%w: record is cut short", ErrCorrupt)

	// ErrTooLarge: a subject or a record is over a limit of the format.
	// Nothing was written. The details are in the SizeError.
	ErrTooLarge = errors.New("too large")

	// ErrLocked: somebody else holds the lock. Who is in the LockedError.
	ErrLocked = errors.New("the directory is in use")

	// ErrOffset: an append or a seal named another end of the block than the
	// one this process knows. Nothing was written.
	ErrOffset = errors.New("unexpected offset")

	// ErrNotOpen: the block has no write handle; Create or OpenTail it first.
	ErrNotOpen = errors.New("block is not open for writing")

	// ErrOpen: the block is open for writing, and is to be sealed first.
	ErrOpen = errors.New("block is open for writing")

	// ErrBroken: an earlier write or sync of this block failed, so what the
	// file holds is unknown. Only recovery (Truncate, OpenTail) ends it. After a
	// failed sync of their directory it is of all blocks, and a new Blocks ends it.
	ErrBroken = errors.New("block failed before")

	// ErrBlockID: the number is none that a block can have, see MaxBlockID.
	ErrBlockID = errors.New("block number out of range")

	// ErrNotRegular: the name is that of something else than a file, such as a
	// directory, a pipe or a device. It was not read or written.
	ErrNotRegular = errors.New("not a regular file")

	// ErrSync: a sync of a block or of the directory of the blocks failed. The system
	// may take for clean what it could not write: it reads back, no later sync writes
	// it or tells of it, and a loss of power takes it. Only what an earlier sync
	// covered is safe.
	ErrSync = errors.New("sync failed")

	// ErrMapped: memory that a file is mapped to cannot be read: the file was
	// truncated, or its disk fails.
	ErrMapped = errors.New("mapped file cannot be read")

	// ErrCompressed: the file of a block is compressed in a way that nobody here knows, or
	// is compressed and to be written to.
	ErrCompressed = errors.New("compressed")

	// ErrSuperseded: the block was asked for as an earlier generation of its stream
	// knew it, before files were cut or replaced. Take a new snapshot of the stream,
	// and ask again.
	ErrSuperseded = errors.New("superseded")

	// ErrPanic: another goroutine panicked while it opened or described the block that
	// this one waited for.
	ErrPanic = errors.New("panic while a block was made ready")

	// ErrEncrypted: the file can be read only with the stream's key.
	ErrEncrypted = errors.New("encrypted")

	// ErrMetaLost: meta.inf, which has the configuration of a stream, is missing
	// although there are blocks, or it is not what was written. It wraps ErrCorrupt.
	ErrMetaLost = fmt.Errorf("%w: the stream's configuration is lost", ErrCorrupt)

	// ErrName: the stream's meta file names another stream than its directory.
	ErrName = errors.New("the configuration is that of a stream with another name")
)

// ErrSector: the disk cannot read a sector of what was asked for, although it can read
// others. It wraps ErrCorrupt. What the sector holds is damaged for as long as that is so.
var ErrSector = reason("a sector cannot be read")

// Reasons why a record is not one. They carry no place: Decode does not know
// it. All wrap ErrCorrupt.
var (
	errLength        = reason("record length out of range")
	errSubjectLength = reason("subject length out of range")
	errHeaderLength  = reason("header length out of range")
	errFlags         = reason("record is both skip and tombstone")
	errChecksum      = reason("checksum mismatch")
	errLengths       = reason("lengths differ from those that were committed")
	errZeros         = reason("zeros in place of records")
)

// A reasonError is a constant cause of corruption.
type reasonError struct{ text string }

func reason(text string) error { return &reasonError{text} }

func (e *reasonError) Error() string { return e.text }

func (e *reasonError) Unwrap() error { return ErrCorrupt }

// reasonText is the cause without the package's prefix, for a CorruptionError.
func reasonText(err error) string {
	var re *reasonError
	switch {
	case errors.As(err, &re):
		return re.text
	case errors.Is(err, ErrShort):
		return "record is cut short"
	default:
		return "damaged"
	}
}

// A CorruptionError says which bytes on disk are damaged. It holds no payload.
// errors.Is(err, ErrCorrupt) is true for it.
type CorruptionError struct {
	Path     string // the file
	Block    uint32 // number of the block; 0 when the file is not a block
	Offset   int64  // first damaged byte in the file
	Sequence uint64 // first sequence that is damaged; 0 when it cannot be told
	Last     uint64 // last sequence of a stretch of several; 0 or Sequence for one
	Reason   string // what is wrong, in a few words
	Err      error  // the cause below, if any
}

// Error implements error.
func (e *CorruptionError) Error() string {
	if e.Block == 0 || e.Sequence == 0 {
		return fmt.Sprintf("%s is damaged at byte %d: %s", e.Path, e.Offset, e.Reason)
	}
	sequences := fmt.Sprintf("sequence %d", e.Sequence)
	if e.Last > e.Sequence {
		sequences = fmt.Sprintf("sequences %d to %d", e.Sequence, e.Last)
	}
	return fmt.Sprintf("%s is damaged at byte %d, with %s: %s", e.Path, e.Offset, sequences, e.Reason)
}

// Unwrap returns the cause.
func (e *CorruptionError) Unwrap() error { return e.Err }

// Is makes every CorruptionError an ErrCorrupt, whatever its cause.
func (e *CorruptionError) Is(target error) bool { return target == ErrCorrupt }

// A SizeError says which limit of the format a record would break.
// errors.Is(err, ErrTooLarge) is true for it.
type SizeError struct {
	What  string // "subject", "header", "payload" or "record"
	Size  int    // bytes asked for
	Limit int    // bytes allowed
}

// Error implements error.
func (e *SizeError) Error() string {
	return fmt.Sprintf("%s of %d bytes is too large, at most %d", e.What, e.Size, e.Limit)
}

// Unwrap returns ErrTooLarge.
func (e *SizeError) Unwrap() error { return ErrTooLarge }

// A LockedError says who holds a lock. errors.Is(err, ErrLocked) is true.
type LockedError struct {
	Path   string // the lock file
	Holder string // what the holder wrote about itself; empty when unreadable
}

// Error implements error.
func (e *LockedError) Error() string {
	if e.Holder == "" {
		return filepath.Dir(e.Path) + " is in use by another process"
	}
	return filepath.Dir(e.Path) + " is in use, held by " + e.Holder
}

// Unwrap returns ErrLocked.
func (e *LockedError) Unwrap() error { return ErrLocked }
