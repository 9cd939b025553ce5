package protoactor

import (
	"context"
	"errors"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// snapshot is what is stored of one.
type snapshot struct {
	sequence uint64
	index    int    // of the first event that is not in it
	from     uint64 // the sequence from which on that is
	kind     string
	payload  []byte
}

// lastSnapshot loads the snapshot of an actor, or returns actors.ErrNotFound.
func (p *Provider) lastSnapshot(ctx context.Context, name string) (found snapshot, err error) {
	message, err := p.store.LoadLastMsg(ctx, actors.Literal(p.snapshotSubject(name)))
	if err != nil {
		return found, err
	}
	header, err := message.Header()
	if err != nil {
		return found, err
	}
	index, err := headerNumber(header, indexHeader)
	if err != nil {
		return found, err
	}
	from, err := headerNumber(header, fromHeader)
	if err != nil {
		return found, err
	}
	return snapshot{message.Sequence, int(index), from, header.Get(typeHeader), message.Payload}, nil
}

// GetSnapshot returns the snapshot of an actor, and the index of the first event that is not in it.
func (s *state) GetSnapshot(name string) (message any, index int, ok bool) {
	p := s.provider
	p.attempt("GetSnapshot", name, 0, func(ctx context.Context) error {
		found, err := p.lastSnapshot(ctx, name)
		damage := new(blockio.CorruptionError)
		if errors.Is(err, actors.ErrNotFound) || p.acceptLoss && errors.As(err, &damage) {
			return nil
		}
		if err != nil {
			return err
		}
		message, err = p.codec.Decode(found.kind, found.payload)
		index, ok = found.index, err == nil
		return err
	})
	return message, index, ok
}

// PersistSnapshot stores a snapshot in the place of the one before: a crash leaves one of them. The events that are in it
// stay, unless Config.DeleteEvents says otherwise; a crash may leave some of those.
func (s *state) PersistSnapshot(name string, index int, message proto.Message) {
	p := s.provider
	p.attempt("PersistSnapshot", name, index, func(ctx context.Context) error {
		kind, payload, err := p.codec.Encode(message)
		if err != nil {
			return err
		}
		_, err = p.store.StoreMsg(ctx, p.snapshotSubject(name), actors.Header{
			typeHeader: {kind}, indexHeader: {strconv.Itoa(index)}, fromHeader: {strconv.FormatUint(s.eventsFrom(name, index), 10)},
		}, payload, actors.Rollup(actors.RollupSubject))
		return err
	})
	if p.deleteEvents {
		s.DeleteEvents(name, index-1)
	}
}

// eventsFrom is a sequence at or before that of the event with an index, which may be there already: the mixin asks for
// a snapshot between storing an event and counting it.
func (s *state) eventsFrom(name string, index int) uint64 {
	at, ok := s.known(name)
	switch {
	case !ok || at.sequence == 0:
		return 0
	case at.next == index:
		return at.sequence + 1
	case at.next == index+1:
		return at.sequence
	}
	return 0
}

// DeleteSnapshots removes the snapshot of an actor if it is of an index up to one.
func (s *state) DeleteSnapshots(name string, through int) {
	p := s.provider
	p.attempt("DeleteSnapshots", name, through, func(ctx context.Context) error {
		found, err := p.lastSnapshot(ctx, name)
		if errors.Is(err, actors.ErrNotFound) {
			return nil
		}
		if err != nil || found.index > through {
			return err
		}
		_, err = p.store.PurgeEx(ctx, actors.Literal(p.snapshotSubject(name)), found.sequence+1, 0)
		return err
	})
}
