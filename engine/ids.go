package engine

import (
	"errors"
	"fmt"

	"github.com/seed-d8b58eba/millrace/engine/duplicates"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// A message may have an id, in the header Nats-Msg-Id. Whoever does not know whether a message was stored stores it
// again with the same id, and is answered with the sequence that it has already. That answer rests on the first
// message, and leaves no earlier than the reply to it would: see replyInOrder.
//
// Ids are remembered for Config.Duplicates. They are in the log with their messages, so a stream that is opened
// knows those of all messages that are still there (ids_opening.go).

var (
	// ErrBadID: a message id that is empty, or too long to be remembered.
	ErrBadID = errors.New("invalid message id")
	// ErrDuplicateInBatch: a message of a batch was stored already, and not all of them were, as one batch.
	ErrDuplicateInBatch = errors.New("a message of the batch was stored already")
)

// DuplicateError is the detail of ErrDuplicateInBatch.
type DuplicateError struct {
	Index    int    // of the message in the batch
	Sequence uint64 // that it has already; 0 when an earlier message of the batch has its id
}

func (e *DuplicateError) Error() string {
	if e.Sequence == 0 {
		return fmt.Sprintf("%v: message %d has the id of another one of the batch", ErrDuplicateInBatch, e.Index)
	}
	return fmt.Sprintf("%v: message %d, as %d", ErrDuplicateInBatch, e.Index, e.Sequence)
}

// Unwrap makes errors.Is(err, ErrDuplicateInBatch) true.
func (e *DuplicateError) Unwrap() error { return ErrDuplicateInBatch }

// IDLimits is for how long, and of how many messages, ids are remembered.
type IDLimits = duplicates.Limits

// MostIDs bounds IDLimits.Entries.
const MostIDs = duplicates.MaxEntries

// idWindow is the ids that are remembered.
type idWindow struct {
	*duplicates.Window // nil when none are
}

func newIDWindow(cfg *Config) idWindow {
	if cfg.Duplicates.Entries <= 0 || cfg.Duplicates.Age <= 0 {
		return idWindow{}
	}
	return idWindow{duplicates.New(cfg.Duplicates, cfg.Seed, 0)}
}

func (w idWindow) on() bool { return w.Window != nil }

// of returns the id of a message, "" when it has none.
func (w idWindow) of(m *Message) (id string, err error) {
	switch {
	case !w.on() && m.Identified:
		return "", fmt.Errorf("%w: the stream remembers none", ErrBadID)
	case !w.on() || len(m.Header) == 0:
		return "", nil
	}
	value, ok := msgheader.Find(m.Header, msgheader.MsgID)
	switch {
	case !ok:
		return "", nil
	case len(value) == 0:
		return "", fmt.Errorf("%w: it is empty", ErrBadID)
	case len(value) > duplicates.MaxID:
		return "", fmt.Errorf("%w: %d bytes, at most %d", ErrBadID, len(value), duplicates.MaxID)
	}
	return string(value), nil
}

// remember remembers the id of a message that is stored.
func (w idWindow) remember(m *Message, sequence uint64, time int64) {
	if !w.on() || len(m.Header) == 0 {
		return
	}
	if value, ok := msgheader.Find(m.Header, msgheader.MsgID); ok {
		w.Add(string(value), sequence, time)
	}
}

// advance tells the time.
func (w idWindow) advance(now int64) {
	if w.on() {
		w.Advance(now)
	}
}

// forgetIDsAbove forgets the ids of messages above a sequence, which others will get.
func (e *Engine) forgetIDsAbove(sequence uint64) {
	if e.ids.on() {
		e.ids.Truncate(sequence)
	}
}

// answerDuplicate answers a message whose id is remembered, or cannot be an id. It reports whether it has.
func (e *Engine) answerDuplicate(tag any, m *Message) bool {
	id, err := e.ids.of(m)
	if err != nil {
		e.replyInOrder(Reply{Tag: tag, Err: err})
		return true
	}
	if id == "" {
		return false
	}
	sequence, known := e.ids.Look(id)
	if known {
		e.counts[countDuplicates]++
		e.replyInOrder(Reply{Tag: tag, Sequence: sequence, Count: 1, Duplicate: true})
	}
	return known
}

// answerDuplicate answers a batch of which messages were stored already: with their sequences if all of them were,
// one after the other, and otherwise with an error. It reports whether it has.
func (c *StoreBatch) answerDuplicate(e *Engine, tag any) bool {
	last, err := c.duplicates(e)
	switch {
	case err != nil:
		e.replyInOrder(Reply{Tag: tag, Err: err})
	case last > 0:
		e.counts[countDuplicates] += uint64(len(c.Messages))
		e.replyInOrder(Reply{Tag: tag, Sequence: last, Count: len(c.Messages), Duplicate: true})
	default:
		return false
	}
	return true
}

// duplicates returns the sequence of the last message if all messages were stored already, one after the other;
// 0 if none was.
func (c *StoreBatch) duplicates(e *Engine) (last uint64, err error) {
	var seen map[string]struct{}
	var hit *DuplicateError // the first
	hits := 0               // at the sequences that follow it
	for i := range c.Messages {
		id, err := e.ids.of(&c.Messages[i])
		if err != nil {
			return 0, fmt.Errorf("message %d of the batch: %w", i, err)
		}
		if id == "" {
			continue
		}
		if _, twice := seen[id]; twice {
			return 0, &DuplicateError{Index: i}
		}
		if seen == nil {
			seen = make(map[string]struct{}, len(c.Messages))
		}
		seen[id] = struct{}{}
		sequence, known := e.ids.Look(id)
		if known && hit == nil {
			hit = &DuplicateError{i, sequence}
		}
		if known && sequence-hit.Sequence == uint64(i-hit.Index) {
			hits, last = hits+1, sequence
		}
	}
	if hit != nil && hits < len(c.Messages) {
		return 0, hit
	}
	return last, nil
}
