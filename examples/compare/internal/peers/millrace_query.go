package peers

import (
	"context"
	"fmt"

	"github.com/seed-d8b58eba/millrace/actors"
)

func (m *millraceStore) Reader() Reader { return &millraceReader{store: m.store} }

type millraceReader struct {
	store  *actors.Store
	buffer actors.MessageBuffer
}

func (r *millraceReader) Load(ctx context.Context, sequence uint64) (payloadBytes int, err error) {
	if err := r.store.LoadMsgInto(ctx, sequence, &r.buffer); err != nil {
		return 0, err
	}
	if r.buffer.Sequence != sequence {
		return 0, fmt.Errorf("message %d: it is %d", sequence, r.buffer.Sequence)
	}
	return len(r.buffer.Payload), nil
}

func (r *millraceReader) LoadLast(ctx context.Context, subject string) (uint64, error) {
	err := r.store.LoadLastMsgInto(ctx, &r.buffer, actors.Literal(subject))
	return r.buffer.Sequence, err
}

func (m *millraceStore) Matching(ctx context.Context, filter string, visit func(uint64) bool) error {
	for message, err := range m.store.Messages(ctx, actors.Filter(filter), actors.Borrowed()) {
		if err != nil {
			return err
		}
		if !visit(message.Sequence) {
			return nil
		}
	}
	return nil
}

func (m *millraceStore) NumPending(ctx context.Context, from uint64, filter string, lastPerSubject bool) (total uint64, err error) {
	if lastPerSubject {
		total, _, err = m.store.NumPendingLastPerSubject(ctx, from, actors.Filter(filter))
	} else {
		total, _, err = m.store.NumPending(ctx, from, actors.Filter(filter))
	}
	return total, err
}

func (m *millraceStore) FilteredState(ctx context.Context, from uint64, filter string) (messages, first, last uint64, err error) {
	state, err := m.store.FilteredState(ctx, from, actors.Filter(filter))
	return state.Messages, state.First, state.Last, err
}

func (m *millraceStore) Range(ctx context.Context) (first, last uint64, err error) {
	state, err := m.store.FastState(ctx)
	return state.FirstSequence, state.LastSequence, err
}
