package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A replay feeds several checkers from sessions of one topic, each from its own sequence, through
// what is stored and on to what arrives meanwhile, up to a sequence that is known only later.
type replay struct {
	topic       *Topic
	subscribers []replaySubscriber
	messages    atomic.Uint64 // for the progress line
	last        atomic.Uint64 // where to end; 0 while it is not known
	known       chan struct{} // closed when last is
}

type replaySubscriber struct {
	name    string
	from    uint64
	checker *checker
	elapsed time.Duration
}

func newReplay(topic *Topic) *replay {
	return &replay{topic: topic, known: make(chan struct{})}
}

func (r *replay) add(name string, from uint64, c *checker) {
	r.subscribers = append(r.subscribers, replaySubscriber{name: name, from: from, checker: c})
}

// endAt tells the subscribers, once, which sequence is the last.
func (r *replay) endAt(last uint64) {
	r.last.Store(last)
	close(r.known)
}

// run returns when every subscriber has seen the last sequence, or one of them cannot: then with the first
// reason, which ends the others.
func (r *replay) run(ctx context.Context) error {
	var running sync.WaitGroup
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for i := range r.subscribers {
		running.Go(func() {
			subscriber := &r.subscribers[i]
			if err := r.follow(ctx, subscriber); err != nil {
				cancel(fmt.Errorf("subscriber %q: %w", subscriber.name, err))
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// follow is one subscriber: it checks a batch, acknowledges it, and takes the next.
func (r *replay) follow(ctx context.Context, subscriber *replaySubscriber) error {
	started := time.Now()
	subscription, err := r.topic.Subscribe(ctx, reading{from: subscriber.from, follow: true})
	if err != nil {
		return fmt.Errorf("subscribing: %w", err)
	}
	defer subscription.Close()
	known := r.known
	for {
		if last := r.last.Load(); last != 0 && subscriber.checker.last >= last {
			subscriber.elapsed = time.Since(started)
			return nil
		}
		select {
		case batch, open := <-subscription.Batches:
			if !open {
				return fmt.Errorf("the session ended after sequence %d: %w", subscriber.checker.last, errors.Join(subscription.Err(), errClosing))
			}
			for i := range batch.Messages {
				subscriber.checker.check(&batch.Messages[i])
			}
			if batch.Lost != nil {
				subscriber.checker.miss(*batch.Lost)
			}
			r.messages.Add(uint64(len(batch.Messages)))
			subscription.Ack(batch.Through)
		case <-known:
			known = nil // look at last again, then wait for batches alone
		case <-ctx.Done():
			return fmt.Errorf("after sequence %d: %w", subscriber.checker.last, context.Cause(ctx))
		}
	}
}
