package consumer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/actors/consumer/internal/cursor"
)

// The state of a consumer is the messages of one subject: a snapshot, and the events since then. Each is a byte that says
// which of them it is, a number that is one more than that of the message before, and what the state machine has given.
// A snapshot takes the place of all messages of the subject, as one with being stored.
//
// Beside it is the subject of the owner. Whoever opens a consumer stores a message there first, and whoever stores a message
// of the state expects the one that he has stored there to be the last one. So who had the consumer open before can store
// nothing any more, and the state stands still until the new owner has read it. Each also expects the last message of
// the state to be the one that he knows.

const (
	recordSnapshot = 'S'
	recordEvents   = 'E'
	// mostRecords is after how many messages a snapshot follows, and leastBytes after how many bytes of events at
	// least: beyond, when they are twice as many as the snapshot's.
	mostRecords = 256
	leastBytes  = 4 << 10
	// subjectPrefix is what the subjects of states begin with.
	subjectPrefix = "_consumer."
)

// ownerSubject is where whoever opens a consumer says so.
func ownerSubject(subject string) string { return subject + ".owner" }

// subjectsOfState selects all that there is of a consumer.
func subjectsOfState(subject string) actors.Filters {
	return actors.Literal(subject, ownerSubject(subject))
}

// stateSubject is the subject of a consumer's state. Names of streams and consumers have no dots.
func stateSubject(stream, name string) string { return subjectPrefix + stream + "." + name }

// journal is what is known of the messages with the state.
type journal struct {
	subject string
	last    uint64 // sequence of the last one; 0 when there is none
	claim   uint64 // sequence of the last one of the owner's subject
	index   uint64 // of the last one
	records int    // how many there are
	events  int    // bytes of the events
	whole   int    // bytes of the snapshot
}

// record returns the message for what the state machine has to be made durable, and the journal with it, but for the
// last sequence.
func (j journal) record(c *cursor.Cursor, maxPer int64) (actors.BatchMessage, journal) {
	events := c.Take()
	j.index++
	j.records++
	j.events += len(events)
	m := actors.BatchMessage{Subject: j.subject, Options: []actors.StoreOption{
		actors.ExpectLastOfSubject(j.subject, j.last), actors.ExpectLastOfSubject(ownerSubject(j.subject), j.claim),
	}}
	kind, body := byte(recordEvents), events
	if j.whole == 0 || j.records > mostRecords || j.events > max(leastBytes, 2*j.whole) || maxPer > 0 && int64(j.records) > maxPer {
		kind, body = recordSnapshot, c.Snapshot()
		j.records, j.events, j.whole = 1, 0, len(body)
		m.Options = append(m.Options, actors.Rollup(actors.RollupSubject))
	}
	m.Payload = append(binary.AppendUvarint([]byte{kind}, j.index), body...)
	return m, j
}

// history is a state as it was read.
type history struct {
	journal
	snapshot []byte
	changes  [][]byte
}

// read adds a message to a history.
func (h *history) read(m *actors.Message) error {
	if len(m.Payload) < 2 {
		return fmt.Errorf("%w: message %d is too short", ErrState, m.Sequence)
	}
	index, n := binary.Uvarint(m.Payload[1:])
	body := m.Payload[1+max(n, 0):]
	switch kind := m.Payload[0]; {
	case n <= 0:
		return fmt.Errorf("%w: message %d has no number", ErrState, m.Sequence)
	case kind == recordSnapshot:
		h.snapshot, h.changes = body, nil
		h.records, h.events, h.whole = 0, 0, len(body)
	case kind != recordEvents:
		return fmt.Errorf("%w: message %d is of kind %q", ErrState, m.Sequence, kind)
	case h.records == 0 || index != h.index+1:
		return fmt.Errorf("%w: the one before message %d is missing", ErrState, m.Sequence)
	default:
		h.changes = append(h.changes, body)
		h.events += len(body)
	}
	h.index, h.last = index, m.Sequence
	h.records++
	return nil
}

// loadState reads the state of a consumer. Without one, the history has no messages.
func loadState(ctx context.Context, state *actors.Store, subject string) (h *history, err error) {
	// Whoever has the consumer open may store a snapshot meanwhile, which takes the messages before it away.
	for range 10 {
		h = &history{journal: journal{subject: subject}}
		if err = h.readAll(ctx, state); err == nil || !errors.Is(err, ErrState) {
			return h, err
		}
		last, lastErr := state.LoadLastMsg(ctx, actors.Literal(subject))
		if lastErr != nil || last.Sequence == h.last {
			break
		}
	}
	return nil, err
}

func (h *history) readAll(ctx context.Context, state *actors.Store) error {
	claim, err := state.LoadLastMsg(ctx, actors.Literal(ownerSubject(h.subject)))
	if err != nil && !errors.Is(err, actors.ErrNotFound) && !errors.Is(err, actors.ErrCorrupt) {
		return err
	}
	h.claim = claim.Sequence
	for m, err := range state.Messages(ctx, actors.Literal(h.subject)) {
		if errors.Is(err, actors.ErrCorrupt) {
			return fmt.Errorf("%w: %w", ErrState, err)
		}
		if err != nil {
			return err
		}
		if err := h.read(&m); err != nil {
			return err
		}
	}
	return nil
}

// rebuild returns the state machine of a history, with its configuration.
func (h *history) rebuild() (*cursor.Cursor, stored, error) {
	c, has, err := h.replay()
	if err != nil && !errors.Is(err, ErrState) {
		err = fmt.Errorf("%w: %w", ErrState, err)
	}
	return c, has, err
}

func (h *history) replay() (c *cursor.Cursor, has stored, err error) {
	// Whether order is kept, which never changes, is in the configuration that comes with the state.
	if c, err = cursor.Restore(cursor.Settings{}, h.snapshot); err != nil {
		return nil, has, err
	}
	if has, err = parseStored(c.Config()); err != nil {
		return nil, has, err
	}
	if c, err = cursor.Restore(has.settings(), h.snapshot); err != nil {
		return nil, has, err
	}
	for _, events := range h.changes {
		if err := c.Replay(events); err != nil {
			return nil, has, err
		}
	}
	if has, err = parseStored(c.Config()); err != nil {
		return nil, has, err
	}
	c.Settings = has.settings()
	return c, has, nil
}
