package peers

import (
	"context"
	"path/filepath"
	"sync"

	tidwall "github.com/tidwall/wal"
)

// Tidwall is the tidwall/wal log, synced at each write. Callers take turns.
func Tidwall() Peer {
	return Peer{Name: "tidwall/wal", Open: func(dir string) (Store, error) {
		log, err := tidwall.Open(filepath.Join(dir, "log"), nil)
		if err != nil {
			return nil, err
		}
		return &tidwallStore{log: log}, nil
	}}
}

type tidwallStore struct {
	mu    sync.Mutex
	log   *tidwall.Log
	last  uint64
	batch tidwall.Batch
	entry []byte // reused
}

func (t *tidwallStore) Append(ctx context.Context, message Message) error {
	return t.AppendBatch(ctx, []Message{message})
}

func (t *tidwallStore) AppendBatch(_ context.Context, batch []Message) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.batch.Clear()
	for i, message := range batch {
		t.entry = append(append(t.entry[:0], message.Subject...), message.Payload...)
		t.batch.Write(t.last+1+uint64(i), t.entry)
	}
	if err := t.log.WriteBatch(&t.batch); err != nil {
		return err
	}
	t.last += uint64(len(batch))
	return nil
}

func (t *tidwallStore) Close() error { return t.log.Close() }
