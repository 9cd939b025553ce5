package oracle

import "unsafe"

//go:linkname fileStoreEncodedStreamState github.com/nats-io/nats-server/v2/server.(*fileStore).EncodedStreamState
func fileStoreEncodedStreamState(store unsafe.Pointer, failed uint64) ([]byte, error)

// EncodedState returns the state of the stream as servers send it to each other.
func (s *LoneStore) EncodedState(failed uint64) ([]byte, error) {
	return fileStoreEncodedStreamState(s.store, failed)
}
