package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/actors/consumer"
	"github.com/seed-d8b58eba/millrace/metrics"
)

const (
	// consumersFolder is hidden: the stream in it, with what all consumers know, is none of those that are served.
	consumersFolder = ".consumers"
	consumersStream = "state"
	// mostConsumers bounds those of all streams together.
	mostConsumers = 1024
)

var errTooManyConsumers = fmt.Errorf("the broker has as many consumers as it may (%d)", mostConsumers)

// consumers are those of all streams. They are opened when somebody asks for one, and end with their stream. Whoever
// opens or ends one has the turn: that takes a few writes, and happens seldom.
type consumers struct {
	broker *Broker
	turn   chan struct{} // of one slot
	state  *actors.Store // nil until somebody needs it
	open   map[consumer.Name]*consumer.Consumer
	meters *metrics.ConsumerCollector // of those that are open
	closed bool
}

func newConsumers(b *Broker) *consumers {
	return &consumers{
		broker: b, turn: make(chan struct{}, 1), open: map[consumer.Name]*consumer.Consumer{}, meters: metrics.NewConsumerCollector(),
	}
}

// enter takes the turn, which leave gives back.
func (c *consumers) enter(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if c.closed {
		c.leave()
		return errClosing
	}
	return nil
}

func (c *consumers) leave() { <-c.turn }

// openState opens the stream with the state. Without create, one that is not there is not made.
func (c *consumers) openState(ctx context.Context, create bool) error {
	if c.state != nil {
		return nil
	}
	config := actors.Config{
		Dir: filepath.Join(c.broker.config.Dir, consumersFolder), Name: consumersStream,
		Logger: c.broker.config.Logger, FS: c.broker.config.fs,
	}
	if !create {
		if _, err := os.Stat(filepath.Join(config.Dir, config.Name)); errors.Is(err, fs.ErrNotExist) {
			return consumer.ErrNoConsumer
		}
	}
	state, err := actors.Open(ctx, c.broker.system, config)
	if err == nil {
		c.state = state
	}
	return err
}

// put makes a consumer, or changes one that is there. It reports whether it was made.
func (c *consumers) put(ctx context.Context, topic *Topic, config consumer.Config) (opened *consumer.Consumer, made bool, err error) {
	if err := c.enter(ctx); err != nil {
		return nil, false, err
	}
	defer c.leave()
	if err := c.openState(ctx, true); err != nil {
		return nil, false, err
	}
	name := consumer.Name{Stream: topic.Name, Consumer: config.Name}
	if known, there := c.open[name]; there { // those who wait for messages ask again
		_ = known.Stop(ctx) // it ends, or has ended already
		c.drop(name)
	}
	config.MustExist = true
	if opened, err = c.openOne(ctx, topic, config); !errors.Is(err, consumer.ErrNoConsumer) {
		return opened, false, err
	}
	all, err := consumer.List(ctx, c.state)
	if err == nil && len(all) >= mostConsumers {
		err = errTooManyConsumers
	}
	if err != nil {
		return nil, false, err
	}
	config.MustExist = false
	opened, err = c.openOne(ctx, topic, config)
	return opened, err == nil, err
}

// openOne opens a consumer. What is left of one of a deleted stream is removed, and counts as none.
func (c *consumers) openOne(ctx context.Context, topic *Topic, config consumer.Config) (*consumer.Consumer, error) {
	config.Logger = c.broker.config.Logger
	name := consumer.Name{Stream: topic.Name, Consumer: config.Name}
	opened, err := consumer.Open(ctx, c.broker.system, topic.Store, c.state, config)
	if errors.Is(err, consumer.ErrOtherStream) {
		if _, err := consumer.Remove(ctx, c.state, name); err != nil {
			return nil, err
		}
		opened, err = consumer.Open(ctx, c.broker.system, topic.Store, c.state, config)
	}
	if err == nil {
		c.open[name] = opened
		c.meters.Add(opened)
	}
	return opened, err
}

// drop forgets a consumer that is open no more.
func (c *consumers) drop(name consumer.Name) {
	delete(c.open, name)
	c.meters.Remove(name)
}

// get returns a consumer that is there, opened.
func (c *consumers) get(ctx context.Context, topic *Topic, name string) (*consumer.Consumer, error) {
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer c.leave()
	return c.getOne(ctx, topic, name)
}

func (c *consumers) getOne(ctx context.Context, topic *Topic, name string) (*consumer.Consumer, error) {
	if known, there := c.open[consumer.Name{Stream: topic.Name, Consumer: name}]; there {
		select {
		case <-known.Done(): // with its stream, perhaps, which was opened again
		default:
			return known, nil
		}
	}
	if err := c.openState(ctx, false); err != nil {
		return nil, err
	}
	return c.openOne(ctx, topic, consumer.Config{Name: name, MustExist: true})
}

// list returns the figures of the consumers of a stream, by name.
func (c *consumers) list(ctx context.Context, topic *Topic) (all []consumer.Stats, err error) {
	opened, err := c.opened(ctx, topic)
	if errors.Is(err, consumer.ErrNoConsumer) {
		return nil, nil
	}
	for i := 0; err == nil && i < len(opened); i++ {
		var stats consumer.Stats
		if stats, err = opened[i].Stats(ctx); err == nil {
			all = append(all, stats)
		} else if errors.Is(err, consumer.ErrStopped) {
			err = nil // it was deleted meanwhile
		}
	}
	return all, err
}

func (c *consumers) opened(ctx context.Context, topic *Topic) (opened []*consumer.Consumer, err error) {
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer c.leave()
	if err := c.openState(ctx, false); err != nil {
		return nil, err
	}
	names, err := consumer.List(ctx, c.state)
	for i := 0; err == nil && i < len(names); i++ {
		if names[i].Stream != topic.Name {
			continue
		}
		var one *consumer.Consumer
		one, err = c.getOne(ctx, topic, names[i].Consumer)
		switch {
		case err == nil:
			opened = append(opened, one)
		case errors.Is(err, consumer.ErrNoConsumer):
			err = nil
		}
	}
	return opened, err
}

// delete ends a consumer for good.
func (c *consumers) delete(ctx context.Context, topic *Topic, name string) error {
	if err := c.enter(ctx); err != nil {
		return err
	}
	defer c.leave()
	one, err := c.getOne(ctx, topic, name)
	full := consumer.Name{Stream: topic.Name, Consumer: name}
	switch {
	case errors.Is(err, consumer.ErrState): // nobody can open it
		_, err = consumer.Remove(ctx, c.state, full)
	case err == nil:
		c.drop(full)
		err = one.Delete(ctx)
	}
	return err
}

// forget removes what is left of the consumers of a stream that was deleted.
func (c *consumers) forget(ctx context.Context, stream string) error {
	if err := c.enter(ctx); err != nil {
		return err
	}
	defer c.leave()
	if err := c.openState(ctx, false); err != nil {
		if errors.Is(err, consumer.ErrNoConsumer) {
			return nil
		}
		return err
	}
	names, err := consumer.List(ctx, c.state)
	for _, name := range names {
		if name.Stream == stream {
			_, removed := consumer.Remove(ctx, c.state, name)
			err = errors.Join(err, removed)
			c.drop(name)
		}
	}
	return err
}

// stop ends all consumers, and nobody gets one any more.
func (c *consumers) stop(ctx context.Context) error {
	if err := c.enter(ctx); err != nil {
		if errors.Is(err, errClosing) {
			return nil // it was done before
		}
		return err
	}
	defer c.leave()
	c.closed = true
	var errs []error
	for _, one := range c.open {
		if err := one.Stop(ctx); err != nil && !errors.Is(err, consumer.ErrStreamStopped) {
			errs = append(errs, err)
		}
	}
	if c.state != nil {
		errs = append(errs, c.state.Stop(ctx))
	}
	return errors.Join(errs...)
}
