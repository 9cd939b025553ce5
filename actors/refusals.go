package actors

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/engine"
)

// Refusal is how many operations that change the stream have ended with an error for one reason, since Open.
type Refusal struct {
	// Reason is a word for the error: the label of millrace_refused_operations_total.
	Reason string
	Count  uint64
}

// refusalReasons says which error is counted under which word. The first that an error is counts, so those that come with
// others are before them.
var refusalReasons = [...]struct {
	word   string
	errors []error
}{
	{"no_descriptors", []error{ErrNoDescriptors}},   // it may have happened, if it is ErrOutcomeUnknown, too
	{"outcome_unknown", []error{ErrOutcomeUnknown}}, // it may have happened
	{"gave_up", []error{ErrCrashLoop}},
	{"no_space", []error{ErrNoSpace}},
	{"failed", []error{ErrFailed}},
	{"max_msgs", []error{ErrMaxMsgs}},
	{"max_bytes", []error{ErrMaxBytes}},
	{"max_msgs_per_subject", []error{ErrMaxMsgsPerSubject}},
	{"size", []error{ErrTooLarge}},
	{"sequence", []error{ErrSequenceMismatch}},
	{"overloaded", []error{ErrOverloaded}},
	{"stopped", []error{ErrStopped}},
	{"read_only", []error{ErrReadOnly}},
	{"header", []error{ErrBadHeader}},
	{"msg_id", []error{ErrBadMsgID}},
	{"time", []error{ErrBadTime}},
	{"batch", []error{ErrEmptyBatch, ErrDuplicateInBatch, ErrRollupInBatch}},
	{"subject", []error{ErrBadSubject}},
	{"filter", []error{ErrPredicate, ErrBadFilter}},
	{"not_found", []error{ErrNotFound, ErrEOF}},
	{"unreadable", []error{ErrUnreadable, ErrCorrupt}},
	{"config", []error{ErrConfig}},
	{"context", []error{context.Canceled, context.DeadlineExceeded}}, // it ended before anything was changed
	{"other", nil},
}

// refusals counts what is refused, by the index of the reason. There is nothing of it as long as nothing is.
type refusals struct {
	counts atomic.Pointer[[len(refusalReasons)]atomic.Uint64]
}

func (r *refusals) count(reason int) {
	if r.counts.Load() == nil {
		r.counts.CompareAndSwap(nil, new([len(refusalReasons)]atomic.Uint64))
	}
	r.counts.Load()[reason].Add(1)
}

func (r *refusals) of(reason int) uint64 {
	if counts := r.counts.Load(); counts != nil {
		return counts[reason].Load()
	}
	return 0
}

// reasonOf returns the index of the reason for which an error is counted.
func reasonOf(err error) int {
	for i := range refusalReasons {
		for _, is := range refusalReasons[i].errors {
			if errors.Is(err, is) {
				return i
			}
		}
	}
	return len(refusalReasons) - 1
}

// reasonIn is reasonOf where a context may have ended with a cause of its own.
func reasonIn(ctx context.Context, err error) int {
	i := reasonOf(err)
	if i == len(refusalReasons)-1 && ctx.Err() != nil {
		return reasonOf(ctx.Err())
	}
	return i
}

// refused counts an operation that was refused before the engine saw it, and returns why.
func (s *stream) refused(err error) error {
	if err != nil {
		s.meters.refused.count(reasonOf(err))
	}
	return err
}

// countRefusal counts how an operation has ended that the engine may have seen. What it refuses by limits, sizes and sequences
// it has counted itself.
func (s *stream) countRefusal(ctx context.Context, err error) {
	if err == nil {
		return
	}
	i := reasonIn(ctx, err)
	switch refusalReasons[i].word {
	case "max_msgs", "max_bytes", "max_msgs_per_subject", "size", "sequence":
		return
	}
	s.meters.refused.count(i)
}

// counts reports whether it is counted when the operation is refused: one that changes something.
func (o *op) counts() bool {
	_, stop := o.command.(*engine.Stop)
	return !stop && o.changes()
}

// refusals returns what was refused for each reason, in an order that does not change.
func (s *stream) refusals(c *engine.Counts) []Refusal {
	list := make([]Refusal, len(refusalReasons))
	for i := range list {
		list[i] = Refusal{refusalReasons[i].word, s.meters.refused.of(i)}
		switch list[i].Reason {
		case "max_msgs":
			list[i].Count += c.RefusedMsgs
		case "max_bytes":
			list[i].Count += c.RefusedBytes
		case "max_msgs_per_subject":
			list[i].Count += c.RefusedPer
		case "size":
			list[i].Count += c.RefusedSize
		case "sequence":
			list[i].Count += c.RefusedSequence
		}
	}
	return list
}
