package oracle

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"time"
	"unsafe"

	"github.com/nats-io/nats-server/v2/server"
)

//go:linkname newFileStore github.com/nats-io/nats-server/v2/server.newFileStore
func newFileStore(store server.FileStoreConfig, config server.StreamConfig) (unsafe.Pointer, error)

//go:linkname newFileStoreWithCreated github.com/nats-io/nats-server/v2/server.newFileStoreWithCreated
func newFileStoreWithCreated(store server.FileStoreConfig, config server.StreamConfig, created time.Time,
	prf, oldPRF func(context []byte) ([]byte, error)) (unsafe.Pointer, error)

//go:linkname fileStoreStoreMsg github.com/nats-io/nats-server/v2/server.(*fileStore).StoreMsg
func fileStoreStoreMsg(store unsafe.Pointer, subject string, header, payload []byte, ttl int64) (uint64, int64, error)

//go:linkname fileStoreLoadMsg github.com/nats-io/nats-server/v2/server.(*fileStore).LoadMsg
func fileStoreLoadMsg(store unsafe.Pointer, sequence uint64, into *server.StoreMsg) (*server.StoreMsg, error)

//go:linkname fileStoreStop github.com/nats-io/nats-server/v2/server.(*fileStore).Stop
func fileStoreStop(store unsafe.Pointer) error

// LoneStore is the server's store of one stream, without a server around it: it opens in a millisecond.
type LoneStore struct{ store unsafe.Pointer }

// OpenLone opens or makes the directory of a stream.
func OpenLone(dir string, config server.StreamConfig, blockSize uint64) (*LoneStore, error) {
	config.Storage = server.FileStorage
	store, err := newFileStore(server.FileStoreConfig{StoreDir: dir, BlockSize: blockSize}, config)
	if err != nil {
		return nil, fmt.Errorf("oracle: open %s: %w", dir, err)
	}
	return &LoneStore{store}, nil
}

// OpenLoneEncrypted opens the directory of a stream of an account of a server that encrypts with a key.
func OpenLoneEncrypted(dir string, config server.StreamConfig, cipher server.StoreCipher, account, key string) (*LoneStore, error) {
	config.Storage = server.FileStorage
	prf := func(context []byte) ([]byte, error) {
		mac := hmac.New(sha256.New, []byte(key))
		_, _ = mac.Write([]byte(account)) // no hash ever fails
		_, _ = mac.Write(context)
		return mac.Sum(nil), nil
	}
	store, err := newFileStoreWithCreated(server.FileStoreConfig{StoreDir: dir, Cipher: cipher}, config, time.Now(), prf, nil)
	if err != nil {
		return nil, fmt.Errorf("oracle: open %s: %w", dir, err)
	}
	return &LoneStore{store}, nil
}

// Store appends a message.
func (s *LoneStore) Store(subject string, header, payload []byte) (uint64, error) {
	sequence, _, err := fileStoreStoreMsg(s.store, subject, header, payload, 0)
	return sequence, err
}

// Load reads a message.
func (s *LoneStore) Load(sequence uint64) (Stored, error) {
	var into server.StoreMsg
	m, err := fileStoreLoadMsg(s.store, sequence, &into)
	if err != nil {
		return Stored{}, err
	}
	return StoredOf(m), nil
}

// Stop ends the store.
func (s *LoneStore) Stop() error { return fileStoreStop(s.store) }
