package peers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"github.com/nats-io/nats-server/v2/server"
)

//go:linkname fileStoreLoadMsg github.com/nats-io/nats-server/v2/server.(*fileStore).LoadMsg
func fileStoreLoadMsg(fs unsafe.Pointer, sequence uint64, buffer *natsMessage) (*natsMessage, error)

//go:linkname fileStoreLoadLastMsg github.com/nats-io/nats-server/v2/server.(*fileStore).LoadLastMsg
func fileStoreLoadLastMsg(fs unsafe.Pointer, subject string, buffer *natsMessage) (*natsMessage, error)

//go:linkname fileStoreNumPending github.com/nats-io/nats-server/v2/server.(*fileStore).NumPending
func fileStoreNumPending(fs unsafe.Pointer, from uint64, filter string, lastPerSubject bool) (total, validThrough uint64, err error)

//go:linkname fileStoreFilteredState github.com/nats-io/nats-server/v2/server.(*fileStore).FilteredState
func fileStoreFilteredState(fs unsafe.Pointer, from uint64, filter string) (server.SimpleState, error)

//go:linkname fileStoreFastState github.com/nats-io/nats-server/v2/server.(*fileStore).FastState
func fileStoreFastState(fs unsafe.Pointer, into *server.StreamState)

func (n *natsStore) Reader() Reader { return &natsReader{store: n.store} }

type natsReader struct {
	store  unsafe.Pointer
	buffer natsMessage
}

func (r *natsReader) Load(_ context.Context, sequence uint64) (payloadBytes int, err error) {
	message, err := fileStoreLoadMsg(r.store, sequence, &r.buffer)
	if err != nil {
		return 0, fmt.Errorf("message %d: %w", sequence, err)
	}
	if message.sequence != sequence {
		return 0, fmt.Errorf("message %d: it is %d", sequence, message.sequence)
	}
	return len(message.payload), nil
}

func (r *natsReader) LoadLast(_ context.Context, subject string) (uint64, error) {
	message, err := fileStoreLoadLastMsg(r.store, subject, &r.buffer)
	if err != nil {
		return 0, fmt.Errorf("subject %q: %w", subject, err)
	}
	return message.sequence, nil
}

func (n *natsStore) Matching(ctx context.Context, filter string, visit func(uint64) bool) error {
	_, last, err := n.Range(ctx)
	if err != nil {
		return err
	}
	wildcard := strings.ContainsAny(filter, "*>")
	var buffer natsMessage
	for sequence := uint64(1); sequence <= last; {
		_, found, err := fileStoreLoadNextMsg(n.store, filter, wildcard, sequence, &buffer)
		if errors.Is(err, server.ErrStoreEOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the match from %d on: %w", sequence, err)
		}
		if found > last || !visit(found) {
			return nil
		}
		sequence = found + 1
	}
	return nil
}

func (n *natsStore) NumPending(_ context.Context, from uint64, filter string, lastPerSubject bool) (uint64, error) {
	total, _, err := fileStoreNumPending(n.store, from, filter, lastPerSubject)
	return total, err
}

func (n *natsStore) FilteredState(_ context.Context, from uint64, filter string) (messages, first, last uint64, err error) {
	state, err := fileStoreFilteredState(n.store, from, filter)
	return state.Msgs, state.First, state.Last, err
}

func (n *natsStore) Range(context.Context) (first, last uint64, err error) {
	var state server.StreamState
	fileStoreFastState(n.store, &state)
	return state.FirstSeq, state.LastSeq, nil
}
