// Package peers puts one small face on each store that Millrace is compared with, and on Millrace.
package peers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Level is when a store acknowledges a message.
type Level int

const (
	// Durable acknowledges after the message is synced to disk.
	Durable Level = iota
	// Buffered acknowledges from memory, or after the write, whatever the peer does without sync.
	Buffered
	// Written acknowledges after the write; a sync follows within a second.
	Written
)

// Message is what is stored. Stores do not keep its memory after they acknowledged it.
type Message struct {
	Subject string
	Payload []byte
}

// Store stores one message at a time. Append returns when the message is acknowledged at the level
// that the store was opened with, and may be called from any number of goroutines.
type Store interface {
	Append(ctx context.Context, message Message) error
	Close() error
}

// BatchStore stores several messages at once: all of them or none.
type BatchStore interface {
	Store
	AppendBatch(ctx context.Context, batch []Message) error
}

// Pipeline is one caller's way to store messages without waiting for each.
type Pipeline interface {
	// Submit hands over a message. It waits only when the store is behind.
	Submit(ctx context.Context, message Message) error
	// Drain returns when all that was submitted is acknowledged.
	Drain(ctx context.Context) error
}

// PipelineStore stores what one caller submits, in order.
type PipelineStore interface {
	Store
	Pipeline() Pipeline
}

// ScanStore reads what was stored.
type ScanStore interface {
	PipelineStore
	// Scan reads every message in order and returns how many there were, with the sum of their
	// payload lengths.
	Scan(ctx context.Context) (messages int, payloadBytes int64, err error)
	// Flush returns when everything that was acknowledged is in the files.
	Flush(ctx context.Context) error
}

// Reader loads messages into memory that it uses again. It belongs to one goroutine.
type Reader interface {
	// Load returns the length of the payload of the message at a sequence.
	Load(ctx context.Context, sequence uint64) (payloadBytes int, err error)
	// LoadLast loads the last message of a literal subject and returns its sequence.
	LoadLast(ctx context.Context, subject string) (sequence uint64, err error)
}

// QueryStore answers what a JetStream consumer asks its stream. A filter is a subject, perhaps with
// wildcards; ">" selects everything.
type QueryStore interface {
	ScanStore
	// Reader returns a reader for one goroutine.
	Reader() Reader
	// Matching gives the sequences of the messages that a filter selects, ascending, up to the one that
	// was the last when it began, until visit returns false. The messages are read, not only found.
	Matching(ctx context.Context, filter string, visit func(sequence uint64) bool) error
	// NumPending counts the messages from a sequence on that a filter selects, or only those that are
	// the last of their subject.
	NumPending(ctx context.Context, from uint64, filter string, lastPerSubject bool) (uint64, error)
	// FilteredState counts like NumPending, and finds the first and the last of them.
	FilteredState(ctx context.Context, from uint64, filter string) (messages, first, last uint64, err error)
	// Range returns the first and the last sequence.
	Range(ctx context.Context) (first, last uint64, err error)
}

// Peer is a store that can be opened.
type Peer struct {
	// Name is how the table calls it.
	Name string
	// Open opens the store in an empty folder of its own, or in one that it left.
	Open func(dir string) (Store, error)
	// StreamDir is where in its folder a JetStream store keeps the stream. It is nil for others.
	StreamDir func(dir string) string
	// AwaitIndexes waits until every full block of the open store has its index. It is nil for stores
	// that have none.
	AwaitIndexes func(ctx context.Context, dir string) error
}

// OpenAs opens the peer's store and asserts what it can do.
func OpenAs[T Store](p Peer, dir string) (T, error) {
	var none T
	store, err := p.Open(dir)
	if err != nil {
		return none, fmt.Errorf("%s: open: %w", p.Name, err)
	}
	able, ok := store.(T)
	if !ok {
		return none, fmt.Errorf("%s: cannot do this row", p.Name)
	}
	return able, nil
}

// RemoveDerived removes from a stream's msgs folder all that a JetStream store can rebuild: what
// is neither a block nor a key.
func RemoveDerived(streamDir string) error {
	dir := filepath.Join(streamDir, "msgs")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if name := entry.Name(); strings.HasSuffix(name, ".blk") || strings.HasSuffix(name, ".key") {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}
