package peers

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
)

// millraceWindow is how many messages a pipeline has on their way.
const millraceWindow = 4096

// actorSystem is shared by all stores of this process, as in a program that embeds them.
var actorSystem = sync.OnceValue(func() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler)
	}))
})

// StartActorSystem makes the actor system, which a program has before it opens a store.
func StartActorSystem() { actorSystem() }

// Millrace is the store of this repository.
func Millrace(level Level) Peer { return millracePeer(level, actors.Config{}) }

// MillraceBounded holds at most maxBytes and removes the oldest messages to make room.
func MillraceBounded(level Level, maxBytes int64) Peer {
	return millracePeer(level, actors.Config{MaxBytes: maxBytes, Discard: actors.DiscardOld})
}

// MillraceLimited removes the oldest messages, of all or of a subject, to stay within limits.
func MillraceLimited(level Level, limits Limits) Peer {
	return millracePeer(level, actors.Config{
		MaxMsgs: limits.MaxMsgs, MaxBytes: limits.MaxBytes, MaxMsgsPer: limits.MaxMsgsPer, Discard: actors.DiscardOld,
	})
}

// MillraceBlocks begins a new block file at another size than by default.
func MillraceBlocks(level Level, blockSize int64) Peer {
	return millracePeer(level, actors.Config{BlockSize: blockSize})
}

func millracePeer(level Level, config actors.Config) Peer {
	config.Name = StreamName
	config.Sync = map[Level]actors.SyncLevel{
		Durable: actors.SyncAlways, Buffered: actors.SyncNever, Written: actors.SyncInterval,
	}[level]
	streamDir := func(dir string) string { return filepath.Join(dir, StreamName) }
	return Peer{
		Name: "Millrace",
		Open: func(dir string) (Store, error) {
			config := config
			config.Dir = dir
			store, err := actors.Open(context.Background(), actorSystem(), config)
			if err != nil {
				return nil, err
			}
			return &millraceStore{store: store, ttls: config.AllowMsgTTL == actors.On}, nil
		},
		StreamDir: streamDir,
		AwaitIndexes: func(ctx context.Context, dir string) error {
			return awaitIndexes(ctx, streamDir(dir))
		},
	}
}

// millraceStore is a BatchStore and a QueryStore.
type millraceStore struct {
	store   *actors.Store
	ttls    bool      // the stream takes TTLs
	batches sync.Pool // of *[]actors.BatchMessage
}

func (m *millraceStore) Append(ctx context.Context, message Message) error {
	_, err := m.store.StoreMsg(ctx, message.Subject, nil, message.Payload)
	return err
}

func (m *millraceStore) AppendBatch(ctx context.Context, batch []Message) error {
	messages, reused := m.batches.Get().(*[]actors.BatchMessage)
	if !reused {
		messages = new([]actors.BatchMessage)
	}
	defer m.batches.Put(messages)
	*messages = (*messages)[:0]
	for _, message := range batch {
		*messages = append(*messages, actors.BatchMessage{Subject: message.Subject, Payload: message.Payload})
	}
	_, err := m.store.StoreBatch(ctx, *messages)
	return err
}

// Pipeline keeps the first failure; Drain reports it.
func (m *millraceStore) Pipeline() Pipeline { return m.pipeline() }

func (m *millraceStore) pipeline() *millracePipeline {
	p := new(millracePipeline)
	p.pipeline = m.store.Pipeline(millraceWindow, func(result actors.PipelineResult) {
		if result.Err != nil {
			failure := result.Err // its address would put every result on the heap
			p.failure.CompareAndSwap(nil, &failure)
		}
	})
	return p
}

type millracePipeline struct {
	pipeline *actors.Pipeline
	failure  atomic.Pointer[error]
}

func (p *millracePipeline) Submit(ctx context.Context, message Message) error {
	_, err := p.pipeline.Store(ctx, message.Subject, nil, message.Payload)
	return err
}

func (p *millracePipeline) Drain(ctx context.Context) error {
	err := p.pipeline.Wait(ctx)
	if failure := p.failure.Load(); failure != nil {
		err = errors.Join(err, *failure)
	}
	return err
}

func (m *millraceStore) Scan(ctx context.Context) (messages int, payloadBytes int64, err error) {
	for message, err := range m.store.Messages(ctx, actors.From(1), actors.Borrowed()) {
		if err != nil {
			return messages, payloadBytes, err
		}
		messages++
		payloadBytes += int64(len(message.Payload))
	}
	return messages, payloadBytes, nil
}

func (m *millraceStore) Flush(ctx context.Context) error { return m.store.Flush(ctx) }

func (m *millraceStore) Close() error { return m.store.Stop(context.Background()) }
