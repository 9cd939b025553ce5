package peers

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TTLStore holds messages that go when their time is over.
type TTLStore interface {
	ScanStore
	// TTLPipeline is Pipeline for messages of which each lives for so many seconds. Where the store was opened
	// without TTLs, the same bytes are stored, and the messages stay.
	TTLPipeline() TTLPipeline
	// Count returns how many messages there are.
	Count(ctx context.Context) (uint64, error)
}

// TTLPipeline is a Pipeline of messages that each have a TTL.
type TTLPipeline interface {
	Submit(ctx context.Context, message Message, seconds int) error
	Drain(ctx context.Context) error
}

// The names of headers of one length: one that is a TTL, and one that says nothing.
const (
	ttlHeader   = "Nats-TTL"
	otherHeader = "Not-TTLs"
)

// NATSTTL is the file store of nats-server, with TTLs or without.
func NATSTTL(mode NATSMode, ttls bool) Peer {
	return natsConfigured(mode, server.StreamConfig{AllowMsgTTL: ttls}, NoLimits)
}

// MillraceTTL is the store of this repository, with TTLs or without.
func MillraceTTL(level Level, ttls bool) Peer {
	config := actors.Config{AllowMsgTTL: actors.Off}
	if ttls {
		config.AllowMsgTTL = actors.On
	}
	return millracePeer(level, config)
}

func (n *natsStore) TTLPipeline() TTLPipeline {
	return &natsTTLs{store: n, headers: make(map[int][]byte)}
}

func (n *natsStore) Count(context.Context) (uint64, error) {
	var state server.StreamState
	fileStoreFastState(n.store, &state)
	return state.Msgs, nil
}

type natsTTLs struct {
	store   *natsStore
	headers map[int][]byte
}

func (p *natsTTLs) Submit(_ context.Context, message Message, seconds int) error {
	header, name := p.headers[seconds], otherHeader
	if header == nil {
		if p.store.ttls {
			name = ttlHeader
		}
		header = fmt.Appendf(nil, "NATS/1.0\r\n%s: %ds\r\n\r\n", name, seconds)
		p.headers[seconds] = header
	}
	ttl := int64(0)
	if p.store.ttls {
		ttl = int64(seconds)
	}
	_, _, err := fileStoreStoreMsg(p.store.store, message.Subject, header, message.Payload, ttl)
	return err
}

func (p *natsTTLs) Drain(context.Context) error { return nil }

func (m *millraceStore) TTLPipeline() TTLPipeline {
	name := otherHeader
	if m.ttls {
		name = ttlHeader
	}
	return &millraceTTLs{m.pipeline(), name, make(map[int]actors.Header)}
}

func (m *millraceStore) Count(ctx context.Context) (uint64, error) {
	state, err := m.store.FastState(ctx)
	return state.Messages, err
}

type millraceTTLs struct {
	*millracePipeline
	name    string
	headers map[int]actors.Header
}

func (p *millraceTTLs) Submit(ctx context.Context, message Message, seconds int) error {
	header := p.headers[seconds]
	if header == nil {
		header = actors.Header{p.name: {(time.Duration(seconds) * time.Second).String()}}
		p.headers[seconds] = header
	}
	_, err := p.millracePipeline.pipeline.Store(ctx, message.Subject, header, message.Payload)
	return err
}
