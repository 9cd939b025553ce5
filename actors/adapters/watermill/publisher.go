package pubsub

import (
	"context"
	"errors"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-d8b58eba/millrace/actors"
)

// Publisher stores messages in the stream.
type Publisher struct {
	pubsub *PubSub
	mu     sync.RWMutex // held for reading by who publishes
	closed bool
}

// Publish stores messages, and returns when they are as durable as the stream's sync level says: all of them or none, also
// across a crash. More than 32 MiB at once is actors.ErrTooLarge. It waits for as long as the context of the first one
// lasts. With actors.ErrOutcomeUnknown they may be stored or not, see Config.Deduplicate.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	switch {
	case p.closed:
		return ErrClosed
	case topic == "":
		return ErrTopic
	case len(messages) == 0:
		return nil
	}
	ctx, subject := messages[0].Context(), topicSubject(topic)
	if len(messages) == 1 {
		return p.one(ctx, subject, messages[0])
	}
	batch := make([]actors.BatchMessage, len(messages))
	for i, m := range messages {
		batch[i] = actors.BatchMessage{Subject: subject, Header: header(m), Payload: m.Payload, Options: p.options(m)}
	}
	_, err := p.pubsub.config.Messages.StoreBatch(ctx, batch)
	if !errors.Is(err, actors.ErrDuplicateInBatch) {
		return err
	}
	// Some of them were published before, and others were not.
	for _, m := range messages {
		if err := p.one(ctx, subject, m); err != nil {
			return err
		}
	}
	return nil
}

// one stores a message.
func (p *Publisher) one(ctx context.Context, subject string, m *message.Message) error {
	_, err := p.pubsub.config.Messages.StoreMsg(ctx, subject, header(m), m.Payload, p.options(m)...)
	return err
}

// options are those of the message.
func (p *Publisher) options(m *message.Message) []actors.StoreOption {
	if !p.pubsub.config.Deduplicate {
		return nil
	}
	return []actors.StoreOption{actors.MsgID(m.UUID)}
}

// Close waits until those who publish are done, and lets nobody publish any more. The streams stay open.
func (p *Publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}
