package blockio

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// UnfinishedSuffix ends the name of a file that is being written to take the
	// place of the one without it.
	UnfinishedSuffix = ".tmp"

	// MaxBlockFile is the largest block file, in bytes, that is read.
	MaxBlockFile = 1 << 30

	// keyCacheSize bounds the keys kept; deriving one is a SHA-256.
	keyCacheSize = 8
)

// BlocksOptions are the options of Blocks. The zero value is usable.
type BlocksOptions struct {
	// BlockSize is where the store rolls to a new block, in bytes: no zeros are
	// written ahead beyond it. 0 means 8 MiB.
	BlockSize int64
	// NoZeroAhead turns off writing zeros, and making holes, ahead of synced appends.
	NoZeroAhead bool
	// Beside lists the endings of files that describe a block, such as ".bix": they
	// go with the block.
	Beside []string
	// Source, if set, is what the blocks are read through: it forgets a block before
	// and after the file is removed or truncated, so that nobody is served what the file
	// was. Before, since Windows removes no file that is open.
	Source *BlockSource
	// Tails, if set, bounds how many files stay open for writing that nobody writes to.
	Tails *Tails
	// OnStray, if set, is told of names in the directory that look like a block
	// and are none, such as 04.blk. nats-server refuses such a directory.
	OnStray func(name string)
}

// A BlockInfo is one block file.
type BlockInfo struct {
	ID      uint32
	Size    int64 // bytes on disk, zeros written ahead included
	ModTime int64 // when it was last changed, see FileStat
}

// Blocks is the block files of one stream: <dir>/msgs/<number>.blk.
//
// It is made for two writers and any number of readers: one goroutine that
// creates and appends, one that syncs, seals and removes, at the same time, but
// on one block only Sync may overlap with Append. No lock is held across I/O, but
// for syncs of the directory, which take turns.
//
// An error from a write or a sync leaves the block broken: what the file holds
// is unknown, and Append and Sync return ErrBroken until Truncate. That of a sync
// wraps ErrSync. One from a sync of the directory is final: no block is created
// or removed any more.
type Blocks struct {
	fs     FS
	dir    string // the stream's
	stream string
	opts   BlocksOptions

	mu    sync.Mutex
	open  map[uint32]*tail
	keys  [keyCacheSize]cachedKey
	evict int // which of keys goes next

	appendSync time.Duration // of the goroutine that appends, see TakeSyncTime

	dirMu     sync.Mutex // held while the directory is synced
	dirBroken error      // the first failure of that
}

type cachedKey struct {
	id  uint32
	key *RecordCodec
}

// A tail is a block that is open for writing. Its fields but file are guarded
// by Blocks.mu, or belong to the one Append that has busy set.
type tail struct {
	blocks *Blocks
	id     uint32
	file   File  // nil while the block rests, see Rest
	end    int64 // where the next record goes
	size   int64 // of the file; all zeros from end on
	ahead  zeroAhead
	busy   bool
	renew  bool  // the block is to have another key before anything is written to it
	broken error // the first failure of a write or sync

	writes, synced uint64     // appends so far, and those before the last sync
	syncing        int        // calls of Sync that are under way
	used           bool       // since somebody looked whether the file is to be closed
	resting        bool       // the file is being closed, by whoever holds moving
	moving         sync.Mutex // taken before Blocks.mu, or tried
	turn           sync.Mutex // of those who sync the file, taken before Blocks.mu
	was            FileStat   // of the file when it was closed
	place          int        // in Tails, which guards it
}

// NewBlocks returns the blocks of the stream in dir, which is the directory that
// holds the stream's meta.inf. It touches nothing.
func NewBlocks(fsys FS, dir, stream string, opts BlocksOptions) *Blocks {
	if opts.BlockSize <= 0 {
		opts.BlockSize = 8 << 20
	}
	return &Blocks{fs: fsys, dir: dir, stream: stream, opts: opts, open: make(map[uint32]*tail)}
}

// Stream returns the name of the stream, which is part of the key of its checksums.
func (b *Blocks) Stream() string { return b.stream }

// Dir is the directory of the block files.
func (b *Blocks) Dir() string { return BlocksDir(b.dir) }

// Path is the file of a block.
func (b *Blocks) Path(id uint32) string { return BlockPath(b.dir, id) }

// List returns the blocks there are, ascending. Names that are not exactly a
// number from 1 to MaxBlockID without leading zeros and .blk are passed over; see
// OnStray.
func (b *Blocks) List() ([]BlockInfo, error) {
	blocks, _, err := b.ListAll()
	return blocks, err
}

// ListAll is List, and returns with the blocks all that is in their directory.
func (b *Blocks) ListAll() (blocks []BlockInfo, entries []Entry, err error) {
	if entries, err = b.fs.ReadDir(b.Dir()); err != nil {
		return nil, nil, fmt.Errorf("list blocks of %s: %w", b.stream, err)
	}
	for _, entry := range entries {
		id, ok := blockID(entry.Name)
		switch {
		case ok && !entry.IsDir:
			blocks = append(blocks, BlockInfo{ID: id, Size: entry.Size, ModTime: entry.ModTime})
		case b.opts.OnStray != nil && strings.HasSuffix(entry.Name, blockSuffix):
			b.opts.OnStray(entry.Name)
		}
	}
	slices.SortFunc(blocks, func(x, y BlockInfo) int {
		if x.ID < y.ID {
			return -1
		}
		return 1
	})
	return blocks, entries, nil
}

// Codec returns the record codec of a block. A few are kept.
func (b *Blocks) Codec(id uint32) *RecordCodec {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, cached := range b.keys {
		if cached.key != nil && cached.id == id {
			return cached.key
		}
	}
	key := NewRecordCodec(b.stream, id)
	b.keys[b.evict] = cachedKey{id: id, key: key}
	b.evict = (b.evict + 1) % keyCacheSize
	return key
}

// ReadAll reads a whole block, as it is when it is not compressed, into buf, which is replaced when it is too small.
// A file above MaxBlockFile is refused with ErrTooLarge. When some of it cannot be read,
// the error wraps an *UnreadableError, and the rest comes with it.
func (b *Blocks) ReadAll(id uint32, buf []byte) ([]byte, error) {
	data, err := b.readPlain(id, func(file File) ([]byte, error) {
		return readBlock(file, b.Codec(id), b.Path(id), -1, buf)
	})
	return data, b.wrap("read", id, err)
}

// readPlain opens the file of a block, as it is when it is not compressed, for one read.
func (b *Blocks) readPlain(id uint32, read func(file File) ([]byte, error)) (data []byte, err error) {
	file, err := b.fs.OpenFile(b.Path(id), ModeRead)
	if err != nil {
		return nil, err
	}
	stat, err := file.Stat()
	if err == nil {
		file, _, err = plainFile(file, b.Path(id), stat, nil)
	}
	if err == nil {
		data, err = read(file)
	}
	return data, errors.Join(err, file.Close())
}

// wrap adds what was done to which block.
func (b *Blocks) wrap(what string, id uint32, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s block %d of %s: %w", what, id, b.stream, err)
}

// Create makes a new, empty block and keeps it open for appending. On return
// its directory entry is durable. It is an error, fs.ErrExist, when there is
// such a file.
func (b *Blocks) Create(id uint32) error {
	if id == 0 || id > MaxBlockID {
		return b.wrap("create", id, ErrBlockID)
	}
	file, err := b.fs.OpenFile(b.Path(id), ModeCreate)
	if err != nil {
		return b.wrap("create", id, b.created(id, err))
	}
	if err = b.syncDir(); err != nil {
		return b.wrap("create", id, errors.Join(err, file.Close()))
	}
	return b.wrap("create", id, b.hold(&tail{id: id, file: file}))
}

// OpenTail opens a block for appending at end, which recovery found. What the
// file has behind end must be zeros; anything else is an error, ErrOffset, and
// so is a file that is shorter.
func (b *Blocks) OpenTail(id uint32, end int64) error {
	file, err := b.fs.OpenFile(b.Path(id), ModeReadWrite)
	if err != nil {
		return b.wrap("open", id, err)
	}
	stat, err := file.Stat()
	if err == nil {
		err = checkZeros(file, end, stat.Size)
	}
	if err != nil {
		return b.wrap("open", id, errors.Join(err, file.Close()))
	}
	_, sealed := SealerOf(b.fs)
	return b.wrap("open", id, b.hold(&tail{
		id: id, file: file, end: end, size: stat.Size, renew: sealed && end == 0, writes: foundWrites,
	}))
}

// checkZeros returns an error unless the file is at least from bytes long, and all zeros
// after that: of an encrypted one zeros as the disk has them, or as recovery finds them.
func checkZeros(file File, from, size int64) error {
	if from < 0 || size < from {
		return fmt.Errorf("%w: %d, the file has %d bytes", ErrOffset, from, size)
	}
	buf := make([]byte, min(size-from, 64<<10))
	for at := from; at < size; {
		n, err := storedFile(file).ReadAt(buf[:min(size-at, int64(len(buf)))], at)
		if n == 0 && err != nil {
			return err
		}
		if sealed, ok := file.(SealedFile); ok {
			unsealNonzero(sealed, buf[:n], at)
		}
		if end := trimZeros(buf[:n]); end > 0 {
			return fmt.Errorf("%w: %d, there is data up to %d", ErrOffset, from, at+int64(end))
		}
		at += int64(n)
	}
	return nil
}

// hold adds an open block. A second handle for one block is refused.
func (b *Blocks) hold(t *tail) error {
	t.blocks, t.used = b, true
	b.mu.Lock()
	_, taken := b.open[t.id]
	if !taken {
		b.open[t.id] = t
	}
	b.mu.Unlock()
	if taken {
		return errors.Join(fmt.Errorf("already open for writing: %w", fs.ErrExist), t.file.Close())
	}
	b.opts.Tails.enter(t)
	return nil
}

// Sync makes durable what was appended to an open block before it.
func (b *Blocks) Sync(id uint32) error {
	b.mu.Lock()
	t := b.tailOf(id)
	err := usable(t)
	if err != nil || t.file == nil { // what rests was synced before
		b.mu.Unlock()
		return b.wrap("sync", id, err)
	}
	file, writes := t.file, t.writes
	if t.busy { // the append that is under way may come too late for this sync
		writes--
	}
	t.syncing++
	b.mu.Unlock()
	err = b.syncTail(t, file)
	b.mu.Lock()
	t.syncing--
	if err == nil {
		t.synced = max(t.synced, writes)
	}
	b.mu.Unlock()
	return b.wrap("sync", id, err)
}

// usable returns an error unless the block is open and nothing has failed. The caller
// holds Blocks.mu.
func usable(t *tail) error {
	switch {
	case t == nil:
		return ErrNotOpen
	case t.broken != nil:
		return fmt.Errorf("%w: %w", ErrBroken, t.broken)
	}
	return nil
}

// Seal ends the appending to a block: zeros written ahead are cut off, the file
// is synced, and the handle closed. size must be the end of its records, else
// nothing is done and the error is ErrOffset. A block that is not open, as one
// of an earlier process, is sealed as well. BlocksOptions.Source is not told: a
// block that still took records is not mapped, and its records stay where they were.
func (b *Blocks) Seal(id uint32, size int64) error {
	b.mu.Lock()
	t := b.tailOf(id)
	err := error(nil)
	if t != nil {
		if err = usable(t); err == nil && t.end != size {
			err = fmt.Errorf("%w: seal at %d, the block ends at %d", ErrOffset, size, t.end)
		}
		if err == nil {
			delete(b.open, id)
		}
	}
	b.mu.Unlock()
	if err != nil {
		return b.wrap("seal", id, err)
	}
	if t == nil {
		return b.wrap("seal", id, b.sealClosed(id, size))
	}
	if t.file == nil {
		err = b.wake(id, t)
	}
	if err == nil {
		err = b.checkOurs(id, t)
	}
	if err == nil && t.size > size {
		err = t.file.Truncate(size)
	}
	if err == nil {
		err = b.syncTail(t, t.file)
	}
	return b.wrap("seal", id, errors.Join(err, b.closeTail(t)))
}

func (b *Blocks) sealClosed(id uint32, size int64) error {
	file, err := b.fs.OpenFile(b.Path(id), ModeReadWrite)
	if err != nil {
		return err
	}
	stat, err := file.Stat()
	if err == nil {
		err = checkZeros(file, size, stat.Size)
	}
	if err == nil && stat.Size > size {
		err = file.Truncate(size)
	}
	if err == nil {
		err = SyncFile(file)
	}
	return errors.Join(err, file.Close())
}

// Truncate cuts a block to size bytes, whatever is behind that, and makes it
// durable: for recovery, and after a failed append. A write handle of the block
// is closed; OpenTail opens it again. A size beyond the end is ErrOffset.
func (b *Blocks) Truncate(id uint32, size int64) error {
	closeErr := b.drop(id) // of interest only when the truncation fails as well
	b.forget(id)
	defer b.forget(id)
	file, err := b.fs.OpenFile(b.Path(id), ModeReadWrite)
	if err != nil {
		return b.wrap("truncate", id, errors.Join(err, closeErr))
	}
	stat, err := file.Stat()
	if err == nil && (size < 0 || size > stat.Size) {
		err = fmt.Errorf("%w: truncate to %d, the file has %d bytes", ErrOffset, size, stat.Size)
	}
	if err == nil {
		err = file.Truncate(size)
	}
	if err == nil {
		err = SyncFile(file)
	}
	return b.wrap("truncate", id, errors.Join(err, file.Close()))
}

// drop closes the write handle of a block, if there is one.
func (b *Blocks) drop(id uint32) error {
	b.mu.Lock()
	t := b.tailOf(id)
	delete(b.open, id)
	b.mu.Unlock()
	if t == nil {
		return nil
	}
	return b.closeTail(t)
}

// Remove removes the files of blocks, and is durable on return. Blocks that are
// not there are as good as removed. All are tried, also after an error. What
// describes a block goes first, durably: left over without its block, it would speak
// of a loss.
func (b *Blocks) Remove(ids ...uint32) error {
	errs := []error{b.removeBeside(ids...)}
	if errs[0] != nil {
		return errs[0]
	}
	removed := false
	for _, id := range ids {
		was, err := b.unlink(id)
		removed = removed || was
		errs = append(errs, err)
	}
	if removed {
		if err := b.syncDir(); err != nil {
			errs = append(errs, fmt.Errorf("remove blocks of %s: %w", b.stream, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return b.removeKeys(ids, removed)
}

// unlink removes the file of a block, and reports whether there was one. That is not durable yet.
func (b *Blocks) unlink(id uint32) (removed bool, err error) { return b.takeAway(id, b.fs.Remove) }

// takeAway has the file of a block removed, or renamed, and reports whether there was one.
func (b *Blocks) takeAway(id uint32, take func(path string) error) (taken bool, err error) {
	closeErr := b.drop(id)
	if b.opts.Source != nil {
		b.opts.Source.removing(id)
	}
	b.forget(id)
	err = take(b.Path(id))
	b.forget(id)
	taken = err == nil
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil && b.opts.Source != nil {
		b.opts.Source.removed(id)
	}
	return taken, b.wrap("remove", id, errors.Join(err, closeErr))
}

// forget makes the next reader of a block open its file anew.
func (b *Blocks) forget(id uint32) {
	if b.opts.Source != nil {
		b.opts.Source.Forget(id)
	}
}

// Close closes all write handles. It neither syncs nor seals. It may be called
// again; blocks can be opened again after it.
func (b *Blocks) Close() error {
	b.mu.Lock()
	ids := slices.Collect(maps.Keys(b.open))
	b.mu.Unlock()
	var errs []error
	for _, id := range ids {
		errs = append(errs, b.wrap("close", id, b.drop(id)))
	}
	return errors.Join(errs...)
}
