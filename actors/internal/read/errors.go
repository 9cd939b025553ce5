package read

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// The errors that package actors passes on under the same names; their texts name that package,
// since it is the one that its users know.
var (
	// ErrNotFound: no live message has this sequence, but one had or could have had.
	ErrNotFound = engine.ErrNotFound
	// ErrEOF: the sequence is above the last one.
	ErrEOF = engine.ErrBeyondLast
	// ErrTooManyResults: there are more results than the caller allowed.
	ErrTooManyResults = errors.New("too many results")
	// ErrStopped: the store was stopped.
	ErrStopped = engine.ErrStopped
	// ErrCorrupt: a record or a file is damaged.
	ErrCorrupt = blockio.ErrCorrupt
	// ErrPanic: reading has panicked. It is a bug, or damage of a kind that nobody thought of.
	ErrPanic = blockio.ErrPanic
)

// errMemoryGone: the bytes of the block that is being written are no longer in memory, and so they
// are in the file.
var errMemoryGone = errors.New("no longer in memory")

// errStopVisit ends a visit of parts early. Callers of the visit do not see it.
var errStopVisit = errors.New("visit ended")

// mostAttempts bounds how often a question is asked again because an index was of no use or because
// the bytes went from memory to the file. Two attempts are enough if nothing else happens meanwhile.
const mostAttempts = 100

func notFound(sequence uint64) error { return fmt.Errorf("%w: sequence %d", ErrNotFound, sequence) }

// vanished is the error for a message that the subject index has and that cannot be loaded, time
// and again.
func vanished(sequence uint64, err error) error {
	return fmt.Errorf("%w: message %d is indexed and cannot be found: %w", ErrCorrupt, sequence, err)
}

// missing is the error for messages whose block has no file.
func (s *Source) missing(b *engine.BlockView, messages engine.SequenceRange, err error) error {
	return &blockio.CorruptionError{
		Path: s.Path(b.ID), Block: b.ID, Sequence: messages.First, Last: messages.Last,
		Reason: "block file is missing", Err: fmt.Errorf("%w: %w", ErrCorrupt, err),
	}
}

// corrupt is the error for damage at a place in a block.
func (s *Source) corrupt(b *engine.BlockView, offset int64, sequence uint64, reason string, err error) error {
	return &blockio.CorruptionError{
		Path: s.Path(b.ID), Block: b.ID, Offset: offset, Sequence: sequence, Reason: reason, Err: err,
	}
}

// unusable reports whether an error says that an index is not to be used. The block itself is then
// not in doubt.
func unusable(err error) bool {
	return errors.Is(err, blockindex.ErrStale) || errors.Is(err, blockindex.ErrDamaged) || errors.Is(err, blockio.ErrMapped)
}

// worthAnotherTry reports whether an error means that the files have changed since the snapshot was
// taken, or that an index had to be replaced.
func worthAnotherTry(err error) bool {
	return errors.Is(err, errMemoryGone) || errors.Is(err, blockio.ErrSuperseded) || errors.Is(err, fs.ErrNotExist) || unusable(err)
}

// unlessStopped turns the error that ends a visit early into nil.
func unlessStopped(err error) error {
	if err == errStopVisit {
		return nil
	}
	return err
}

// firstError returns the first error that is not nil.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
