package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// errDeleted answers those who waited for a stream, or read it, when it was deleted.
var errDeleted = errors.New("the stream was deleted")

// deleteRequest asks the broker actor to end a stream and to remove its folder.
type deleteRequest struct {
	name string
	done chan<- error // one slot
}

// folderRemoved is the word of the goroutine that removed a folder to the broker actor.
type folderRemoved struct {
	name string
	err  error
}

// Delete removes a stream with all that it holds. It returns when that is durable: no crash brings the stream back.
// Whoever waits for an answer of the stream gets one first, and its readers come to their end.
func (b *Broker) Delete(ctx context.Context, name string) error {
	if err := validateStream(name); err != nil {
		return err
	}
	answers := make(chan error, 1)
	b.system.Root.Send(b.pid, &deleteRequest{name: name, done: answers})
	answer, err := await(ctx, b.gone, answers)
	return errors.Join(err, answer)
}

// forgetConsumers removes what the consumers of a deleted stream knew. What stays counts for nothing: they are those of
// another stream for one that is made anew.
func (b *Broker) forgetConsumers(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), publishPatience)
	defer cancel()
	if err := b.consumers.forget(ctx, name); err != nil {
		b.config.Logger.Warn("what consumers of a deleted stream knew is not removed", "stream", name, "error", err)
	}
}

func (b *brokerActor) delete(ctx actor.Context, m *deleteRequest) {
	entry, known := b.topics[m.name]
	switch {
	case b.closing:
		m.done <- errClosing
	case !known:
		m.done <- errNoStream
	case entry.deleting != nil:
		entry.deleting = append(entry.deleting, m.done)
	default:
		entry.deleting = append(entry.deleting, m.done)
		b.goOnDeleting(ctx, m.name, entry)
	}
}

// goOnDeleting does the next step for a stream that is to go: its topic ends, then its folder is removed. One that is
// still opening is opened first.
func (b *brokerActor) goOnDeleting(ctx actor.Context, name string, entry *topicEntry) {
	switch {
	case entry.topic != nil:
		ctx.Send(entry.pid, &closeTopic{deleted: true})
	case entry.pid == nil:
		system, self, config, forget := b.system, ctx.Self(), b.config, b.forget
		go func() {
			err := removeFolder(config, name)
			if err == nil {
				forget(name) // before the name is free again, and has other consumers
			}
			system.Root.Send(self, &folderRemoved{name: name, err: err})
		}()
	}
}

// removed answers those who asked for the deletion. A folder that could not be removed is a stream that is not open.
func (b *brokerActor) removed(ctx actor.Context, m *folderRemoved) {
	entry := b.topics[m.name]
	for _, done := range entry.deleting {
		done <- m.err
	}
	again := entry.again
	entry.deleting, entry.again = nil, nil
	if m.err == nil {
		delete(b.topics, m.name)
	} else {
		b.refuse(m.name, entry, m.err)
	}
	for _, request := range again {
		b.request(ctx, request)
	}
	b.endWhenIdle(ctx)
}

// removeFolder removes the folder of a stream that is not open any more.
func removeFolder(config BrokerConfig, name string) error {
	err := actors.Delete(context.Background(), config.Dir, name, actors.DeleteOptions{Logger: config.Logger, FS: config.fs})
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, gone := os.Lstat(filepath.Join(config.Dir, name)); errors.Is(gone, fs.ErrNotExist) && !errors.Is(err, actors.ErrOutcomeUnknown) {
		config.Logger.Warn("files of a deleted stream could not be removed; the next start tries again", "stream", name, "error", err)
		return nil
	}
	return err
}

// hiddenPrefix begins the name that the folder of a stream has while it is removed.
const hiddenPrefix = ".delete-"

// finishDeletions removes what deletions that a crash cut short have left in the data folder.
func finishDeletions(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if name, hidden := strings.CutPrefix(entry.Name(), hiddenPrefix); hidden && entry.IsDir() {
			_, removing := blockio.RemoveHidden(blockio.OS, filepath.Join(dir, name), func() error { return nil })
			err = errors.Join(err, removing)
		}
	}
	return err
}
