package actors

import (
	"fmt"
	"time"

	"github.com/seed-d8b58eba/millrace/actors/internal/read"
	"github.com/seed-d8b58eba/millrace/engine"
)

type (
	// StoreRequest stores one message. Reply: *StoreReply.
	StoreRequest struct {
		Subject string
		Header  Header
		Payload []byte
		// ExpectLast, if not nil, refuses the message with ErrSequenceMismatch
		// unless the last sequence is this one.
		ExpectLast *uint64
		Options    []StoreOption
		Tag        any
	}
	// StoreReply answers StoreRequest and StoreRawRequest.
	StoreReply struct {
		Ack Ack
		Err error
		Tag any
	}

	// StoreRawRequest stores one message with its own sequence and time. Reply:
	// *StoreReply.
	StoreRawRequest struct {
		Message RawMessage
		Tag     any
	}
)

// IgnoreDeadLetterLogging keeps payload out of the actor library's log.
func (*StoreRequest) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging keeps payload out of the actor library's log.
func (*StoreRawRequest) IgnoreDeadLetterLogging() {}

func (m *StoreRequest) fill(o *op) error {
	err := o.fillStore(m.Subject, m.Header, m.Payload, m.Options)
	if m.ExpectLast != nil {
		o.store.Precondition = engine.Precondition{ExpectLast: *m.ExpectLast, HasExpectLast: true}
	}
	return err
}

func (m *StoreRequest) answer(r engine.Reply) any {
	return &StoreReply{Ack: ackOf(r), Err: r.Err, Tag: m.Tag}
}

func (m *StoreRawRequest) fill(o *op) error { return o.fillRaw(&m.Message) }

func (m *StoreRawRequest) answer(r engine.Reply) any {
	return &StoreReply{Ack: ackOf(r), Err: r.Err, Tag: m.Tag}
}

// fillStore makes an op store a message, which stays the caller's.
func (o *op) fillStore(subject string, header Header, payload []byte, options []StoreOption) error {
	o.command = &o.store
	if err := ValidSubject(subject); err != nil {
		return err
	}
	header, err := o.takeOptions(header, options)
	if err != nil {
		return err
	}
	if len(header) > 0 {
		if o.scratch, err = header.AppendBlock(o.scratch[:0]); err != nil {
			return err
		}
		o.store.Header = o.scratch
	}
	o.store.Subject, o.store.Payload = subject, payload
	return nil
}

// fillRaw makes an op store a message with a sequence and a time of its own.
func (o *op) fillRaw(m *RawMessage) (err error) {
	c := &o.raw
	o.command = c
	c.Sequence, c.CheckDiscardNew = m.Sequence, m.CheckDiscardNew
	c.Subject, c.Header, c.Payload = m.Subject, m.HeaderBlock, m.Payload
	if c.StampNow = m.StampNow; !m.StampNow {
		c.Time, err = nanoseconds(m.Time)
	}
	return err
}

// nanoseconds returns a time in nanoseconds since the epoch, engine.NoTime for the zero time.
func nanoseconds(t time.Time) (int64, error) {
	switch {
	case t.IsZero():
		return engine.NoTime, nil
	case t.Before(read.FirstTime) || t.After(read.LastTime) || t.UnixNano() == engine.NoTime:
		return 0, fmt.Errorf("%w: %v", ErrBadTime, t)
	}
	return t.UnixNano(), nil
}
