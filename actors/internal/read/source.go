package read

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// Shared is what the readers of all streams of a process share.
type Shared struct {
	Blocks *blockio.BlockCache
	Pages  *blockindex.PageCache // the pages of block indexes that were verified
	Builds *Gate                 // those that make an index of a block in memory
}

// NewShared returns what readers share: at most blocks blocks kept open for look-ups; at most heap bytes of indexes that were made in memory and are kept, and as many of pages of
// index files; at most builds indexes
// being made at a time, each of which takes the memory of a whole block.
func NewShared(blocks int, heap int64, builds int) *Shared {
	return &Shared{
		Blocks: blockio.NewBlockCache(blocks, heap), Pages: blockindex.NewPageCache(heap), Builds: NewGate(builds),
	}
}

// Build runs f, which makes an index of a whole block, when less than the bound are being made.
func (s *Shared) Build(f func()) {
	s.Builds.Enter()
	defer s.Builds.Leave()
	f()
}

// Config describes a Source.
type Config struct {
	Stream    string // its name
	FS        blockio.FS
	Dir       string // of the stream's files
	Published *engine.Published
	Shared    *Shared
	// Stopped is set when the store stops. Questions are then answered with ErrStopped.
	Stopped *atomic.Bool
	Log     *slog.Logger
	// BadIndex is called when the index file of a block turns out to be of no use, from any goroutine.
	BadIndex func(block uint32, why error)
	// Lose, if not nil, is called when a reader finds messages lost, from any goroutine and perhaps many
	// times for the same ones.
	Lose func(engine.Loss)
	// Renew, if not nil, is called when an index file has turned out to be right although the modification
	// time of its block differs: now is what the file of the block is.
	Renew func(now blockindex.Identity)
	// IndexFrom is the size, in bytes, from which a block gets an index file; below zero none does.
	IndexFrom int64
}

// Source is a stream as its readers see it. Its methods are safe for concurrent use.
type Source struct {
	Config
	blocks *blockio.BlockSource
	// distrusted holds the numbers of blocks whose index file is of no use until it is written again.
	distrusted sync.Map
	doubts     doubts
	cut        atomic.Pointer[cut]
}

// NewSource returns a Source.
func NewSource(c Config) *Source {
	return &Source{Config: c, blocks: c.Shared.Blocks.Source(c.FS, c.Dir, c.Stream)}
}

// Blocks returns the way to the stream's blocks: what removes, cuts or replaces their files says so
// there.
func (s *Source) Blocks() *blockio.BlockSource { return s.blocks }

// Path returns the file of a block.
func (s *Source) Path(id uint32) string { return s.blocks.Path(id) }

// IndexWritten tells that the index file of a block was written. Readers that have made an index of
// their own find the file from now on.
func (s *Source) IndexWritten(id uint32) {
	s.distrusted.Delete(id)
	s.blocks.Forget(id)
}

// badIndex reports an index file that is of no use.
func (s *Source) badIndex(id uint32, why error) {
	if s.Stopped.Load() {
		return
	}
	s.distrusted.Store(id, true)
	s.BadIndex(id, why)
}
