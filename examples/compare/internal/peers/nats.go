package peers

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/nats-io/nats-server/v2/server"
)

// StreamName is the name of the stream that the JetStream stores hold.
const StreamName = "BENCH"

// NATSMode is a way to run the file store of nats-server.
type NATSMode int

const (
	// NATSDefault writes to the file inside each call.
	NATSDefault NATSMode = iota
	// NATSAsync buffers, and lets a flusher write.
	NATSAsync
	// NATSSyncAlways syncs in each call.
	NATSSyncAlways
)

// The constructor and the methods of nats-server's file store are not exported. These are bound to
// them, so that the store is measured without a network, as Millrace is.

//go:linkname newFileStore github.com/nats-io/nats-server/v2/server.newFileStore
func newFileStore(fcfg server.FileStoreConfig, cfg server.StreamConfig) (unsafe.Pointer, error)

//go:linkname newFileStoreWithCreated github.com/nats-io/nats-server/v2/server.newFileStoreWithCreated
func newFileStoreWithCreated(fcfg server.FileStoreConfig, cfg server.StreamConfig, created time.Time, key, oldKey natsKey) (unsafe.Pointer, error)

//go:linkname fileStoreStoreMsg github.com/nats-io/nats-server/v2/server.(*fileStore).StoreMsg
func fileStoreStoreMsg(fs unsafe.Pointer, subject string, header, payload []byte, ttl int64) (uint64, int64, error)

//go:linkname fileStoreLoadNextMsg github.com/nats-io/nats-server/v2/server.(*fileStore).LoadNextMsg
func fileStoreLoadNextMsg(fs unsafe.Pointer, filter string, wildcard bool, start uint64, buffer *natsMessage) (*natsMessage, uint64, error)

//go:linkname fileStoreFlushAllPending github.com/nats-io/nats-server/v2/server.(*fileStore).FlushAllPending
func fileStoreFlushAllPending(fs unsafe.Pointer) error

//go:linkname fileStoreStop github.com/nats-io/nats-server/v2/server.(*fileStore).Stop
func fileStoreStop(fs unsafe.Pointer) error

// natsKey is server.keyGen, which is not exported.
type natsKey = func(context []byte) ([]byte, error)

// natsMessage has the fields of server.StoreMsg, which are not exported. A test compares the two.
type natsMessage struct {
	_        string // subject
	_        []byte // header
	payload  []byte
	_        []byte // buffer
	sequence uint64
	_        int64 // time
}

// NATSVersion is the version of nats-server whose file store is measured.
func NATSVersion() string { return server.VERSION }

// NATS is the file store of nats-server.
func NATS(mode NATSMode) Peer { return natsPeer(mode, server.NoCompression, NoLimits) }

// NATSBounded is the file store of nats-server for a stream that holds at most maxBytes, removes the
// oldest messages to make room, and compresses the blocks that are full with S2.
func NATSBounded(mode NATSMode, maxBytes int64) Peer {
	return natsPeer(mode, server.S2Compression, Limits{MaxMsgs: -1, MaxBytes: maxBytes, MaxMsgsPer: -1})
}

// NATSLimited is the file store of nats-server for a stream that removes the oldest messages, of all or
// of a subject, to stay within limits.
func NATSLimited(mode NATSMode, limits Limits) Peer {
	return natsPeer(mode, server.NoCompression, limits)
}

func natsPeer(mode NATSMode, compression server.StoreCompression, limits Limits) Peer {
	return natsConfigured(mode, server.StreamConfig{Compression: compression}, limits)
}

// natsConfigured is a file store for a stream of which a part of the configuration is given.
func natsConfigured(mode NATSMode, config server.StreamConfig, limits Limits) Peer {
	return natsOpened(mode, config, limits, newFileStore)
}

// natsSealed is natsConfigured with encryption.
func natsSealed(mode NATSMode, config server.StreamConfig, limits Limits) Peer {
	return natsOpened(mode, config, limits, func(fcfg server.FileStoreConfig, cfg server.StreamConfig) (unsafe.Pointer, error) {
		fcfg.Cipher = server.ChaCha
		key := func(context []byte) ([]byte, error) { return keyOf(string(context)) }
		return newFileStoreWithCreated(fcfg, cfg, time.Now(), key, nil)
	})
}

func natsOpened(mode NATSMode, config server.StreamConfig, limits Limits,
	open func(server.FileStoreConfig, server.StreamConfig) (unsafe.Pointer, error)) Peer {
	config.Name, config.Subjects, config.Storage = StreamName, []string{">"}, server.FileStorage
	config.Retention, config.Discard = server.LimitsPolicy, server.DiscardOld
	config.MaxMsgs, config.MaxBytes, config.MaxMsgsPer = limits.MaxMsgs, limits.MaxBytes, limits.MaxMsgsPer
	config.MaxConsumers, config.MaxMsgSize, config.Replicas, config.Duplicates = -1, -1, 1, 2*time.Minute
	name := [...]string{"nats default", "nats async", "nats sync-always"}[mode]
	return Peer{Name: name, Open: func(dir string) (Store, error) {
		store, err := open(
			server.FileStoreConfig{StoreDir: dir, AsyncFlush: mode == NATSAsync, SyncAlways: mode == NATSSyncAlways,
				Compression: config.Compression}, config)
		if err != nil {
			return nil, err
		}
		return &natsStore{store: store, ttls: config.AllowMsgTTL}, nil
	}, StreamDir: func(dir string) string { return dir }}
}

// natsStore is a QueryStore.
type natsStore struct {
	store unsafe.Pointer // a *server.fileStore
	ttls  bool           // the stream takes TTLs
}

func (n *natsStore) Append(_ context.Context, message Message) error {
	_, _, err := fileStoreStoreMsg(n.store, message.Subject, nil, message.Payload, 0)
	return err
}

// Pipeline is the store itself: without sync, its calls return before the message is in the file
// (async) or after a write (default).
func (n *natsStore) Pipeline() Pipeline { return natsPipeline{n} }

type natsPipeline struct{ store *natsStore }

func (p natsPipeline) Submit(ctx context.Context, message Message) error {
	return p.store.Append(ctx, message)
}

func (p natsPipeline) Drain(context.Context) error { return nil }

func (n *natsStore) Scan(context.Context) (messages int, payloadBytes int64, err error) {
	var buffer natsMessage
	for sequence := uint64(1); ; sequence++ {
		message, found, err := fileStoreLoadNextMsg(n.store, ">", true, sequence, &buffer)
		if errors.Is(err, server.ErrStoreEOF) {
			return messages, payloadBytes, nil
		}
		if err != nil {
			return messages, payloadBytes, fmt.Errorf("message %d: %w", sequence, err)
		}
		sequence = found
		messages++
		payloadBytes += int64(len(message.payload))
	}
}

func (n *natsStore) Flush(context.Context) error { return fileStoreFlushAllPending(n.store) }

func (n *natsStore) Close() error { return fileStoreStop(n.store) }
