package peers

import (
	"context"
	"encoding/binary"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// pebbleMemTableBytes is large, so that the log and not flushing is what is measured.
const pebbleMemTableBytes = 64 << 20

// Pebble is the key-value store of CockroachDB. The key is a sequence, the value the subject and
// the payload; each Set is synced to its log, together with those of other callers.
func Pebble() Peer {
	return Peer{Name: "pebble", Open: func(dir string) (Store, error) {
		db, err := pebble.Open(dir, &pebble.Options{
			MemTableSize: pebbleMemTableBytes, MemTableStopWritesThreshold: 4, Logger: quiet{},
		})
		if err != nil {
			return nil, err
		}
		return &pebbleStore{db: db}, nil
	}}
}

// quiet drops what pebble would log about opening and closing. Its errors come as values too.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, _ ...any) {
	panic("pebble: " + format)
}

type pebbleStore struct {
	db   *pebble.DB
	last atomic.Uint64
}

func (p *pebbleStore) Append(_ context.Context, message Message) error {
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], p.last.Add(1))
	value := make([]byte, 0, len(message.Subject)+len(message.Payload))
	value = append(append(value, message.Subject...), message.Payload...)
	return p.db.Set(key[:], value, pebble.Sync)
}

func (p *pebbleStore) AppendBatch(_ context.Context, batch []Message) error {
	writes := p.db.NewBatch()
	defer func() { _ = writes.Close() }() // it is committed, or its error is returned
	var key [8]byte
	first := p.last.Add(uint64(len(batch))) - uint64(len(batch)) + 1
	for i, message := range batch {
		binary.BigEndian.PutUint64(key[:], first+uint64(i))
		set := writes.SetDeferred(len(key), len(message.Subject)+len(message.Payload))
		copy(set.Key, key[:])
		copy(set.Value[copy(set.Value, message.Subject):], message.Payload)
		if err := set.Finish(); err != nil {
			return err
		}
	}
	return writes.Commit(pebble.Sync)
}

func (p *pebbleStore) Close() error { return p.db.Close() }
