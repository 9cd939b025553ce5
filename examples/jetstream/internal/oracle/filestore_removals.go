package oracle

import (
	"unsafe"

	"github.com/nats-io/nats-server/v2/server"
)

//go:linkname fileStoreSkipMsgs github.com/nats-io/nats-server/v2/server.(*fileStore).SkipMsgs
func fileStoreSkipMsgs(store unsafe.Pointer, sequence, count uint64) error

//go:linkname fileStoreRemoveMsg github.com/nats-io/nats-server/v2/server.(*fileStore).RemoveMsg
func fileStoreRemoveMsg(store unsafe.Pointer, sequence uint64) (bool, error)

//go:linkname fileStorePurge github.com/nats-io/nats-server/v2/server.(*fileStore).Purge
func fileStorePurge(store unsafe.Pointer) (uint64, error)

//go:linkname fileStorePurgeEx github.com/nats-io/nats-server/v2/server.(*fileStore).PurgeEx
func fileStorePurgeEx(store unsafe.Pointer, subject string, sequence, keep uint64) (uint64, error)

//go:linkname fileStoreCompact github.com/nats-io/nats-server/v2/server.(*fileStore).Compact
func fileStoreCompact(store unsafe.Pointer, sequence uint64) (uint64, error)

//go:linkname fileStoreTruncate github.com/nats-io/nats-server/v2/server.(*fileStore).Truncate
func fileStoreTruncate(store unsafe.Pointer, sequence uint64) error

//go:linkname fileStoreUpdateConfig github.com/nats-io/nats-server/v2/server.(*fileStore).UpdateConfig
func fileStoreUpdateConfig(store unsafe.Pointer, config *server.StreamConfig) error

//go:linkname fileStoreFastState github.com/nats-io/nats-server/v2/server.(*fileStore).FastState
func fileStoreFastState(store unsafe.Pointer, state *server.StreamState)

//go:linkname fileStoreState github.com/nats-io/nats-server/v2/server.(*fileStore).State
func fileStoreState(store unsafe.Pointer) server.StreamState

//go:linkname fileStoreSubjectsState github.com/nats-io/nats-server/v2/server.(*fileStore).SubjectsState
func fileStoreSubjectsState(store unsafe.Pointer, filter string) map[string]server.SimpleState

// Skip uses up count sequences without a message.
func (s *LoneStore) Skip(count uint64) error { return fileStoreSkipMsgs(s.store, 0, count) }

// Remove removes a message.
func (s *LoneStore) Remove(sequence uint64) (bool, error) {
	return fileStoreRemoveMsg(s.store, sequence)
}

// Purge removes all messages.
func (s *LoneStore) Purge() (uint64, error) { return fileStorePurge(s.store) }

// PurgeEx removes what a filter selects below a sequence (0: any), but for the newest keep.
func (s *LoneStore) PurgeEx(filter string, below, keep uint64) (uint64, error) {
	return fileStorePurgeEx(s.store, filter, below, keep)
}

// Compact removes all messages below a sequence.
func (s *LoneStore) Compact(below uint64) (uint64, error) { return fileStoreCompact(s.store, below) }

// Truncate removes all messages above a sequence, which has one.
func (s *LoneStore) Truncate(sequence uint64) error { return fileStoreTruncate(s.store, sequence) }

// UpdateConfig changes the limits.
func (s *LoneStore) UpdateConfig(config server.StreamConfig) error {
	return fileStoreUpdateConfig(s.store, &config)
}

// State is the state with the list of deleted sequences.
func (s *LoneStore) State() server.StreamState { return fileStoreState(s.store) }

// FastState is the state without that list, which has an entry for each of them.
func (s *LoneStore) FastState() (state server.StreamState) {
	fileStoreFastState(s.store, &state)
	return state
}

// Subjects is the state of each subject.
func (s *LoneStore) Subjects() map[string]server.SimpleState {
	return fileStoreSubjectsState(s.store, ">")
}
