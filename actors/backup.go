package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/archive"
	"github.com/seed-d8b58eba/millrace/engine"
)

type (
	// BackupOptions say how a backup is taken. Zero is usable.
	BackupOptions struct {
		// Timeout, if above 0, is how long it may take: context.DeadlineExceeded is the error then.
		Timeout time.Duration
		// Damage, if set, is called for every damaged stretch that has live messages, on the goroutine of Backup: what can be
		// read of the others goes into the backup. Without it, damage is an error, as for Snapshot.
		Damage func(*blockio.CorruptionError)
		// Progress, if set, is called now and then, on the goroutine of Backup.
		Progress func(SnapshotProgress)
	}
	// BackupInfo says what a backup holds: the stream as of one instant.
	BackupInfo struct {
		FirstSequence, LastSequence uint64
		Messages, Bytes             uint64
		Lost                        uint64 // messages that are lost, and not in it
		Size                        int64  // of the archive, in bytes
	}
)

// Backup writes the messages of the stream as it is at one instant during the call, as a nats-server of 2.15 writes its
// backups: sequence, time, subject, header block and payload of each, in order, and the state of the stream. There is no
// configuration in it, and no consumers: RestoreBackup and a server are given these. docs/backups.md has the format. A
// snapshot is verified more closely, and restored faster.
//
// It runs as Snapshot does, and has the errors of Snapshot. With BackupOptions.Damage it goes on behind damaged messages,
// and says so; a server gives a backup up at the first one.
func (s *Store) Backup(ctx context.Context, w io.Writer, o BackupOptions) (BackupInfo, error) {
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	info, err := s.backup(ctx, w, o)
	if err != nil {
		return BackupInfo{}, fmt.Errorf("backup of %s: %w", s.config.Name, err)
	}
	return info, nil
}

func (s *Store) backup(ctx context.Context, w io.Writer, o BackupOptions) (BackupInfo, error) {
	if err := s.Flush(ctx); err != nil {
		return BackupInfo{}, err
	}
	f, err := s.freeze(ctx)
	if err != nil {
		return BackupInfo{}, err
	}
	defer f.pin.Release()
	if err := s.Flush(ctx); err != nil {
		return BackupInfo{}, err
	}
	x := &backup{snapshot: snapshot{store: s, frozen: f, ctx: ctx}, options: o, out: archive.NewMessageWriter(ctx, w)}
	if err := x.write(); err != nil {
		return BackupInfo{}, err
	}
	x.info.Size = x.out.Written()
	return x.info, nil
}

// backup is one backup that is being written.
type backup struct {
	snapshot // what is the same, which is how blocks are found
	options  BackupOptions
	out      *archive.MessageWriter
	info     BackupInfo
	entry    archive.Entry
}

// backupState is what a backup says of the stream, as a nats-server writes it.
type backupState struct {
	Messages  uint64    `json:"messages"`
	Bytes     uint64    `json:"bytes"`
	First     uint64    `json:"first_seq"`
	FirstTime time.Time `json:"first_ts"`
	Last      uint64    `json:"last_seq"`
	LastTime  time.Time `json:"last_ts"`
	Subjects  uint64    `json:"num_subjects,omitempty"`
	Deleted   uint64    `json:"num_deleted,omitempty"`
	Consumers int       `json:"consumer_count"`
}

// backupStateName is the name of the entry that has it, the first one.
const backupStateName = "state.json"

func (x *backup) write() error {
	s := &x.frozen.stream.State
	x.info.FirstSequence, x.info.LastSequence, x.info.Lost = s.FirstSequence, s.LastSequence, s.LostMessages
	state, err := json.Marshal(backupState{
		Messages: s.Messages, Bytes: s.Bytes, First: s.FirstSequence, Last: s.LastSequence, Subjects: s.Subjects, Deleted: s.Deleted,
		FirstTime: timeOf(s.FirstTime), LastTime: timeOf(s.LastTime),
	})
	if err != nil {
		return err
	}
	if err := x.out.Write(&archive.Entry{Name: backupStateName, Time: x.store.runtime.now(), Payload: state}); err != nil {
		return err
	}
	for i := range x.frozen.stream.Blocks {
		b := &x.frozen.stream.Blocks[i]
		if b.Messages > 0 {
			if err := x.messages(b); err != nil {
				return err
			}
		}
		x.frozen.pin.Pass(b.View.ID + 1)
		if x.options.Progress != nil {
			x.options.Progress(SnapshotProgress{x.info.Messages, s.Messages, x.out.Written()})
		}
	}
	return x.out.Close()
}

// messages writes the live messages of a block.
func (x *backup) messages(b *engine.FrozenBlock) (err error) {
	if err := x.check(); err != nil {
		return err
	}
	var found blockVerification
	x.store.runtime.readers.Build(func() { found, err = x.look(b) })
	if err == nil {
		err = x.check() // a store that has stopped leaves its files to others
	}
	if err != nil {
		return err
	}
	for _, d := range found.damage {
		if x.options.Damage == nil {
			return d
		}
		x.options.Damage(d)
	}
	x.info.Lost += b.Messages - found.messages
	// What was found is live, and verified: it is decoded once more, so that a block that cannot be used leaves nothing.
	blockio.ScanBlock("", b.View.ID, blockio.NewRecordCodec(x.store.config.Name, b.View.ID), x.data[:found.bytes], false, func(_ int64, r blockio.Record) {
		if err != nil || r.Kind != blockio.KindMessage || !b.Live(r.Sequence) {
			return
		}
		x.info.Messages++
		x.info.Bytes += uint64(r.Size)
		x.entry = archive.Entry{Name: string(r.Subject), Time: r.Time, Sequence: r.Sequence, Header: r.Header, Payload: r.Payload}
		err = x.out.Write(&x.entry)
	})
	return err
}

// look reads a block, of any of the files that may have what is wanted, and finds what of it is there.
func (x *backup) look(b *engine.FrozenBlock) (blockVerification, error) {
	var errs []error
	for _, open := range x.ways(b) {
		c, err := x.lookAt(open, b)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	for _, err := range errs {
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, blockio.ErrSuperseded) && !errors.Is(err, ErrSnapshotStale) {
			return blockVerification{}, err
		}
	}
	return blockVerification{}, fmt.Errorf("%w: block %d: %w", ErrSnapshotStale, b.View.ID, errs[0])
}

func (x *backup) lookAt(open func() (*blockio.Block, error), b *engine.FrozenBlock) (blockVerification, error) {
	block, err := open()
	if err != nil {
		return blockVerification{}, err
	}
	defer block.Release()
	c := blockVerification{frozen: b, block: block}
	data, err := c.scan(x.data[:0])
	if err != nil {
		return c, err
	}
	x.data = data
	c.damage = slices.DeleteFunc(c.damage, func(d *blockio.CorruptionError) bool { // of what was removed before
		return d.Sequence > 0 && d.Last <= d.Sequence && !b.Live(d.Sequence)
	})
	if c.messages < b.Messages && x.frozen.retired != x.store.source.Blocks().Retired() {
		return c, fmt.Errorf("%w: %d of %d messages are there", ErrSnapshotStale, c.messages, b.Messages)
	}
	if c.messages == b.Messages {
		c.damage = nil
	}
	return c, nil
}
