package blockio

import (
	"errors"
	"sync"
	"sync/atomic"
)

// A Block is a lease of one block: its bytes, as records, and what somebody made of
// them. It stays usable until it is released, also when the file is removed or replaced
// meanwhile. Lease, or a Retain that is true, is one use of it, which one Release ends;
// in between it is safe for concurrent use.
type Block struct {
	key   blockKey
	path  string
	codec *RecordCodec
	whole bool
	stat  FileStat // when it was opened; of the plain block if it is compressed

	file       File // reads as the plain block
	compressed bool
	mapping    *Mapping        // nil when the bytes are not mapped
	resident   []atomic.Uint64 // a bit for each stretch of the mapping that was populated

	refs atomic.Int64 // one for each use, and one of the cache that keeps it
	gone atomic.Bool  // not to be used by anybody new: the cache does not keep it
	used atomic.Bool  // since the cache looked at it last

	description atomic.Pointer[Description]
	describing  sync.Mutex    // guards attempt
	attempt     *describeCall // that is being made of it, nil when none is

	// Guarded by the cache's mu.
	kept bool
	heap int64 // bytes that the cache counts for the description, and for the list of chunks
}

// openBlock opens the file of a block. Nobody uses the block yet.
func openBlock(key blockKey, o LeaseOptions) (*Block, error) {
	for {
		retired := key.source.retiredOf(key.ref.ID)
		b, err := openOnce(key, o)
		if key.source.retiredOf(key.ref.ID) == retired {
			return b, err
		}
		// The file may be one that was overwritten meanwhile, and then looks like none that is compressed.
		if err == nil {
			_ = b.close() // nothing was written to it
		}
	}
}

func openOnce(key blockKey, o LeaseOptions) (*Block, error) {
	s := key.source
	b := &Block{key: key, path: s.Path(key.ref.ID), codec: s.Codec(key.ref.ID), whole: o.Whole}
	file, err := s.fs.OpenFile(b.path, ModeRead)
	if err != nil {
		return nil, err
	}
	b.file = file
	s.cache.open.Add(1)
	if err := b.look(o); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// look sees what the file is, and maps it if it may.
func (b *Block) look(o LeaseOptions) (err error) {
	if b.stat, err = b.file.Stat(); err != nil {
		return err
	}
	if b.file, b.compressed, err = plainFile(b.file, b.path, b.stat, b); err != nil {
		return err
	}
	if b.compressed {
		b.stat, _ = b.file.Stat() // it cannot fail
	}
	// A block that still takes records is cut when it is full, and a mapping must not
	// reach behind the end of its file. A single pass is quicker without one.
	if !o.Whole || !o.Keep || b.compressed {
		return nil
	}
	if m, ok := MapFile(b.file, b.stat.Size); ok {
		b.mapping = m
		b.resident = make([]atomic.Uint64, b.stat.Size/stretch/64+1)
	}
	return nil
}

// Ref returns what the block was leased by.
func (b *Block) Ref() BlockRef { return b.key.ref }

// Path returns the file of the block.
func (b *Block) Path() string { return b.path }

// Codec returns the record codec of the block.
func (b *Block) Codec() *RecordCodec { return b.codec }

// Whole reports whether the block took no more records when it was opened.
func (b *Block) Whole() bool { return b.whole }

// Mapped reports whether At returns memory that the file is mapped to, which is read
// under Guard.
func (b *Block) Mapped() bool { return b.mapping != nil }

// Size returns how long the block was when it was opened, in bytes.
func (b *Block) Size() int64 { return b.stat.Size }

// Compressed reports whether the file of the block is compressed. The Block reads as the plain one all the same.
func (b *Block) Compressed() bool { return b.compressed }

// Stat returns what the file was when it was opened, with the length of the plain block if it is compressed. The
// error is always nil.
func (b *Block) Stat() (FileStat, error) { return b.stat, nil }

// Retain takes the block into use once more, unless the cache does not keep it any
// longer: it is then not to be used by anybody new. Whoever holds on to a released block
// spares the look-up in the cache with it. It takes no lock and allocates nothing.
func (b *Block) Retain() bool {
	for {
		// In this order: the cache's own use ends after gone is set, so that n is not 0
		// when gone is not set yet.
		n := b.refs.Load()
		if b.gone.Load() {
			return false
		}
		if b.refs.CompareAndSwap(n, n+1) {
			if !b.used.Load() { // a write that all processors see, only when it is needed
				b.used.Store(true)
			}
			return true
		}
	}
}

// Release ends one use. What the block holds is closed with the last one when the cache
// does not keep it.
func (b *Block) Release() {
	if b.refs.Add(-1) == 0 {
		_ = b.close() // nothing was written to the file
	}
}

// Drop makes the next lease of the block open it anew, because something made of it
// turned out to be wrong. The caller still holds its own lease, and releases it.
func (b *Block) Drop() { b.key.source.cache.drop(b) }

// Forgotten reports whether the cache does not keep the block, or not any more.
func (b *Block) Forgotten() bool { return b.gone.Load() }

// close closes the description, the mapping and the file. The memory goes too: somebody
// may hold on to a Block that is of no use any more.
func (b *Block) close() error {
	var errs []error
	if d := b.description.Swap(nil); d != nil {
		errs = append(errs, (*d).Close())
	}
	if b.mapping != nil {
		errs = append(errs, b.mapping.Close())
	}
	errs = append(errs, b.file.Close())
	b.key.source.cache.open.Add(-1)
	b.resident = nil
	return errors.Join(errs...)
}
