package actors

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// A consumer is what a program on top keeps of somebody who reads a stream. Its files are in a folder of its own beside
// the blocks: they come along in snapshots, and go with the stream. What is in them is the consumer's; a nats-server
// writes meta.inf, meta.sum and o.dat.

// Consumer is one that is registered with a store, see Store.AddConsumer.
type Consumer interface {
	// ConsumerName returns the name of the consumer, and of its folder: as that of a stream.
	ConsumerName() string
	// StopConsumer is called once, when the store has stopped and before anybody else can open the stream: all is to be
	// written by the time that it returns, and the stream waits for it. deleted says that the stream is about to be
	// deleted, with the consumer's folder. It must not call Stop or Delete of the store.
	StopConsumer(deleted bool) error
}

// consumers are those that are registered. They have a lock of their own: a consumer may come and go while the store
// is busy with anything.
type consumers struct {
	mu    sync.Mutex
	list  []Consumer // in order of their registration
	ended bool
}

// AddConsumer registers a consumer, makes its folder if there is none, and returns that. From then on Stats counts
// it, until RemoveConsumer takes it out; one that is registered when the store stops is stopped with it.
//
// Errors: ErrStopped; ErrReadOnly; ErrConfig for what cannot be a name; fs.ErrExist when one of the name is registered: two
// of them would write the same files; and those of the file system. After an error it is not registered.
func (s *Store) AddConsumer(c Consumer) (dir string, err error) {
	name := c.ConsumerName()
	if err := storedName(name); err != nil {
		return "", fmt.Errorf("%w: consumer: %w", ErrConfig, err)
	}
	if s.config.ReadOnly {
		return "", ErrReadOnly
	}
	k := &s.consumers
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.ended || s.stopped.Load():
		return "", ErrStopped
	case slices.ContainsFunc(k.list, func(other Consumer) bool { return other.ConsumerName() == name }):
		return "", fmt.Errorf("consumer %s is registered already: %w", name, fs.ErrExist)
	}
	dir = filepath.Join(blockio.ConsumersDir(s.dir), name)
	if err := s.below.MkdirAll(dir); err != nil {
		return "", fmt.Errorf("consumer %s: %w", name, err)
	}
	k.list = append(k.list, c)
	return dir, nil
}

// ConsumerFiles returns the file system by which consumers have to read and write their files: it encrypts those of a
// stream that is encrypted, for a server, and for snapshots.
func (s *Store) ConsumerFiles() blockio.FS { return s.config.FS }

// RemoveConsumer takes a consumer out, without stopping it. Its folder stays. It never fails, and reports whether it was
// registered.
func (s *Store) RemoveConsumer(c Consumer) bool {
	k := &s.consumers
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.Index(k.list, c)
	if i >= 0 {
		k.list = slices.Delete(k.list, i, i+1)
	}
	return i >= 0
}

// Consumers returns the names of the consumers that have a folder in the directory of the stream, registered or not,
// as those that a nats-server has left.
func (s *Store) Consumers(ctx context.Context) (names []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	entries, err := s.below.ReadDir(blockio.ConsumersDir(s.dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("consumers of %s: %w", s.config.Name, err)
	}
	for _, e := range entries {
		if e.IsDir {
			names = append(names, e.Name)
		}
	}
	return names, nil
}

// count returns how many consumers are registered.
func (k *consumers) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.list)
}

// endConsumers stops all consumers, each once, in the order of their registration.
func (s *stream) endConsumers() error {
	k := &s.consumers
	k.mu.Lock()
	list := k.list
	k.list, k.ended = nil, true
	k.mu.Unlock()
	var errs []error
	for _, c := range list {
		if err := s.endConsumer(c); err != nil {
			errs = append(errs, fmt.Errorf("stop consumer %s: %w", c.ConsumerName(), err))
		}
	}
	return errors.Join(errs...)
}

func (s *stream) endConsumer(c Consumer) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			s.log.Error("panic in a consumer that is stopped", "reason", reason, "stack", string(debug.Stack()))
			err = errors.New("panic")
		}
	}()
	return c.StopConsumer(s.deletion.asked.Load())
}
