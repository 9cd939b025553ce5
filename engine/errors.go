package engine

import (
	"errors"
	"fmt"
	"math"
)

// Refusals leave the stream as it was; the message may be offered again.
var (
	// ErrMaxMsgs: the stream holds MaxMsgs messages and discards new ones.
	ErrMaxMsgs = errors.New("the stream has as many messages as it may have")
	// ErrMaxBytes: the message would take the stream above MaxBytes and it
	// discards new messages.
	ErrMaxBytes = errors.New("the stream has as many bytes as it may have")
	// ErrMaxMsgsPerSubject: the message's subject has MaxMsgsPer messages, and the
	// stream discards new ones of a subject.
	ErrMaxMsgsPerSubject = errors.New("the subject has as many messages as it may have")
	// ErrTooLarge: the message or the batch is above a size limit.
	ErrTooLarge = errors.New("too large")
	// ErrSequenceMismatch: the sequence given, or expected, is not the one that
	// comes next.
	ErrSequenceMismatch = errors.New("the sequence does not fit")
	// ErrEmptyBatch: a batch without messages.
	ErrEmptyBatch = errors.New("the batch has no message")
)

var (
	// ErrStopped: the stream was stopped before the command was accepted. Nothing was
	// changed.
	ErrStopped = errors.New("the store is stopped")
	// ErrReadOnly: the stream was opened for reading only. Nothing was changed.
	ErrReadOnly = errors.New("the stream is open for reading only")
	// ErrFailed: a write or a sync failed, of this command or of one before it. Unless
	// the error is ErrOutcomeUnknown, too, the command was refused and changed nothing.
	ErrFailed = errors.New("writes are refused until the store has recovered")
	// ErrOutcomeUnknown: the command had been accepted when the storage failed, which
	// then is ErrFailed, too, or when the stream was stopped from outside. What it did
	// may or may not be in the stream when that is recovered. The error is not ErrStopped.
	ErrOutcomeUnknown = errors.New("it is not known whether this was done")
)

// SequenceError is the detail of ErrSequenceMismatch.
type SequenceError struct {
	What string // "expected last sequence", also of a subject or filter, or "next sequence"
	Want uint64 // what the caller asked for
	Have uint64 // what the stream has
}

func (e *SequenceError) Error() string {
	return fmt.Sprintf("the sequence does not fit: %s %d, and the stream has %d", e.What, e.Want, e.Have)
}

// Unwrap makes errors.Is(err, ErrSequenceMismatch) true.
func (e *SequenceError) Unwrap() error { return ErrSequenceMismatch }

// LimitError is the detail of ErrMaxMsgs, ErrMaxBytes and ErrTooLarge.
type LimitError struct {
	Limit string // the limit's name
	Value int64  // what the command would have needed
	Max   int64  // what is allowed
	Err   error  // the sentinel
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%v: %s %d, at most %d", e.Err, e.Limit, e.Value, e.Max)
}

// Unwrap returns the sentinel.
func (e *LimitError) Unwrap() error { return e.Err }

// sequenceLimit is the LimitError of a sequence, which may not fit in its Value.
type sequenceLimit struct {
	LimitError
	sequence uint64
}

// sequenceTooLarge refuses a sequence that no stream gets to.
func sequenceTooLarge(sequence uint64) error {
	return &sequenceLimit{LimitError{"sequence", int64(min(sequence, math.MaxInt64)), int64(maxSequence - 1), ErrTooLarge}, sequence}
}

func (e *sequenceLimit) Error() string {
	return fmt.Sprintf("%v: %s %d, at most %d", e.Err, e.Limit, e.sequence, e.Max)
}

// Unwrap returns the LimitError.
func (e *sequenceLimit) Unwrap() error { return &e.LimitError }
