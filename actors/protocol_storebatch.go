package actors

import (
	"fmt"

	"github.com/seed-d8b58eba/millrace/engine"
)

type (
	// StoreBatchRequest stores all of its messages or none. Reply:
	// *StoreBatchReply.
	StoreBatchRequest struct {
		Messages []BatchMessage
		Tag      any
	}
	// StoreBatchReply answers StoreBatchRequest.
	StoreBatchReply struct {
		Ack BatchAck
		Err error
		Tag any
	}
)

// IgnoreDeadLetterLogging keeps payload out of the actor library's log.
func (*StoreBatchRequest) IgnoreDeadLetterLogging() {}

func (m *StoreBatchRequest) fill(o *op) error { return o.fillBatch(m.Messages) }

func (m *StoreBatchRequest) answer(r engine.Reply) any {
	return &StoreBatchReply{Ack: batchAckOf(r), Err: r.Err, Tag: m.Tag}
}

// fillBatch makes an op store a batch, which stays the caller's.
func (o *op) fillBatch(messages []BatchMessage) error {
	c := &o.batch
	o.command = c
	o.scratch = o.scratch[:0]
	for i := range messages {
		m := &messages[i]
		if err := ValidSubject(m.Subject); err != nil {
			return fmt.Errorf("message %d of the batch: %w", i, err)
		}
		c.Messages = append(c.Messages, engine.Message{Subject: m.Subject, Payload: m.Payload})
		if len(m.Header) == 0 && len(m.Options) == 0 {
			continue
		}
		if err := o.fillHeader(&c.Messages[i], m); err != nil {
			return fmt.Errorf("message %d of the batch: %w", i, err)
		}
	}
	return nil
}

// fillHeader gives a message of a batch its header, and what its options say.
func (o *op) fillHeader(own *engine.Message, m *BatchMessage) error {
	all, err := gatherOptions(m.Options)
	if err != nil {
		return err
	}
	all.ofMessage(own)
	if header := all.header(m.Header); len(header) > 0 {
		start := len(o.scratch)
		if o.scratch, err = header.AppendBlock(o.scratch); err != nil {
			return err
		}
		own.Header = o.scratch[start:len(o.scratch):len(o.scratch)]
	}
	return nil
}
