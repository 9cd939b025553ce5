package blockio

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
)

// mostOldFiles bounds, over all streams, the files of blocks that were replaced and are
// still open for snapshots that speak of them. They take room on the disk, too.
const mostOldFiles = 64

// errReplaced is the error for a file that was replaced while it was being opened: the
// lease begins again.
var errReplaced = errors.New("replaced")

// A replacedFile is what is known of a block whose file was replaced.
type replacedFile struct {
	generation uint64 // of the file that is there now
	removed    bool   // the block has been removed since
}

// An oldFile is the file that a block had before it was replaced, open for those who
// ask for one of its generations.
type oldFile struct {
	block       *Block
	from, until uint64 // generations, the second one exclusive
}

// Replace begins a new generation of one block, right before its file is replaced: who
// asks for an earlier one is given the file that it has now, until Retire. The caller
// replaces the file then, by renaming another one, and calls undo if that fails.
//
// The old files of a process are bounded in number: the oldest go first, and who asks
// for them is told ErrSuperseded, as after Retire. Windows replaces no file that is open,
// so no old one is kept there.
func (s *BlockSource) Replace(id uint32, generation uint64) (undo func(), err error) {
	if runtime.GOOS == "windows" {
		s.Forget(id)
		return s.replace(id, generation, nil), nil
	}
	s.cache.mu.Lock()
	now := s.generationOf(id)
	s.cache.mu.Unlock()
	b, err := openBlock(blockKey{s, BlockRef{id, now}}, LeaseOptions{Whole: true, Keep: true})
	if err != nil {
		return nil, err
	}
	b.refs.Store(1)
	return s.replace(id, generation, b), nil
}

// replace is Replace with the old file opened.
func (s *BlockSource) replace(id uint32, generation uint64, b *Block) (undo func()) {
	c := s.cache
	c.mu.Lock()
	before := s.replaced[id]
	from := s.generationOf(id)
	if s.replaced == nil {
		s.replaced = make(map[uint32]*replacedFile)
	}
	s.replaced[id] = &replacedFile{generation: generation}
	var out []*Block
	if b != nil && !s.closed {
		c.old = append(c.old, &oldFile{b, from, generation})
		s.keep(id, b)
		if n := len(c.old) - mostOldFiles; n > 0 {
			first := c.old[:n]
			out = c.letGo(func(old *oldFile) bool { return slices.Contains(first, old) })
		}
	} else if b != nil {
		out = append(out, b)
	}
	c.mu.Unlock()
	releaseAll(out)
	return func() {
		c.mu.Lock()
		if s.replaced[id] = before; before == nil {
			delete(s.replaced, id)
		}
		out := s.letGo(func(old *oldFile) bool { return old.block == b })
		c.mu.Unlock()
		releaseAll(out)
	}
}

// Retire lets go of the file that Replace has kept of a block for a generation, and of
// those of earlier ones: the snapshots that speak of them are gone. It is safe to call it
// for what was never kept.
func (s *BlockSource) Retire(ref BlockRef) {
	s.cache.mu.Lock()
	out := s.letGo(func(old *oldFile) bool { return old.block.key.ref.ID == ref.ID && old.from <= ref.Generation })
	s.cache.mu.Unlock()
	releaseAll(out)
}

// RetireAll lets go of all files that Replace has kept of a block, and forgets it: what
// was in them is not to be read any more.
func (s *BlockSource) RetireAll(id uint32) {
	s.retired.Add(1)
	count, _ := s.overwritten.LoadOrStore(id, new(atomic.Uint64))
	count.(*atomic.Uint64).Add(1)
	s.Retire(BlockRef{id, math.MaxUint64})
	s.unpin(id)
	s.Forget(id)
}

// Retired returns how often RetireAll was called: before each time that bytes of a block are
// overwritten which a snapshot may speak of.
func (s *BlockSource) Retired() uint64 { return s.retired.Load() }

// retiredOf is Retired for one block.
func (s *BlockSource) retiredOf(id uint32) uint64 {
	if s.retired.Load() == 0 {
		return 0 // as nearly always, and a map that is asked takes memory
	}
	if count, ok := s.overwritten.Load(id); ok {
		return count.(*atomic.Uint64).Load()
	}
	return 0
}

// Current returns the ref of a block as its file is now: the given one, or that of a
// later generation that Replace has begun.
func (s *BlockSource) Current(ref BlockRef) BlockRef {
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	if r := s.replaced[ref.ID]; r != nil {
		ref.Generation = max(ref.Generation, r.generation)
	}
	return ref
}

// removed notes that the file of a block is gone for good.
func (s *BlockSource) removed(id uint32) {
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	if r := s.replaced[id]; r != nil {
		r.removed = true
		s.forgetReplaced(id)
	}
}

// The functions below are called with cache.mu held.

// generationOf returns the lowest generation by which the file of a block is leased.
func (s *BlockSource) generationOf(id uint32) uint64 {
	if r := s.replaced[id]; r != nil {
		return max(r.generation, s.generation)
	}
	return s.generation
}

// isReplaced reports whether the file of a block is of a later generation than a ref.
func (s *BlockSource) isReplaced(ref BlockRef) bool {
	r := s.replaced[ref.ID]
	return r != nil && ref.Generation < r.generation
}

// checkOpened is checkCurrent for a block that was just opened by its path.
func (s *BlockSource) checkOpened(ref BlockRef) error {
	if err := s.checkCurrent(ref); err != nil {
		return err
	}
	if s.isReplaced(ref) {
		return errReplaced
	}
	return nil
}

// oldBlock returns the old file of a block that was replaced, for one more use.
func (s *BlockSource) oldBlock(ref BlockRef) (*Block, error) {
	for _, old := range s.cache.old {
		if old.of(s, ref.ID) && ref.Generation >= old.from && ref.Generation < old.until {
			old.block.refs.Add(1) // beside that of the old file
			return old.block, nil
		}
	}
	return nil, fmt.Errorf("%w: block %d of %s as of generation %d was replaced", ErrSuperseded, ref.ID, s.stream, ref.Generation)
}

// of reports whether the file is of that block.
func (o *oldFile) of(s *BlockSource, id uint32) bool {
	return o.block.key.source == s && o.block.key.ref.ID == id
}

// letGo takes the old files of the source that match out of the cache. The caller
// releases them without the lock.
func (s *BlockSource) letGo(match func(*oldFile) bool) []*Block {
	return s.cache.letGo(func(old *oldFile) bool { return old.block.key.source == s && match(old) })
}

// letGo takes old files out of the cache, of whatever source. The caller releases them
// without the lock.
func (c *BlockCache) letGo(match func(*oldFile) bool) (out []*Block) {
	var gone []blockKey
	c.old = slices.DeleteFunc(c.old, func(old *oldFile) bool {
		if !match(old) {
			return false
		}
		old.block.gone.Store(true)
		out = append(out, old.block)
		gone = append(gone, old.block.key)
		return true
	})
	for _, key := range gone {
		key.source.forgetReplaced(key.ref.ID)
	}
	return out
}

// forgetReplaced forgets a block that was removed when no old file of it is kept: asking
// for it by whatever ref finds no file.
func (s *BlockSource) forgetReplaced(id uint32) {
	r := s.replaced[id]
	if r != nil && r.removed && !slices.ContainsFunc(s.cache.old, func(old *oldFile) bool { return old.of(s, id) }) {
		delete(s.replaced, id)
	}
}

// Replaced reports whether the file of the block was replaced since it was opened: what
// describes the block beside its path is then of the other file.
func (b *Block) Replaced() bool {
	s := b.key.source
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	return s.isReplaced(b.key.ref)
}
