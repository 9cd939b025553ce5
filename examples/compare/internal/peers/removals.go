package peers

import (
	"context"
	"fmt"
	"unsafe"

	"github.com/seed-d8b58eba/millrace/actors"
)

// Limits are those of a stream that removes old messages; -1 is none.
type Limits struct{ MaxMsgs, MaxBytes, MaxMsgsPer int64 }

// NoLimits are none.
var NoLimits = Limits{MaxMsgs: -1, MaxBytes: -1, MaxMsgsPer: -1}

// RemovalStore removes messages.
type RemovalStore interface {
	ScanStore
	// Remove removes the message of a sequence, which there is.
	Remove(ctx context.Context, sequence uint64) error
	// PurgeSubject removes what a filter selects and returns how many messages there were.
	PurgeSubject(ctx context.Context, filter string) (uint64, error)
	// Compact removes all messages below a sequence and returns how many there were.
	Compact(ctx context.Context, below uint64) (uint64, error)
	// Purge removes all messages and returns how many there were.
	Purge(ctx context.Context) (uint64, error)
}

//go:linkname fileStoreRemoveMsg github.com/nats-io/nats-server/v2/server.(*fileStore).RemoveMsg
func fileStoreRemoveMsg(fs unsafe.Pointer, sequence uint64) (bool, error)

//go:linkname fileStorePurgeEx github.com/nats-io/nats-server/v2/server.(*fileStore).PurgeEx
func fileStorePurgeEx(fs unsafe.Pointer, subject string, sequence, keep uint64) (uint64, error)

//go:linkname fileStoreCompact github.com/nats-io/nats-server/v2/server.(*fileStore).Compact
func fileStoreCompact(fs unsafe.Pointer, sequence uint64) (uint64, error)

//go:linkname fileStorePurge github.com/nats-io/nats-server/v2/server.(*fileStore).Purge
func fileStorePurge(fs unsafe.Pointer) (uint64, error)

func (n *natsStore) Remove(_ context.Context, sequence uint64) error {
	removed, err := fileStoreRemoveMsg(n.store, sequence)
	return notRemoved(sequence, removed, err)
}

func (n *natsStore) PurgeSubject(_ context.Context, filter string) (uint64, error) {
	return fileStorePurgeEx(n.store, filter, 0, 0)
}

func (n *natsStore) Compact(_ context.Context, below uint64) (uint64, error) {
	return fileStoreCompact(n.store, below)
}

func (n *natsStore) Purge(context.Context) (uint64, error) { return fileStorePurge(n.store) }

func (m *millraceStore) Remove(ctx context.Context, sequence uint64) error {
	removed, err := m.store.RemoveMsg(ctx, sequence)
	return notRemoved(sequence, removed, err)
}

func (m *millraceStore) PurgeSubject(ctx context.Context, filter string) (uint64, error) {
	return m.store.PurgeEx(ctx, actors.Filter(filter), 0, 0)
}

func (m *millraceStore) Compact(ctx context.Context, below uint64) (uint64, error) {
	return m.store.Compact(ctx, below)
}

func (m *millraceStore) Purge(ctx context.Context) (uint64, error) { return m.store.Purge(ctx) }

func notRemoved(sequence uint64, removed bool, err error) error {
	if err == nil && !removed {
		err = fmt.Errorf("message %d was not there", sequence)
	}
	return err
}
