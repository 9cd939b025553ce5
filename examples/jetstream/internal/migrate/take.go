package migrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
)

var (
	// ErrInUse: the files have changed while they were read.
	ErrInUse = errors.New("the files change: stop the nats-server, or the program, that has the stream")
	// ErrDamaged: something is damaged.
	ErrDamaged = errors.New("damaged")
	// ErrDiffers: what was taken along is not what was there.
	ErrDiffers = errors.New("what was taken along differs from what was there")
	// ErrExists: there is something where the copy is to be.
	ErrExists = errors.New("it exists already")
)

// Progress is told how far a step is. Of is 0 when nobody knows.
type Progress func(step string, done, of int64)

// Summary says what is in a stream.
type Summary struct {
	Messages, Bytes, First, Last uint64
	Deleted, Subjects, Lost      uint64
}

func summary(state actors.State) Summary {
	return Summary{state.Messages, state.Bytes, state.FirstSequence, state.LastSequence, state.Deleted, state.Subjects, state.LostMessages}
}

// withStore opens a stream with Millrace meanwhile.
func (s Storage) withStore(ctx context.Context, stream Stream, dir string, readOnly bool, use func(*actors.Store) error) (err error) {
	config, err := s.config(stream, dir)
	if err != nil {
		return err
	}
	config.ReadOnly = readOnly
	system := interop.QuietSystem()
	defer system.Shutdown()
	store, err := actors.Open(ctx, system, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Stop(context.WithoutCancel(ctx))) }()
	return use(store)
}

// Look returns what is in a stream, without changing anything.
func (s Storage) Look(ctx context.Context, stream Stream) (sum Summary, err error) {
	err = s.withStore(ctx, stream, filepath.Dir(stream.Dir), true, func(store *actors.Store) error {
		state, err := store.FastState(ctx)
		sum = summary(state)
		return err
	})
	return sum, err
}

// Check reads all of a stream, without changing anything, and returns what is in it. It calls damage for everything that
// is damaged, and returns ErrDamaged then.
func (s Storage) Check(ctx context.Context, stream Stream, progress Progress, damage func(string)) (sum Summary, err error) {
	err = s.withStore(ctx, stream, filepath.Dir(stream.Dir), true, func(store *actors.Store) error {
		report, err := store.Verify(ctx, actors.VerifyOptions{
			Damage:   func(found *blockio.CorruptionError) { damage(found.Error()) },
			Progress: func(p actors.VerifyProgress) { progress("blocks verified", int64(p.Blocks), int64(p.OfBlocks)) },
		})
		if err != nil {
			return err
		}
		state, err := store.FastState(ctx)
		if sum = summary(state); err == nil && (report.Damage > 0 || sum.Lost > 0) {
			err = fmt.Errorf("the stream %s is %w", stream.Name, ErrDamaged)
		}
		return err
	})
	return sum, err
}

// Copy makes a stream of Millrace's in the folder to, of the files of a stream of a server, which are only read. The copy has its
// name when it is on the disk, has been opened, and every message was compared; before that there is nothing of the name.
func (s Storage) Copy(ctx context.Context, stream Stream, to string, progress Progress) (sum Summary, err error) {
	if err := s.Absent(to, stream.Name); err != nil {
		return sum, err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return sum, err
	}
	scratch, err := os.MkdirTemp(to, ".copying-")
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	before, err := listing(stream.Dir)
	if err != nil {
		return sum, err
	}
	target := filepath.Join(scratch, stream.Name)
	var copied int64
	err = copyFiles(target, stream.Dir, func(n int64) {
		copied += n
		progress("bytes copied", copied, stream.Bytes)
	})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return sum, inUse(err)
	}
	if after, err := listing(stream.Dir); err != nil || after != before {
		return sum, errors.Join(ErrInUse, err)
	}
	if sum, err = s.take(ctx, stream, scratch, func() error { return s.same(ctx, stream, filepath.Dir(stream.Dir), scratch, progress) }); err != nil {
		return sum, err
	}
	if err := syncDirs(target); err != nil {
		return sum, err
	}
	if err := s.Absent(to, stream.Name); err != nil { // made meanwhile
		return sum, err
	}
	if err := os.Rename(target, filepath.Join(to, stream.Name)); err != nil {
		return sum, err
	}
	return sum, syncDir(to)
}

// Absent returns ErrExists if there is something of the name in a folder.
func (s Storage) Absent(to, name string) error {
	path := filepath.Join(to, name)
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%s: %w", path, ErrExists)
	}
	return err
}

// TakeOver opens a stream where it is, so that from now on it is one of Millrace's, and closes it. All that was there is
// compared with what is there then.
func (s Storage) TakeOver(ctx context.Context, stream Stream, progress Progress) (sum Summary, err error) {
	dir := filepath.Dir(stream.Dir)
	before, err := s.digest(ctx, stream, "messages read", progress)
	if err != nil {
		return sum, err
	}
	return s.take(ctx, stream, dir, func() error {
		after, err := s.digest(ctx, stream, "messages compared", progress)
		if err == nil && before != after {
			err = fmt.Errorf("%w: %+v, and %+v", ErrDiffers, before.Summary, after.Summary)
		}
		return err
	})
}

// digest reads a stream without changing it.
func (s Storage) digest(ctx context.Context, stream Stream, step string, progress Progress) (d digest, err error) {
	err = s.withStore(ctx, stream, filepath.Dir(stream.Dir), true, func(store *actors.Store) error {
		state, err := store.FastState(ctx)
		if err != nil {
			return err
		}
		d.Summary = summary(state)
		for m, err := range store.Messages(ctx, actors.From(1), actors.Borrowed(), actors.PassDamage()) {
			if err != nil {
				return err
			}
			d.add(&m)
			progress(step, int64(d.count), int64(state.Messages))
		}
		return nil
	})
	return d, err
}

// take opens a stream for writing, which is what makes it one of Millrace's, and closes it. Then it has it compared.
func (s Storage) take(ctx context.Context, stream Stream, dir string, compare func() error) (sum Summary, err error) {
	err = s.withStore(ctx, stream, dir, false, func(store *actors.Store) error {
		state, err := store.FastState(ctx)
		sum = summary(state)
		return err
	})
	if err != nil {
		return sum, inUse(err)
	}
	return sum, compare()
}

// same compares a stream in two folders, message by message.
func (s Storage) same(ctx context.Context, stream Stream, theirs, ours string, progress Progress) error {
	return s.withStore(ctx, stream, theirs, true, func(a *actors.Store) error {
		return s.withStore(ctx, stream, ours, true, func(b *actors.Store) error {
			return sameMessages(ctx, a, b, progress)
		})
	})
}

func sameMessages(ctx context.Context, a, b *actors.Store, progress Progress) error {
	first, err := a.State(ctx)
	if err != nil {
		return err
	}
	second, err := b.State(ctx)
	if err != nil {
		return err
	}
	x, y := summary(first.State), summary(second.State)
	if x != y || !slices.Equal(first.DeletedRanges, second.DeletedRanges) {
		return fmt.Errorf("%w: %+v, and %+v", ErrDiffers, x, y)
	}
	next, stop := iter.Pull2(b.Messages(ctx, actors.From(1), actors.Borrowed(), actors.PassDamage()))
	defer stop()
	var n int64
	for m, err := range a.Messages(ctx, actors.From(1), actors.Borrowed(), actors.PassDamage()) {
		if err != nil {
			return err
		}
		other, err, more := next()
		if err != nil {
			return err
		}
		if !more || m.Sequence != other.Sequence || !m.Time.Equal(other.Time) || m.Subject != other.Subject ||
			!bytes.Equal(m.HeaderBlock, other.HeaderBlock) || !bytes.Equal(m.Payload, other.Payload) {
			return fmt.Errorf("%w: message %d", ErrDiffers, m.Sequence)
		}
		n++
		progress("messages compared", n, int64(x.Messages))
	}
	if _, _, more := next(); more {
		return fmt.Errorf("%w: there are more than %d messages", ErrDiffers, n)
	}
	return nil
}

// inUse adds what the user can do about an error.
func inUse(err error) error {
	if errors.Is(err, actors.ErrChanged) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrInUse, err)
	}
	return err
}
