package main

import (
	"context"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
)

// A publishAll asks a topic actor to store all of its messages or none, for a goroutine.
type publishAll struct {
	messages []actors.BatchMessage
	done     chan<- batchResult // one slot
}

type batchResult struct {
	ack actors.BatchAck
	err error
}

func (m *publishAll) fail(err error) { m.done <- batchResult{err: err} }

// IgnoreDeadLetterLogging keeps the payload out of the library's log.
func (*publishAll) IgnoreDeadLetterLogging() {}

// PublishBatch stores all of the messages or none, and returns when they are durable. Errors are as of Publish.
func (t *Topic) PublishBatch(ctx context.Context, messages []actors.BatchMessage) (actors.BatchAck, error) {
	answers := make(chan batchResult, 1)
	t.system.Root.Send(t.pid, &publishAll{messages: messages, done: answers})
	answer, err := await(ctx, t.gone, answers)
	if err != nil {
		return actors.BatchAck{}, t.unanswered(err)
	}
	return answer.ack, answer.err
}

// publishBatch passes a goroutine's batch on, unless too much is under way.
func (t *topicActor) publishBatch(ctx actor.Context, m *publishAll) {
	if t.take(m) {
		sendToStore(ctx, t.store, &actors.StoreBatchRequest{Messages: m.messages, Tag: m})
	}
}

func (t *topicActor) batchStored(ctx actor.Context, m *actors.StoreBatchReply) {
	asked, ours := m.Tag.(*publishAll)
	if !ours || !t.answered(asked) {
		return
	}
	bytes := uint64(0)
	for i := range asked.messages {
		bytes += uint64(len(asked.messages[i].Subject) + len(asked.messages[i].Payload))
	}
	t.notes.note(m.Err, bytes)
	asked.done <- batchResult{ack: m.Ack, err: m.Err}
	t.closeWhenIdle(ctx)
}
