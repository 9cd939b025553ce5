package actors

import (
	"errors"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/actors/internal/read"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/sealed"
	"github.com/seed-d8b58eba/millrace/engine"
)

// Errors of a store. Test for them with errors.Is.
var (
	// ErrNotFound: no live message has this sequence, but one had or could have
	// had: it was removed or skipped.
	ErrNotFound = read.ErrNotFound
	// ErrEOF: the sequence is above the last one.
	ErrEOF = read.ErrEOF
	// ErrUnreadable: refused, a block that has to be looked at cannot be read at the
	// moment. Nothing was changed.
	ErrUnreadable = engine.ErrUnreadable
	// ErrPredicate: refused, filters of Where are for queries alone. Nothing was changed.
	ErrPredicate = errors.New("filters of Where are for queries, and cannot decide what is changed")
	// ErrTooManyResults: there are more results than the caller allowed.
	ErrTooManyResults = read.ErrTooManyResults
	// ErrOverloaded: too much work is in flight for an actor that sends by PID.
	ErrOverloaded = errors.New("too much work is under way; try again later")
	// ErrUnknownRequest: a message to the PID is no request of a store.
	ErrUnknownRequest = errors.New("the message is no request that a store knows")
	// ErrUnsupported: the directory uses a feature that this version cannot
	// handle. Nothing was changed.
	ErrUnsupported = disk.ErrUnsupported
	// ErrKey: the stream is encrypted, and there is no Key, or another one than that with which it was. Nothing was
	// changed.
	ErrKey = sealed.ErrKey
	// ErrConfig: the configuration is not valid. The error lists every problem.
	ErrConfig = errors.New("invalid configuration")
	// ErrBadTime: the time of a raw message is not one that the format can hold: it
	// lies before 1677-09-21 or after 2262-04-11, or is the very nanosecond of
	// 1754 that stands for no time. Nothing was changed.
	ErrBadTime = errors.New("the time is out of range")
	// ErrBadHeader: a header name or value that a header block cannot hold, or a value that a header
	// which means something to the stream cannot have.
	ErrBadHeader = engine.ErrBadHeader
	// ErrBadMsgID: refused, a message id that is empty, begins with a space, or is longer than 256
	// bytes; or the option MsgID in a store without Duplicates.
	ErrBadMsgID = engine.ErrBadID
	// ErrDuplicateInBatch: refused, a message of the batch was stored already, and not all of them
	// were, as one batch; errors.As with *engine.DuplicateError says which, and what sequence it has.
	ErrDuplicateInBatch = engine.ErrDuplicateInBatch
	// ErrRollupInBatch: refused, a message of a batch that is not its first one cannot take the place of all.
	ErrRollupInBatch = engine.ErrRollupInBatch

	// ErrStopped: the store was stopped before it accepted the operation. Nothing was
	// changed.
	ErrStopped = engine.ErrStopped
	// ErrReadOnly: refused, the stream was opened with Config.ReadOnly. Nothing was changed.
	ErrReadOnly = engine.ErrReadOnly
	// ErrFailed: a write or a sync failed. Unless the error is ErrOutcomeUnknown, too,
	// the store refused the operation, and nothing was changed.
	ErrFailed = engine.ErrFailed
	// ErrOutcomeUnknown: the operation was on its way when a write or a sync failed, the
	// store was stopped from outside, or the caller's context ended. It may or may not
	// have happened. See the package comment, rule 5.
	ErrOutcomeUnknown = engine.ErrOutcomeUnknown
	// ErrNoSpace: the disk is full, or a quota is. It comes with ErrFailed where a write has failed for that.
	ErrNoSpace = blockio.ErrNoSpace
	// ErrNoDescriptors: the process, or the system, has as many files open as it may. Nothing is wrong with the stream, and
	// the store has not failed: what needs a file to be read is refused, and what has to be written waits for a descriptor;
	// with a context that ends meanwhile the error is this one, too.
	ErrNoDescriptors = blockio.ErrNoDescriptors
	// ErrMaxMsgs: refused, the stream holds MaxMsgs messages.
	ErrMaxMsgs = engine.ErrMaxMsgs
	// ErrMaxBytes: refused, the stream would exceed MaxBytes.
	ErrMaxBytes = engine.ErrMaxBytes
	// ErrMaxMsgsPerSubject: refused, the subject holds MaxMsgsPer messages.
	ErrMaxMsgsPerSubject = engine.ErrMaxMsgsPerSubject
	// ErrTooLarge: refused, the message or batch is above a size limit.
	ErrTooLarge = engine.ErrTooLarge
	// ErrSequenceMismatch: refused, the sequence given or expected does not match.
	ErrSequenceMismatch = engine.ErrSequenceMismatch
	// ErrEmptyBatch: refused, a batch without messages.
	ErrEmptyBatch = engine.ErrEmptyBatch

	// ErrLocked: another store has the directory open; the error says who.
	ErrLocked = blockio.ErrLocked
	// ErrCorrupt: a record or file is damaged; errors.As with
	// *blockio.CorruptionError says where.
	ErrCorrupt = blockio.ErrCorrupt
	// ErrChanged: somebody else has changed a file of the stream while it was open here; errors.As with
	// *blockio.ChangedError says which one. See Config.ReadOnly.
	ErrChanged = blockio.ErrChanged
	// ErrMetaLost: there is a stream, but the file with its configuration is
	// missing or damaged. Nothing was changed; Config.RecreateMeta is the way on
	// without a backup. It wraps ErrCorrupt.
	ErrMetaLost = blockio.ErrMetaLost
	// ErrSector: a sector cannot be read that has some of what was asked for. It
	// wraps ErrCorrupt, and is damage as long as that is so: another attempt may
	// succeed, and so may the next Open.
	ErrSector = blockio.ErrSector
)
