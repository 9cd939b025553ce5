package protoactor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/asynkron/protoactor-go/persistence"
	"google.golang.org/protobuf/proto"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// state is the persistence.ProviderState of an actor, or of several.
type state struct {
	provider *Provider

	mu   sync.Mutex
	last map[string]position // of actors whose last event is known
}

// position is where the last event of an actor is. Without events the sequence is 0, and next is known only if something
// else has said so.
type position struct {
	sequence uint64
	next     int // the index of the next event; anyIndex when nobody knows
}

// anyIndex is the next index of an actor of which there is no event: events may have been deleted.
const anyIndex = -1

var _ persistence.ProviderState = (*state)(nil)

// Restart waits until the stream takes writes, and forgets where the last events are: an actor starts, and looks. While a
// stream that has failed recovers, nobody knows what of the work that was under way will be there, so that an actor which
// was restarted for such a failure would not get all of its events.
func (s *state) Restart() {
	s.provider.attempt("Restart", "", 0, s.provider.store.Ready)
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.last)
}

// GetSnapshotInterval returns after how many events a snapshot is asked for.
func (s *state) GetSnapshotInterval() int { return s.provider.interval }

// known returns where the last event of an actor is, if that is known.
func (s *state) known(name string) (position, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.last[name]
	return at, ok
}

func (s *state) know(name string, at position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[name] = at
}

// PersistEvent stores an event, and returns when it is as durable as the stream's sync level says.
func (s *state) PersistEvent(name string, index int, event proto.Message) {
	p, tried := s.provider, false
	p.attempt("PersistEvent", name, index, func(ctx context.Context) error {
		kind, payload, err := p.codec.Encode(event)
		if err != nil {
			return err
		}
		err = s.store(ctx, name, stored{index, kind, payload}, tried)
		tried = tried || errors.Is(err, actors.ErrOutcomeUnknown)
		return err
	})
}

// stored is an event as it is stored.
type stored struct {
	index   int
	kind    string
	payload []byte
}

// store stores an event behind the last one. When it was tried before, and nobody knows how that ended, the event itself
// may be the last one.
func (s *state) store(ctx context.Context, name string, event stored, tried bool) error {
	subject := s.provider.eventSubject(name)
	header := actors.Header{typeHeader: {event.kind}, indexHeader: {strconv.Itoa(event.index)}}
	at, ok := s.known(name)
	for {
		if ok && at.next != anyIndex && event.index != at.next {
			return indexError(event.index, at.next)
		}
		if ok {
			ack, err := s.provider.store.StoreMsg(ctx, subject, header, event.payload, actors.ExpectLastOfSubject(subject, at.sequence))
			if err == nil {
				s.know(name, position{ack.Sequence, event.index + 1})
				return nil
			}
			if !errors.Is(err, actors.ErrSequenceMismatch) {
				return err
			}
		}
		found, last, err := s.look(ctx, name)
		switch {
		case err != nil:
			return err
		case tried && last.index == event.index && last.kind == event.kind && bytes.Equal(last.payload, event.payload):
			s.know(name, found)
			return nil
		case ok && found == at:
			return ErrConflict // somebody else stores and deletes events all the time
		}
		at, ok = found, true
	}
}

// indexError says why an event cannot have an index.
func indexError(index, next int) error {
	if index < next {
		return fmt.Errorf("%w: there are events up to index %d", ErrConflict, next-1)
	}
	return fmt.Errorf("%w: the next one has index %d", ErrGap, next)
}

// look finds the last event of an actor.
func (s *state) look(ctx context.Context, name string) (at position, last stored, err error) {
	message, err := s.provider.store.LoadLastMsg(ctx, actors.Literal(s.provider.eventSubject(name)))
	if errors.Is(err, actors.ErrNotFound) {
		return position{0, anyIndex}, stored{index: anyIndex}, nil
	}
	if err != nil {
		return at, last, err
	}
	last, err = storedEvent(&message)
	return position{message.Sequence, last.index + 1}, last, err
}

// storedEvent reads the headers of a message.
func storedEvent(message *actors.Message) (event stored, err error) {
	header, err := message.Header()
	if err != nil {
		return event, err
	}
	index, err := headerNumber(header, indexHeader)
	return stored{int(index), header.Get(typeHeader), message.Payload}, err
}

// GetEvents gives the events from one index up to another, which is not among them, or all from there on if that is 0.
// They have to follow each other without a gap.
func (s *state) GetEvents(name string, from, to int, callback func(event any)) {
	if err := s.replay(context.Background(), name, from, to, callback); err != nil {
		panic(&Error{Op: "GetEvents", Actor: name, Index: from, Err: err})
	}
}

// replay is GetEvents. It is not tried again: a part of the events has been given when it fails.
//
// A damaged stretch of the stream, of which nobody knows what it held, has held none of the actor's events if the next one
// follows the one before. Behind the last one it may have.
func (s *state) replay(ctx context.Context, name string, from, to int, callback func(event any)) error {
	next, at, suspect := from, position{0, anyIndex}, error(nil)
	for message, err := range s.provider.store.Messages(ctx, actors.From(s.start(ctx, name, from)),
		actors.Literal(s.provider.eventSubject(name)), actors.Borrowed()) {
		if damage := new(blockio.CorruptionError); errors.As(err, &damage) {
			suspect = err
			continue
		}
		if err != nil {
			return err
		}
		found, err := storedEvent(&message)
		if err != nil {
			return err
		}
		at = position{message.Sequence, found.index + 1}
		switch {
		case found.index < from:
			suspect = nil
			continue
		case found.index > next:
			return errors.Join(fmt.Errorf("%w: index %d comes where %d should", ErrGap, found.index, next), suspect)
		case found.index < next:
			return fmt.Errorf("%w: index %d comes where %d should", ErrConflict, found.index, next)
		case to > 0 && found.index >= to:
			return nil
		}
		event, err := s.provider.codec.Decode(found.kind, found.payload)
		if err != nil {
			return err
		}
		suspect = nil
		next++
		callback(event)
	}
	if suspect != nil && !s.provider.acceptLoss {
		return suspect
	}
	at.next = max(at.next, from) // where there are no events from there on, or none at all, a snapshot has all before
	s.know(name, at)
	return nil
}

// start is the sequence from which on the events of an actor are that begin with an index: what the snapshot says if it
// is of that index, and otherwise the first.
func (s *state) start(ctx context.Context, name string, from int) uint64 {
	if from == 0 {
		return 0
	}
	snapshot, err := s.provider.lastSnapshot(ctx, name)
	if err != nil || snapshot.index != from {
		return 0
	}
	return snapshot.from
}

// DeleteEvents removes the events up to an index.
func (s *state) DeleteEvents(name string, through int) {
	p := s.provider
	p.attempt("DeleteEvents", name, through, func(ctx context.Context) error {
		below, err := s.behind(ctx, name, through)
		if err != nil || below == 0 {
			return err
		}
		_, err = p.store.PurgeEx(ctx, actors.Literal(p.eventSubject(name)), below, 0)
		if at, ok := s.known(name); err == nil && ok && at.sequence < below {
			s.know(name, position{0, at.next})
		}
		return err
	})
}

// behind returns a sequence between those of the event with an index and of the next one, 0 when there is no event up to
// that index.
func (s *state) behind(ctx context.Context, name string, index int) (uint64, error) {
	if sequence := s.eventsFrom(name, index+1); sequence > 0 {
		return sequence, nil
	}
	below := uint64(0)
	for message, err := range s.provider.store.Messages(ctx, actors.Literal(s.provider.eventSubject(name)), actors.Borrowed(), actors.PassDamage()) {
		if err != nil {
			return 0, err
		}
		event, err := storedEvent(&message)
		if err != nil {
			return 0, err
		}
		if event.index > index {
			break
		}
		below = message.Sequence + 1
	}
	return below, nil
}
