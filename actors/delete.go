package actors

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// ErrNoStream: refused, the folder is not that of a stream. Nothing was changed.
var ErrNoStream = blockio.ErrNoStream

// DeleteOptions say how a stream is deleted. Zero is usable.
type DeleteOptions struct {
	// Background has Delete return as soon as there is no stream any more, also after a crash: its folder has a hidden
	// name. What is in it is removed after that, on a goroutine that ends with it. Errors of it are logged.
	Background bool
	// Logger and FS are those of the function Delete. A store has its own.
	Logger *slog.Logger
	FS     blockio.FS
}

// Delete deletes a stream that no store has open, also one that no store can open: the folder name in dir, with all that is
// in it. It needs neither its configuration nor its key.
//
// First the folder gets a hidden name beside the old one, durably: from then on there is no stream, and another one may
// take its name. Then it is removed, see DeleteOptions. A crash leaves the stream as it was or none; what it leaves of the
// hidden folder the next Open or Delete of that name removes, and so does the start of a nats-server.
//
// Errors: fs.ErrNotExist when there is neither a stream nor the rest of one; ErrLocked when a store has it open; ErrNoStream;
// ErrConfig for what cannot be a stream's name. They have changed nothing. With ErrOutcomeUnknown the stream is gone, and
// may be back after a loss of power. After any other error of the file system, and when the context ends, either the
// stream is as it was, or there is none, and what is left is removed as after a crash.
func Delete(ctx context.Context, dir, name string, o DeleteOptions) error {
	if err := storedName(name); err != nil || dir == "" {
		return fmt.Errorf("%w: delete %q in %q: %w", ErrConfig, name, dir, err)
	}
	if o.FS == nil {
		o.FS = blockio.OS
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	d := removal{fs: o.FS, dir: filepath.Join(dir, name), log: o.Logger.With("stream", name)}
	err := d.hideClosed(ctx)
	if err == nil {
		err = d.remove(ctx, o.Background)
	}
	if err != nil {
		return fmt.Errorf("delete stream %s: %w", name, err)
	}
	return nil
}

// Delete stops the store as Stop does, and deletes the stream with all files, those of consumers among them. See the
// function Delete for how, and for what a crash leaves. It works on a store that has failed, or was stopped before; whoever
// calls Stop or Delete meanwhile or later comes to the same end. What was accepted before it takes effect, and is deleted
// with the rest. From then on the state is that of a stream without messages, and takers of notices have been told
// that with NoticeDeleted.
//
// When the context ends before that, the store stops without what is left, as Stop does. If the error says that I/O is
// still under way, the stream is deleted when that ends.
//
// Errors are those of the function Delete, and ErrReadOnly. After an error the store has stopped, and it may be called
// again.
func (s *Store) Delete(ctx context.Context, o DeleteOptions) error {
	if s.config.ReadOnly {
		return ErrReadOnly
	}
	s.deletion.asked.Store(true)
	stopped := s.Stop(ctx) // whatever the store has failed with is of no interest any more
	select {
	case <-s.gone:
	default:
		return stopped
	}
	return s.deleteStopped(ctx, o.Background)
}

// deletion is what is known of the deletion of a stream.
type deletion struct {
	asked atomic.Bool
	mu    sync.Mutex
	// hidden: the folder of the stream has its hidden name, or is gone.
	hidden bool
}

// deleteStopped deletes the stream when the store has stopped, if the store actor has not.
func (s *stream) deleteStopped(ctx context.Context, background bool) error {
	d := removal{fs: s.below, dir: s.dir, log: s.log}
	err := s.hide(func() error {
		if err := d.hideClosed(ctx); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil // somebody else has deleted it
	})
	if err == nil {
		err = d.remove(ctx, background)
	}
	if err != nil {
		return fmt.Errorf("delete stream %s: %w", s.config.Name, err)
	}
	return nil
}

// hide has the folder of the stream hidden, if it is not.
func (s *stream) hide(by func() error) error {
	s.deletion.mu.Lock()
	defer s.deletion.mu.Unlock()
	if s.deletion.hidden {
		return nil
	}
	if err := by(); err != nil {
		return err
	}
	s.deletion.hidden = true
	s.published.Forget()
	s.log.Info("deleted")
	return nil
}

// removal removes the folder of a stream.
type removal struct {
	fs  blockio.FS
	dir string
	log *slog.Logger
}

// hideClosed gives the folder its hidden name. It takes the lock for that.
func (d *removal) hideClosed(ctx context.Context) error {
	left, err := d.removeLeft(ctx)
	if err != nil {
		return err
	}
	switch err := blockio.CheckStream(d.fs, d.dir); {
	case errors.Is(err, fs.ErrNotExist) && left:
		return nil
	case err != nil:
		return err
	}
	lock, err := d.fs.Lock(filepath.Join(d.dir, lockFile), holder())
	if err != nil {
		return err
	}
	released := false
	release := func() error {
		if released {
			return nil
		}
		released = true
		return lock.Close()
	}
	if runtime.GOOS == "windows" { // which renames no folder in which a file is open
		err = release()
	}
	if err == nil {
		err = d.rename()
	}
	return errors.Join(err, release())
}

// rename gives the folder its hidden name. What an earlier deletion has left of that is gone.
func (d *removal) rename() error {
	err := blockio.HideStream(d.fs, d.dir)
	if errors.Is(err, blockio.ErrSync) {
		return fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
	}
	return err
}

// remove removes what has the hidden name.
func (d *removal) remove(ctx context.Context, background bool) error {
	if !background {
		_, err := d.removeLeft(ctx)
		return err
	}
	go func() {
		if _, err := d.removeLeft(context.Background()); err != nil {
			d.log.Warn("cannot remove what is left of a deleted stream; the next opening does", "error", err)
		}
	}()
	return nil
}

// How often the removal of a folder is tried in which somebody else makes files, and how long is waited between.
const (
	removeAttempts = 100
	removeWait     = 10 * time.Millisecond
)

// removeLeft removes what has the hidden name, and reports whether there was anything.
func (d *removal) removeLeft(ctx context.Context) (found bool, err error) {
	for attempt := 1; ; attempt++ {
		left, err := blockio.RemoveHidden(d.fs, d.dir, func() error { return context.Cause(ctx) })
		found = found || left
		if err == nil || !blockio.NotEmpty(err) || attempt == removeAttempts {
			return found, err
		}
		wait := time.NewTimer(removeWait)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return found, context.Cause(ctx)
		}
	}
}

// finishDeletion removes what a crash has left of a stream of the same name that was deleted.
func (s *stream) finishDeletion(ctx context.Context) {
	d := removal{fs: s.below, dir: s.dir, log: s.log}
	switch found, err := d.removeLeft(ctx); {
	case err != nil:
		s.log.Warn("cannot remove what is left of a deleted stream; the next opening does", "error", err)
	case found:
		s.log.Info("what was left of a deleted stream of this name is removed")
	}
}
