package actors

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/archive"
)

var (
	// ErrArchive: refused, the bytes are no snapshot of a stream, or not all of one as it was written. Nothing was
	// written.
	ErrArchive = archive.ErrArchive
	// ErrIsBackup: refused by Restore, the bytes are those of a backup. It wraps ErrArchive; RestoreBackup takes them.
	ErrIsBackup = archive.ErrIsBackup
	// ErrIsSnapshot: refused by RestoreBackup, the bytes are those of a snapshot. It wraps ErrArchive; Restore takes them.
	ErrIsSnapshot = archive.ErrIsSnapshot
	// ErrArchiveLimit: refused, the archive holds more than RestoreOptions.MaxBytes. Nothing was written.
	ErrArchiveLimit = archive.ErrLimit
)

type (
	// RestoreOptions say how a stream is restored. Zero is usable.
	RestoreOptions struct {
		// Name, if not empty, is the one that the stream has to have. It cannot be changed: all checksums depend on it.
		Name string
		// Bases are the snapshots that an increment builds on, the latest first, down to a whole one.
		Bases []io.Reader
		// MaxBytes bounds the size of the stream's files together, if it is above 0.
		MaxBytes int64
		// Key, if not nil, encrypts the stream, as Config.Key does, with Cipher: ChaCha20 by default. Nothing of it is on the disk
		// before it is encrypted.
		Key    KeyFunc
		Cipher Cipher
		// FS is the file system. Default blockio.OS.
		FS blockio.FS
		// Progress, if set, is called now and then with the bytes that were written, on the goroutine of Restore.
		Progress func(written int64)
	}
	// RestoreInfo says what was restored.
	RestoreInfo struct {
		Name              string
		Blocks, Consumers int
		Bytes             int64 // of all files
		// Messages is how many messages have a record. In a snapshot of Store.Snapshot all of them are live.
		Messages uint64
	}
)

// Restore makes the stream of which r has a snapshot, of Store.Snapshot or of a nats-server that is not newer than
// 2.14 (and of later ones as long as they write the same), in the directory dir: that of Config.Dir. Open opens it
// then. Its configuration is the one that it had.
//
// All or nothing: the files are written into a directory beside the stream's, every checksum is verified on the way,
// and when all is durable the directory gets the stream's name. Until then no Open and no server takes it for a
// stream, also after a crash; the next Restore of the stream removes what one has left.
//
// It reads r to its end, on the caller's goroutine, and needs a few megabytes of memory, or as much as the largest
// record.
//
// Errors: ErrArchive says what is wrong with the archive, ErrIsBackup that it is of the other kind; ErrArchiveLimit;
// fs.ErrExist when there is a stream, or anything else, of that name; ErrConfig when it is not the Name asked for; and those of r, the file system and the
// context. After an error there is no stream, and nothing else either but dir itself, unless it came from the file
// system: only a failed sync of dir can come after the stream was made, which is whole then.
func Restore(ctx context.Context, dir string, r io.Reader, o RestoreOptions) (RestoreInfo, error) {
	if dir == "" {
		return RestoreInfo{}, fmt.Errorf("%w: the directory is empty", ErrConfig)
	}
	if o.FS == nil {
		o.FS = blockio.OS
	}
	if o.Cipher > CipherAES || o.Key == nil && (o.Cipher == CipherChaCha20 || o.Cipher == CipherAES) {
		return RestoreInfo{}, fmt.Errorf("%w: Cipher %d without a Key", ErrConfig, o.Cipher)
	}
	c, err := archive.Unpack(ctx, r, archive.Destination{
		Encrypt: o.encrypt(ctx), FS: o.FS, Dir: dir, Check: o.check, LockFile: lockFile, Holder: holder(), MaxBytes: o.MaxBytes, Progress: o.Progress,
		Bases: o.Bases,
	})
	if err != nil {
		return RestoreInfo{}, fmt.Errorf("restore a stream: %w", blockio.NameCause(err))
	}
	return RestoreInfo{Name: c.Stream, Blocks: c.Blocks, Consumers: c.Consumers, Bytes: c.Unpacked, Messages: c.Messages}, nil
}

// CatalogOf reads a snapshot to its end, and returns what an increment is made with that builds on it. The snapshot is
// checked as Restore checks it, but for what an increment leaves out. Errors are those of Restore.
func CatalogOf(ctx context.Context, r io.Reader) (SnapshotCatalog, error) {
	c, err := archive.ReadCatalog(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("catalog of a snapshot: %w", err)
	}
	return c, nil
}

// check refuses a stream that Open would refuse.
func (o *RestoreOptions) check(meta *blockio.StreamMeta) error {
	if err := storedName(meta.Name); err != nil {
		return errors.Join(ErrArchive, err)
	}
	if o.Name != "" && o.Name != meta.Name {
		return fmt.Errorf("%w: the snapshot is of %s, not of %s", ErrConfig, meta.Name, o.Name)
	}
	return nil
}
