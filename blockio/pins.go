package blockio

import (
	"fmt"
	"io/fs"
	"runtime"
	"slices"
)

// mostPinned bounds the removed blocks that one pin keeps open.
const mostPinned = 256

// A Pin keeps the blocks of a stream readable that are removed or replaced while it is held: the files
// that they had first stay open, without a name, until their turn has passed. It is for whoever goes
// through the blocks in order and has to find all that were there at the beginning, and costs nothing
// for those that stay as they are meanwhile.
type Pin struct {
	source *BlockSource

	// Guarded by the cache's mu.
	generation uint64 // of the source when the pin was taken: bytes of later ones are others
	next, last uint32 // the blocks whose turn is still to come
	kept       map[uint32]*Block
}

// Pin keeps the blocks up to the number last readable until Release.
func (s *BlockSource) Pin(last uint32) *Pin {
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	p := &Pin{source: s, generation: s.generation, next: 1, last: last}
	s.pins = append(s.pins, p)
	return p
}

// Pass says that blocks below a number are not needed any more.
func (p *Pin) Pass(next uint32) {
	p.source.cache.mu.Lock()
	p.next = next
	var out []*Block
	for id, b := range p.kept {
		if id < next {
			delete(p.kept, id)
			out = append(out, b)
		}
	}
	p.source.cache.mu.Unlock()
	releaseAll(out)
}

// unpin lets go of a block that was kept: what was in it is not to be read any more.
func (s *BlockSource) unpin(id uint32) {
	s.cache.mu.Lock()
	var out []*Block
	for _, p := range s.pins {
		if b := p.kept[id]; b != nil {
			delete(p.kept, id)
			out = append(out, b)
		}
	}
	s.cache.mu.Unlock()
	releaseAll(out)
}

// Release ends the pin.
func (p *Pin) Release() {
	p.Pass(MaxBlockID + 1)
	s := p.source
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	s.pins = slices.DeleteFunc(s.pins, func(other *Pin) bool { return other == p })
}

// Kept returns a block as it was in a generation, for one more use, if it was removed or replaced since the
// pin was taken and is kept. Else the error is fs.ErrNotExist, or ErrSuperseded if what is kept is a file of a
// later generation: it had been replaced before the pin was taken, for a view that came after the ref's.
func (p *Pin) Kept(ref BlockRef) (*Block, error) {
	p.source.cache.mu.Lock()
	defer p.source.cache.mu.Unlock()
	b := p.kept[ref.ID]
	if b == nil {
		return nil, fmt.Errorf("block %d was not kept: %w", ref.ID, fs.ErrNotExist)
	}
	if of := b.key.ref.Generation; of > ref.Generation {
		return nil, fmt.Errorf("%w: block %d is kept as of generation %d, not %d", ErrSuperseded, ref.ID, of, ref.Generation)
	}
	b.refs.Add(1) // beside that of the pin
	return b, nil
}

// wants reports whether the block is to be kept if it is removed or replaced now. The cache's mu is held.
func (p *Pin) wants(id uint32) bool {
	return id >= p.next && id <= p.last && p.kept[id] == nil && len(p.kept) < mostPinned && p.generation == p.source.generation
}

// removing keeps a block open, right before its file is removed, for those who have pinned it.
func (s *BlockSource) removing(id uint32) {
	s.cache.mu.Lock()
	wanted := slices.ContainsFunc(s.pins, func(p *Pin) bool { return p.wants(id) })
	ref := BlockRef{id, s.generationOf(id)}
	s.cache.mu.Unlock()
	if !wanted || runtime.GOOS == "windows" { // which removes no file that is open
		return
	}
	b, err := openBlock(blockKey{s, ref}, LeaseOptions{})
	if err != nil {
		return // who has pinned it does not find it then
	}
	b.refs.Store(1)
	b.gone.Store(true)
	s.cache.mu.Lock()
	s.keep(id, b)
	s.cache.mu.Unlock()
	b.Release()
}

// keep hands a block, as it is before it is removed or replaced, to those who have pinned it. The cache's mu is held.
func (s *BlockSource) keep(id uint32, b *Block) {
	for _, p := range s.pins {
		if p.wants(id) {
			if p.kept == nil {
				p.kept = make(map[uint32]*Block)
			}
			p.kept[id] = b
			b.refs.Add(1)
		}
	}
}
