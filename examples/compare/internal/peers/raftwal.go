package peers

import (
	"context"
	"sync"

	"github.com/hashicorp/raft"
	raftwal "github.com/hashicorp/raft-wal"
)

// RaftWAL is the write-ahead log of HashiCorp's raft. It allows one appender at a time, as raft has,
// so that callers take turns.
func RaftWAL() Peer {
	return Peer{Name: "raft-wal", Open: func(dir string) (Store, error) {
		log, err := raftwal.Open(dir)
		if err != nil {
			return nil, err
		}
		return &raftWALStore{log: log}, nil
	}}
}

type raftWALStore struct {
	mu      sync.Mutex
	log     *raftwal.WAL
	last    uint64
	entries []*raft.Log // reused
}

func (r *raftWALStore) Append(ctx context.Context, message Message) error {
	return r.AppendBatch(ctx, []Message{message})
}

func (r *raftWALStore) AppendBatch(_ context.Context, batch []Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = r.entries[:0]
	for i, message := range batch {
		data := make([]byte, 0, len(message.Subject)+len(message.Payload))
		data = append(append(data, message.Subject...), message.Payload...)
		r.entries = append(r.entries, &raft.Log{Index: r.last + 1 + uint64(i), Term: 1, Data: data})
	}
	if err := r.log.StoreLogs(r.entries); err != nil {
		return err
	}
	r.last += uint64(len(batch))
	return nil
}

func (r *raftWALStore) Close() error { return r.log.Close() }
