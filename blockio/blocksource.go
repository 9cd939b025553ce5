package blockio

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// A BlockRef names a block as a snapshot of a stream knows it. The number alone is no
// identity: after a failure the stream is recovered from its files, which cuts some of
// them, and every snapshot taken since is of a higher generation.
type BlockRef struct {
	ID         uint32
	Generation uint64
}

// LeaseOptions say what a lease is for.
type LeaseOptions struct {
	// Whole: the file takes no more records, so that it may be mapped.
	Whole bool
	// Keep makes the block stay in the cache when it is released, as look-ups want it,
	// which come again. A single pass over all blocks does not keep them, and so pushes
	// nothing out that others use.
	Keep bool
}

// A BlockSource is the way of all readers to the blocks of one open stream. It is safe
// for concurrent use.
//
// Lease returns what a block's file was when it was opened. Whoever cuts, removes or
// replaces a file says so with Forget, and whoever does so to files that snapshots
// still speak of begins a new generation: of all blocks with Supersede or SupersedeAtOnce, of one whose old
// file snapshots go on reading with Replace.
type BlockSource struct {
	cache     *BlockCache
	fs        FS
	dir       string // the stream's
	stream    string
	lastCodec atomic.Pointer[numberedCodec]
	retired   atomic.Uint64
	// overwritten has how often RetireAll was called for a block, if it was: *atomic.Uint64 by number.
	overwritten sync.Map

	// Guarded by cache.mu.
	generation uint64 // refs of lower ones are refused
	closed     bool   // nothing more is kept in the cache
	// replaced has the blocks whose files were replaced since that generation began.
	replaced   map[uint32]*replacedFile
	pins       []*Pin
	superseded []*Block // what SupersedeAtOnce has left open
}

// numberedCodec is the codec of a block, and the block's number.
type numberedCodec struct {
	id    uint32
	codec *RecordCodec
}

// Path returns the file of a block.
func (s *BlockSource) Path(id uint32) string { return BlockPath(s.dir, id) }

// Codec returns the record codec of a block. The last one is kept: readers mostly stay
// with one block.
func (s *BlockSource) Codec(id uint32) *RecordCodec {
	if last := s.lastCodec.Load(); last != nil && last.id == id {
		return last.codec
	}
	codec := NewRecordCodec(s.stream, id)
	s.lastCodec.Store(&numberedCodec{id, codec})
	return codec
}

// Lease returns a block, opened now or before. The caller releases it, once.
//
// With Keep, a block may be in the cache from when it still took records: Whole says so,
// and after Drop the next lease opens it anew. Without Keep, a lease of a whole block is
// always of one that was opened as such.
//
// The error is of the file system, fs.ErrNotExist when the block is gone; or it wraps
// ErrSuperseded, also when the file of that generation was replaced and is not kept any
// more, or ErrCompressed.
func (s *BlockSource) Lease(ref BlockRef, o LeaseOptions) (*Block, error) {
	return s.cache.lease(blockKey{s, ref}, o)
}

// Forget makes the next lease of a block open the file anew: it was removed, cut or
// replaced, or is about to be. Leases that are out stay usable. A block that is just
// being opened is not kept.
func (s *BlockSource) Forget(id uint32) {
	s.cache.forget(func(key blockKey) bool { return key.source == s && key.ref.ID == id })
}

// Supersede refuses refs of lower generations from now on with ErrSuperseded, and
// forgets the blocks that were leased by such refs. It never goes back to a lower
// generation.
func (s *BlockSource) Supersede(generation uint64) {
	s.SupersedeAtOnce(generation)
	s.CloseSuperseded()
}

// SupersedeAtOnce is Supersede that leaves the files of the blocks open that are forgotten, until CloseSuperseded or
// Close: to close those that are mapped takes a while. What an earlier call has left open is closed.
func (s *BlockSource) SupersedeAtOnce(generation uint64) {
	s.cache.mu.Lock()
	before := s.superseded
	defer func() {
		s.cache.mu.Unlock()
		releaseAll(before)
	}()
	s.generation = max(s.generation, generation)
	out := s.letGo(func(old *oldFile) bool { return old.until <= generation })
	for id, r := range s.replaced {
		if r.generation <= generation {
			delete(s.replaced, id)
		}
	}
	out = append(out, s.cache.takeOut(func(key blockKey) bool { return key.source == s && key.ref.Generation < generation })...)
	s.superseded = out
}

// CloseSuperseded closes the files that SupersedeAtOnce has left open, but for those that are leased.
func (s *BlockSource) CloseSuperseded() {
	s.cache.mu.Lock()
	out := s.superseded
	s.superseded = nil
	s.cache.mu.Unlock()
	releaseAll(out)
}

// Close forgets all blocks of the stream. Leases that are out stay usable, and there
// may be more, but the cache keeps none of them.
func (s *BlockSource) Close() {
	s.cache.mu.Lock()
	s.closed = true
	out := s.letGo(func(*oldFile) bool { return true })
	s.cache.mu.Unlock()
	releaseAll(out)
	s.CloseSuperseded()
	s.cache.forget(func(key blockKey) bool { return key.source == s })
}

// checkCurrent refuses a ref of a generation that has been superseded. The caller holds
// cache.mu.
func (s *BlockSource) checkCurrent(ref BlockRef) error {
	if ref.Generation < s.generation {
		return fmt.Errorf("%w: block %d of %s as of generation %d, which is %d now",
			ErrSuperseded, ref.ID, s.stream, ref.Generation, s.generation)
	}
	return nil
}
