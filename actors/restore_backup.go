package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/archive"
)

type (
	// RestoreBackupOptions say how a backup is restored. Zero is usable.
	RestoreBackupOptions struct {
		// Consumer is called for each consumer in the backup, with its configuration and its state as JSON, as a nats-server
		// has written them: consumers are none of a store's business. Without it a backup with consumers is refused with
		// ErrUnsupported.
		Consumer func(name string, state []byte) error
		// PassedOver is called for each message that the stream cannot have, with the reason, and the rest is restored:
		// its subject or headers are too large. Without it such a message is an error.
		PassedOver func(sequence uint64, reason error)
		// Partial restores what comes before the damage of a backup that is cut or damaged. RestoreBackupInfo.Damage says what is
		// wrong with it then.
		Partial bool
		// MaxBytes bounds the backup, as it is when it is not compressed, if it is above 0.
		MaxBytes int64
		// Progress, if set, is called now and then, on the goroutine of RestoreBackup.
		Progress func(SnapshotProgress)
	}
	// RestoreBackupInfo says what was restored.
	RestoreBackupInfo struct {
		FirstSequence, LastSequence uint64
		// Messages were restored, of those Expected at the beginning of the backup: a nats-server removes messages while it
		// writes one. What the limits of the configuration, or TTLs, do not let stay is counted.
		Messages, Expected    uint64
		PassedOver, Consumers int
		Damage                error // see RestoreBackupOptions.Partial
	}
)

// RestoreBackup makes a stream of a backup, of Store.Backup or of a nats-server of 2.15, with a configuration that says all
// there is to be known of it but the messages. Config.FirstSequence is that of the backup, and Config.Sync does not
// matter: all is durable at the end.
//
// All or nothing: the stream is made in a directory beside its own, which it gets when all of it is durable. Until then no
// Open and no server takes it for a stream, also after a crash; the next RestoreBackup or Restore of it removes what is
// left.
//
// It reads r to its end, on the caller's goroutine, and needs the memory of an open stream and of the largest message.
//
// Errors: ErrConfig; ErrArchive says what is wrong with the backup, of which only the chunks of S2 have checksums, and
// ErrIsSnapshot that it is none; ErrArchiveLimit; ErrUnsupported; fs.ErrExist when there is a stream, or anything else, of that name; and those of r, of
// the file system, of the functions in the options and of the context. After an error there is no stream, unless it is of the
// last step, the sync of Config.Dir: the stream is there then, and whole.
func RestoreBackup(ctx context.Context, system *actor.ActorSystem, config Config, r io.Reader, o RestoreBackupOptions) (RestoreBackupInfo, error) {
	if err := config.Validate(); err != nil {
		return RestoreBackupInfo{}, err
	}
	config.ReadOnly, config.Sync, config.NoRecovery = false, SyncNever, true
	info, err := restoreBackup(ctx, system, config.withDefaults(), r, o)
	if err != nil {
		return RestoreBackupInfo{}, fmt.Errorf("restore the backup of %s: %w", config.Name, err)
	}
	return info, nil
}

func restoreBackup(ctx context.Context, system *actor.ActorSystem, config Config, r io.Reader, o RestoreBackupOptions) (info RestoreBackupInfo, err error) {
	stage, err := archive.NewStage(archive.Destination{FS: config.FS, Dir: config.Dir, LockFile: lockFile, Holder: holder()}, config.Name)
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, stage.End()) }()
	x := &backupRestore{options: o, in: archive.NewMessageReader(ctx, r, o.MaxBytes)}
	if err := x.begin(); err != nil {
		return info, err
	}
	config.Dir, config.FirstSequence = stage.Dir(), x.state.First
	s, err := Open(ctx, system, config)
	if err != nil {
		return info, err
	}
	err = x.fill(ctx, s)
	if err == nil {
		err = s.Flush(ctx)
	}
	if err = errors.Join(err, s.Stop(context.WithoutCancel(ctx))); err != nil {
		return info, err
	}
	return x.info, stage.Show()
}

// backupRestore is a backup that is being restored.
type backupRestore struct {
	options RestoreBackupOptions
	in      *archive.MessageReader
	state   backupState
	info    RestoreBackupInfo
	last    uint64 // sequence that is used up
}

// begin reads what comes before the messages: what the stream is.
func (x *backupRestore) begin() error {
	e, err := x.in.Next()
	if err == io.EOF {
		err = fmt.Errorf("%w: it is empty", ErrArchive)
	}
	if err != nil {
		return err
	}
	s := &x.state
	switch {
	case e.Name != backupStateName || e.Sequence != 0 || e.TooLarge > 0:
		return fmt.Errorf("%w: it does not begin with %s", ErrArchive, backupStateName)
	default:
		err = json.Unmarshal(e.Payload, s)
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w: %s: %w", ErrArchive, backupStateName, err)
	case s.First > blockio.MaxSequence || s.Last > blockio.MaxSequence,
		s.First == 0 && (s.Last > 0 || s.Messages > 0),
		s.First > s.Last && (s.First != s.Last+1 || s.Messages > 0),
		s.First <= s.Last && s.First > 0 && s.Messages > s.Last-s.First+1:
		return fmt.Errorf("%w: a stream of %d messages from %d to %d", ErrArchive, s.Messages, s.First, s.Last)
	}
	if s.First > 0 {
		x.last = s.First - 1
	}
	x.info.FirstSequence, x.info.LastSequence, x.info.Expected = s.First, s.Last, s.Messages
	return nil
}

// fill puts into a store what comes behind that.
func (x *backupRestore) fill(ctx context.Context, s *Store) error {
	for {
		e, err := x.in.Next()
		if errors.Is(err, ErrArchive) && x.options.Partial {
			x.info.Damage, err = err, io.EOF
		}
		if err == io.EOF {
			return x.skip(ctx, s, x.state.Last+1)
		}
		if err == nil {
			err = x.entry(ctx, s, &e)
		}
		if err != nil {
			return err
		}
		if x.options.Progress != nil && x.info.Messages%progressMessages == 0 {
			x.options.Progress(SnapshotProgress{Messages: x.info.Messages, OfMessages: x.info.Expected})
		}
	}
}

// progressMessages is after how many messages Progress is called.
const progressMessages = 1000

// entry restores one entry.
func (x *backupRestore) entry(ctx context.Context, s *Store, e *archive.Entry) error {
	if e.Sequence == 0 {
		return x.consumer(e)
	}
	if e.Sequence <= x.last || e.Sequence > x.state.Last {
		return fmt.Errorf("%w: message %d behind %d, in a stream that ends at %d", ErrArchive, e.Sequence, x.last, x.state.Last)
	}
	if e.TooLarge > 0 {
		return x.passOver(e.Sequence, fmt.Errorf("%w: %d bytes", ErrTooLarge, e.TooLarge))
	}
	if err := x.skip(ctx, s, e.Sequence); err != nil {
		return err
	}
	_, err := s.StoreRaw(ctx, RawMessage{
		Sequence: e.Sequence, Time: timeOf(e.Time), Subject: e.Name, HeaderBlock: e.Header, Payload: e.Payload,
	})
	switch {
	case err == nil:
		x.last = e.Sequence
		x.info.Messages++
		return nil
	case errors.Is(err, ErrTooLarge), errors.Is(err, ErrBadHeader), errors.Is(err, ErrBadTime), errors.Is(err, ErrMaxBytes):
		return x.passOver(e.Sequence, err)
	}
	return err
}

// passOver goes on without a message that the stream cannot have: its sequence is skipped with what comes behind.
func (x *backupRestore) passOver(sequence uint64, err error) error {
	if x.options.PassedOver == nil {
		return fmt.Errorf("message %d: %w", sequence, err)
	}
	x.info.PassedOver++
	x.options.PassedOver(sequence, err)
	return nil
}

// consumer hands out a consumer.
func (x *backupRestore) consumer(e *archive.Entry) error {
	name, is := strings.CutPrefix(e.Name, backupConsumers)
	switch {
	case !is || x.info.Messages > 0 || e.TooLarge > 0:
		return fmt.Errorf("%w: an entry %q of %d bytes behind message %d", ErrArchive, e.Name, len(e.Payload), x.last)
	case x.options.Consumer == nil:
		return fmt.Errorf("%w: the backup has consumers, such as %q, and RestoreBackupOptions.Consumer is not set", ErrUnsupported, name)
	}
	x.info.Consumers++
	return x.options.Consumer(name, append([]byte(nil), e.Payload...))
}

// backupConsumers begins the names of the entries of consumers.
const backupConsumers = "consumers/"

// skip uses up the sequences below one that have no message. The last time of the stream is that of the backup.
func (x *backupRestore) skip(ctx context.Context, s *Store, next uint64) (err error) {
	if next <= x.last+1 {
		return nil
	}
	if at := x.state.LastTime; next > x.state.Last && at.UnixNano() > 0 && at.After(time.Unix(0, 0)) {
		_, err = s.SkipAt(ctx, x.last+1, next-x.last-1, at)
	} else {
		_, err = s.Skip(ctx, x.last+1, next-x.last-1)
	}
	x.last = next - 1
	return err
}
