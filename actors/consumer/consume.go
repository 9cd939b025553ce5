package consumer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"
)

// iterateWait is how long a pull of an iteration waits; then it pulls again.
const iterateWait = time.Minute

// Messages gives messages as they come, until the context ends or the consumer stops; that is then the error at the end.
// It pulls ahead so many at a time; those that were pulled and not given come again at once. Who takes the messages
// settles them.
func (c *Consumer) Messages(ctx context.Context, ahead int) iter.Seq2[Delivery, error] {
	return func(yield func(Delivery, error) bool) {
		for {
			list, err := c.Pull(ctx, Pull{Batch: ahead, Expires: iterateWait})
			if err != nil {
				yield(Delivery{}, err)
				return
			}
			for i := range list {
				if !yield(list[i], nil) {
					c.giveBack(ctx, list[i+1:])
					return
				}
			}
		}
	}
}

// giveBack has messages come again at once that were pulled for nothing, also when the context has ended.
func (c *Consumer) giveBack(ctx context.Context, list []Delivery) {
	if len(list) == 0 {
		return
	}
	all := make([]Token, len(list))
	for i := range list {
		all[i] = list[i].Token
	}
	_ = c.Nak(context.WithoutCancel(ctx), 0, all...) // else they come again when their time is over
}

// Consume has so many workers handle messages, each one at a time, until the context ends or the consumer stops; that is the
// error then, when all workers have returned. A message is acknowledged when handle returns nil, which may have done so
// itself, as with AckWith. With an error it comes again after retry, but for one that wraps ErrNotPending: then it was settled
// elsewhere, and is left alone.
//
// While handle runs the message is kept in progress, however long that takes: a handle that may hang needs a bound of its own.
// A panic of handle is the caller's.
func (c *Consumer) Consume(ctx context.Context, workers int, retry time.Duration, handle func(context.Context, Delivery) error) error {
	if workers < 1 || retry < 0 {
		return fmt.Errorf("%w: %d workers, a retry after %v", ErrRequest, workers, retry)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for ctx.Err() == nil {
				list, err := c.Pull(ctx, Pull{Batch: 1, Expires: iterateWait})
				if err == nil && len(list) == 1 {
					err = c.work(ctx, list[0], retry, handle)
				}
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// work has one message handled. It returns an error when there is no use in going on.
func (c *Consumer) work(ctx context.Context, d Delivery, retry time.Duration, handle func(context.Context, Delivery) error) error {
	stop := c.keep(ctx, d.Token)
	err := handle(ctx, d)
	stop()
	// What was done is worth telling, also when the context has ended.
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), settlePatience)
	defer cancel()
	switch {
	case err == nil:
		err = c.Ack(late, d.Token)
	case errors.Is(err, ErrNotPending):
		err = nil
	default:
		err = c.Nak(late, retry, d.Token)
	}
	if errors.Is(err, ErrStopped) {
		return err
	}
	return nil // the message comes again, or is settled
}

// settlePatience is how long a worker waits for its verdict to be taken.
const settlePatience = 10 * time.Second

// keep says that a message is in progress, in good time, until it is told to stop.
func (c *Consumer) keep(ctx context.Context, t Token) (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		wait := time.NewTimer(c.extend)
		defer wait.Stop()
		for {
			select {
			case <-done:
				return
			case <-ctx.Done():
				return
			case <-wait.C:
			}
			err := c.InProgress(ctx, t)
			if errors.Is(err, ErrNotPending) || errors.Is(err, ErrStale) || errors.Is(err, ErrStopped) {
				return
			}
			wait.Reset(c.extend)
		}
	})
	return func() {
		close(done)
		running.Wait()
	}
}
