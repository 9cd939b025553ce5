package consumer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
)

// Consumer is an open consumer. Its methods are safe for any number of goroutines.
type Consumer struct {
	*shared
	pid *actor.PID
}

// PID returns the actor of the consumer, for PullRequest and the other messages.
func (c *Consumer) PID() *actor.PID { return c.pid }

// Name returns the name of the consumer and of its stream.
func (c *Consumer) Name() Name { return Name{c.source.Name(), c.name} }

// Done returns a channel that is closed when the consumer has stopped. Err says then why: nil when it was asked to.
func (c *Consumer) Done() <-chan struct{} { return c.gone }

// Err returns why the consumer has stopped by itself: ErrStreamStopped, ErrTaken, ErrState; nil while it has not.
func (c *Consumer) Err() error {
	select {
	case <-c.gone:
		return c.final
	default:
		return nil
	}
}

// Pull is what Consumer.Pull asks for: the fields of PullRequest.
type Pull struct {
	Batch    int
	MaxBytes int
	Expires  time.Duration
}

// Pull returns messages: see PullRequest. Without any, and without an error, there were none in time. When the context ends
// first, messages that were being delivered come again at once.
func (c *Consumer) Pull(ctx context.Context, p Pull) ([]Delivery, error) {
	reply, err := c.ask(ctx, &PullRequest{Batch: p.Batch, MaxBytes: p.MaxBytes, Expires: p.Expires})
	if err != nil {
		return nil, err
	}
	r := reply.(*PullReply)
	return r.Deliveries, r.Err
}

// Ack says that deliveries are done, and returns when that is durable. ErrNotPending, with the tokens of all others
// being taken, says that some were settled before: after ErrOutcomeUnknown that is what to hope for.
func (c *Consumer) Ack(ctx context.Context, tokens ...Token) error {
	_, err := c.Settle(ctx, SettleRequest{Verdict: Ack, Tokens: tokens})
	return err
}

// Nak says that deliveries could not be handled: the messages come again after a delay.
func (c *Consumer) Nak(ctx context.Context, delay time.Duration, tokens ...Token) error {
	_, err := c.Settle(ctx, SettleRequest{Verdict: Nak, Tokens: tokens, Delay: delay})
	return err
}

// InProgress says that deliveries are being handled, and have all of their time again.
func (c *Consumer) InProgress(ctx context.Context, tokens ...Token) error {
	_, err := c.Settle(ctx, SettleRequest{Verdict: InProgress, Tokens: tokens})
	return err
}

// Term says that deliveries cannot be handled: the messages do not come again, and there is a notice for each.
func (c *Consumer) Term(ctx context.Context, tokens ...Token) error {
	_, err := c.Settle(ctx, SettleRequest{Verdict: Term, Tokens: tokens})
	return err
}

// AckWith says that deliveries are done, and stores what came of them in the stream with the state, as one: with an
// error other than ErrOutcomeUnknown nothing has happened, and whatever happens, all of it has or nothing. So each message
// has its outputs there exactly once, however often it was delivered. All tokens must be pending.
func (c *Consumer) AckWith(ctx context.Context, outputs []actors.BatchMessage, tokens ...Token) (actors.BatchAck, error) {
	return c.Settle(ctx, SettleRequest{Verdict: Ack, Tokens: tokens, Outputs: outputs})
}

// Settle is what Ack and its siblings do: see SettleRequest.
func (c *Consumer) Settle(ctx context.Context, r SettleRequest) (actors.BatchAck, error) {
	// The caller may change his slices when this returns, also when the actor has not come to them.
	r.Tokens, r.Outputs = slices.Clone(r.Tokens), cloneOutputs(r.Outputs)
	reply, err := c.ask(ctx, &r)
	if err != nil {
		return actors.BatchAck{}, err
	}
	s := reply.(*SettleReply)
	return s.Ack, s.Err
}

func cloneOutputs(outputs []actors.BatchMessage) []actors.BatchMessage {
	outputs = slices.Clone(outputs)
	for i := range outputs {
		m := &outputs[i]
		m.Payload, m.Options = bytes.Clone(m.Payload), slices.Clone(m.Options)
		if m.Header != nil {
			header := make(actors.Header, len(m.Header))
			for name, values := range m.Header {
				header[name] = slices.Clone(values)
			}
			m.Header = header
		}
	}
	return outputs
}

// Pause stops deliveries until a time, also over stops and crashes. Messages that are delivered already can be settled.
func (c *Consumer) Pause(ctx context.Context, until time.Time) error {
	reply, err := c.ask(ctx, &PauseRequest{Until: until})
	if err != nil {
		return err
	}
	return reply.(*PauseReply).Err
}

// Resume ends a pause.
func (c *Consumer) Resume(ctx context.Context) error { return c.Pause(ctx, time.Time{}) }

// Notices returns the notices behind a number, 0 for all that are kept, which are the latest 128. When there are none it
// waits for one. A gap in the numbers says that some are not kept any more.
func (c *Consumer) Notices(ctx context.Context, after uint64) ([]Notice, error) {
	reply, err := c.ask(ctx, &NoticesRequest{After: after})
	if err != nil {
		return nil, err
	}
	r := reply.(*NoticesReply)
	return r.Notices, r.Err
}

// Stop completes what was accepted, and stops the consumer: it can be opened again. It may be called repeatedly, and
// returns nil, or why the consumer had stopped by itself. When the context ends first, it stops without what is left.
func (c *Consumer) Stop(ctx context.Context) error { return c.end(ctx, &StopRequest{}) }

// Delete stops the consumer and removes its state. One that has stopped, and is not open elsewhere, is deleted with Remove.
func (c *Consumer) Delete(ctx context.Context) error { return c.end(ctx, &DeleteRequest{}) }

func (c *Consumer) end(ctx context.Context, how any) error {
	reply, err := c.ask(ctx, how)
	if err == nil {
		err = reply.(*StopReply).Err
	} else if cause := context.Cause(ctx); cause != nil && errors.Is(err, cause) {
		c.system.Root.Stop(c.pid)
		<-c.gone
		return fmt.Errorf("consumer: stopped before all was done: %w", cause)
	}
	if _, stop := how.(*StopRequest); stop && errors.Is(err, ErrStopped) {
		<-c.gone
		return c.final
	}
	<-c.gone
	return err
}

// ask has the actor carry out a request, and waits for its reply or the end of the context.
func (c *Consumer) ask(ctx context.Context, request any) (reply any, err error) {
	_ = ctx.Err() // a nil context panics here, and not when the request is under way
	o := &op{request: request, bytes: cost(request), done: make(chan any, 1)}
	switch request.(type) {
	case *StopRequest, *DeleteRequest: // they need no credit; they give back one
		o.bytes = 0
		c.credits.Force()
	default:
		if err := c.credits.Acquire(ctx, o.bytes, c.gone); err != nil {
			if errors.Is(err, ErrStopped) {
				err = c.stoppedErr()
			}
			return nil, err
		}
	}
	if !c.inbox.Post(o) {
		c.credits.Release(o.bytes)
		return nil, c.stoppedErr()
	}
	select {
	case reply := <-o.done:
		return reply, nil
	case <-ctx.Done():
	}
	if !o.fate.CompareAndSwap(opWaiting, opAbandoned) {
		return <-o.done, nil
	}
	c.inbox.PostUserMessage(&abandoned{o})
	cause := context.Cause(ctx)
	switch request.(type) {
	case *SettleRequest, *PauseRequest:
		return nil, fmt.Errorf("%w: %w", ErrOutcomeUnknown, cause)
	}
	return nil, cause
}
