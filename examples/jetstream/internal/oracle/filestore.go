package oracle

import (
	"fmt"
	"unsafe"

	"github.com/nats-io/nats-server/v2/server"
)

// How the server finds a stream, what the stream's store is, and how a stream is made with a block
// size of the caller's are not exported. These are bound to them.

//go:linkname accountLookupStream github.com/nats-io/nats-server/v2/server.(*Account).lookupStream
func accountLookupStream(account *server.Account, name string) (unsafe.Pointer, error)

//go:linkname accountAddStreamWithStore github.com/nats-io/nats-server/v2/server.(*Account).addStreamWithStore
func accountAddStreamWithStore(account *server.Account, config *server.StreamConfig,
	store *server.FileStoreConfig) (unsafe.Pointer, error)

//go:linkname streamStore github.com/nats-io/nats-server/v2/server.(*stream).Store
func streamStore(stream unsafe.Pointer) server.StreamStore

// FileStore is the store that the running server uses for a stream. It is good until Stop.
func (s *Server) FileStore(stream string) (server.StreamStore, error) {
	found, err := accountLookupStream(s.server.GlobalAccount(), stream)
	if err != nil {
		return nil, fmt.Errorf("oracle: stream %s: %w", stream, err)
	}
	return streamStore(found), nil
}

// CreateStream makes a new stream whose blocks have a size that no client can ask for.
func (s *Server) CreateStream(config server.StreamConfig, blockSize uint64) error {
	config.Storage = server.FileStorage
	_, err := accountAddStreamWithStore(s.server.GlobalAccount(), &config, &server.FileStoreConfig{BlockSize: blockSize})
	if err != nil {
		return fmt.Errorf("oracle: create stream %s: %w", config.Name, err)
	}
	return nil
}

// storedMessage has the fields of server.StoreMsg, which are not exported. A test compares the two.
type storedMessage struct {
	subject  string
	header   []byte
	payload  []byte
	_        []byte // buffer
	sequence uint64
	nanos    int64
}

// Stored is a message of the server's store. It shares the store's memory.
type Stored struct {
	Subject  string
	Header   []byte
	Payload  []byte
	Sequence uint64
	Nanos    int64
}

// StoredOf shows what is in a message of the store.
func StoredOf(message *server.StoreMsg) Stored {
	m := (*storedMessage)(unsafe.Pointer(message))
	return Stored{Subject: m.subject, Header: m.header, Payload: m.payload, Sequence: m.sequence, Nanos: m.nanos}
}
