package millracestorage

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/seed-d8b58eba/millrace/actors"
)

// errOperation: an operation of no type that there is. Nothing was changed.
var errOperation = errors.New("millracestorage: wrong operation type")

// client is what a component has of its stream.
type client struct {
	store   *actors.Store
	timeout time.Duration
	maxSize uint64 // 0: no bound
	closing sync.Once
	closed  func() // tells the extension

	// order is held for reading by batches that write, of which any number can be on their way, and for writing by those
	// that read several keys, or read and write: these see all of another batch or nothing.
	order sync.RWMutex
}

var (
	_ storage.Client = (*client)(nil)
	_ storage.Walker = (*client)(nil)
)

// keyPrefix begins the subjects. The key without a character has no more of it than the first token.
const keyPrefix = "key."

// keySubject is the subject of a key: one token, with %xx for what a token should not have.
func keySubject(key string) string {
	return strings.TrimSuffix(keyPrefix+escape(key, '%', func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
	}), ".")
}

// Get returns the value of a key, nil if it has none.
func (c *client) Get(ctx context.Context, key string) ([]byte, error) {
	return c.load(ctx, key)
}

// load reads a key. A message with headers is a tombstone.
func (c *client) load(ctx context.Context, key string) ([]byte, error) {
	message, err := c.store.LoadLastMsg(ctx, actors.Literal(keySubject(key)))
	switch {
	case errors.Is(err, actors.ErrNotFound), errors.Is(err, actors.ErrCorrupt), err == nil && message.HeaderBlock != nil:
		return nil, nil // what is damaged is lost, which the log has
	case err != nil:
		return nil, err
	case message.Payload == nil:
		return []byte{}, nil
	}
	return message.Payload, nil
}

// Set stores the value of a key.
func (c *client) Set(ctx context.Context, key string, value []byte) error {
	return c.Batch(ctx, storage.SetOperation(key, value))
}

// Delete removes a key, if it is there.
func (c *client) Delete(ctx context.Context, key string) error {
	return c.Batch(ctx, storage.DeleteOperation(key))
}

// Batch carries out operations in order: what they change is there as a whole or not at all, also after a crash, and what
// they read is of one instant.
func (c *client) Batch(ctx context.Context, ops ...*storage.Operation) error {
	gets, sets := 0, 0
	for _, op := range ops {
		switch op.Type {
		case storage.Get:
			gets++
		case storage.Set, storage.Delete:
			sets++
		default:
			return errOperation
		}
	}
	if gets > 0 && len(ops) > 1 {
		c.order.Lock()
		defer c.order.Unlock()
	} else {
		c.order.RLock()
		defer c.order.RUnlock()
	}
	return c.apply(ctx, ops)
}

// apply carries out operations.
func (c *client) apply(ctx context.Context, ops []*storage.Operation) error {
	last := make(map[string]*storage.Operation) // what the operations so far have made of keys
	var keys []string
	for _, op := range ops {
		if op.Type != storage.Get {
			if last[op.Key] == nil {
				keys = append(keys, op.Key)
			}
			last[op.Key] = op
			continue
		}
		var err error
		if before := last[op.Key]; before == nil {
			op.Value, err = c.load(ctx, op.Key)
		} else if op.Value = nil; before.Type == storage.Set {
			op.Value = append([]byte{}, before.Value...)
		}
		if err != nil {
			return err
		}
	}
	var batch []actors.BatchMessage
	for _, key := range keys {
		message := actors.BatchMessage{Subject: keySubject(key), Payload: last[key].Value}
		if last[key].Type == storage.Delete {
			value, err := c.load(ctx, key)
			if err != nil {
				return err
			}
			if value == nil {
				continue
			}
			message.Payload, message.Options = nil, tombstone
		}
		batch = append(batch, message)
	}
	if len(batch) == 0 {
		return ctx.Err()
	}
	if err := c.room(ctx, batch); err != nil {
		return err
	}
	return c.write(ctx, batch)
}

// room returns storage.ErrStorageFull if a batch makes the client hold more, and more than it may.
func (c *client) room(ctx context.Context, batch []actors.BatchMessage) error {
	if c.maxSize == 0 {
		return nil
	}
	state, err := c.store.FastState(ctx)
	if err != nil {
		return err
	}
	more := uint64(0)
	for _, m := range batch {
		more += uint64(actors.RecordSize(len(m.Subject), 0, len(m.Payload)))
	}
	if state.Bytes+more <= c.maxSize {
		return nil
	}
	less := uint64(0)
	for _, m := range batch {
		old, err := c.store.LoadLastMsg(ctx, actors.Literal(m.Subject))
		if err == nil {
			less += uint64(actors.RecordSize(len(m.Subject), len(old.HeaderBlock), len(old.Payload)))
		}
	}
	if more <= less || state.Bytes+more-less <= c.maxSize {
		return nil
	}
	return storage.ErrStorageFull
}

// tombstone are the options of the message that takes the place of a key that is deleted, in one batch with others. It
// goes by itself after a second.
var tombstone = []actors.StoreOption{actors.TTL(time.Second)}

// write stores a batch, and again if the disk has failed and works again: it makes no difference how often.
func (c *client) write(ctx context.Context, batch []actors.BatchMessage) error {
	store := func() error {
		_, err := c.store.StoreBatch(ctx, batch)
		return err
	}
	err := store()
	if failed(err) {
		waiting, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		for failed(err) && waiting.Err() == nil && c.store.Ready(waiting) == nil {
			err = store()
		}
	}
	if errors.Is(err, actors.ErrNoSpace) {
		return fmt.Errorf("%w: %w", storage.ErrStorageFull, err)
	}
	return err
}

// failed tells an error of storage that a recovery may help with.
func failed(err error) bool { return errors.Is(err, actors.ErrFailed) }

// Walk calls fn for each key, and carries out what it returns as one batch. No other batch is carried out meanwhile.
func (c *client) Walk(ctx context.Context, fn storage.WalkFunc) error {
	c.order.Lock()
	defer c.order.Unlock()
	var ops []*storage.Operation
	for message, err := range c.store.Messages(ctx, actors.Borrowed(), actors.PassDamage()) {
		if err != nil {
			return err
		}
		if message.HeaderBlock != nil {
			continue
		}
		key, err := subjectKey(message.Subject)
		if err != nil {
			return err
		}
		more, err := fn(key, message.Payload)
		if err != nil && !errors.Is(err, storage.SkipAll) {
			return err
		}
		ops = append(ops, more...)
		if err != nil {
			break
		}
	}
	for _, op := range ops {
		if op.Type != storage.Get && op.Type != storage.Set && op.Type != storage.Delete {
			return errOperation
		}
	}
	return c.apply(ctx, ops)
}

// subjectKey is the key of a subject, in memory of its own.
func subjectKey(subject string) (string, error) {
	if subject+"." == keyPrefix {
		return "", nil
	}
	key, err := url.PathUnescape(strings.TrimPrefix(subject, keyPrefix))
	return strings.Clone(key), err
}

// Close stops the stream. It may be called repeatedly.
func (c *client) Close(ctx context.Context) error {
	err := c.store.Stop(ctx)
	c.closing.Do(c.closed)
	return err
}
