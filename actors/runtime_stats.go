package actors

import (
	"github.com/seed-d8b58eba/millrace/actors/internal/read"
	"github.com/seed-d8b58eba/millrace/engine"
)

// RuntimeStats are the figures of a Runtime for monitoring: what all its stores together hold, and what they may.
type RuntimeStats struct {
	OpenFiles    int // that are read from
	Blocks       int // of those, that are kept for the next reads
	MaxOpenFiles int // RuntimeConfig.MaxOpenFiles: of each of the two, but for what is in use

	IndexBytes    int64 // indexes of blocks on the heap
	PageBytes     int64 // verified pages of index files
	MaxIndexBytes int64 // RuntimeConfig.IndexBytes: of each of the two
	ChunkBytes    int64 // decoded pieces of compressed blocks
	MaxChunkBytes int64

	SpareBytes    int64 // memory for the next blocks to be written
	MaxSpareBytes int64
	TailBytes     int64 // memory of blocks that are being written; beyond the bound streams keep less
	MaxTailBytes  int64

	Short, Long, Builds Workers // short and long reads for actors, and indexes that are being made in memory
}

// Workers are goroutines that do a kind of work.
type Workers struct {
	Busy    int
	Waiting int // those that wait until fewer are busy
	Most    int // that can be busy
}

// Stats returns the figures of the Runtime. It costs constant time.
func (r *Runtime) Stats() RuntimeStats {
	s := RuntimeStats{
		OpenFiles: r.readers.Blocks.Open(), MaxOpenFiles: r.most.MaxOpenFiles,
		PageBytes: r.readers.Pages.Bytes(), MaxIndexBytes: r.most.IndexBytes,
		MaxSpareBytes: r.most.SpareBytes,
		TailBytes:     r.buffers.out.Load() * engine.BufferSize, MaxTailBytes: r.most.TailBytes,
		Short: workersOf(r.short, r.most.Workers), Long: workersOf(r.long, r.most.Workers), Builds: workersOf(r.readers.Builds, r.most.Workers),
	}
	s.Blocks, s.IndexBytes = r.readers.Blocks.Kept()
	s.ChunkBytes, s.MaxChunkBytes = r.readers.Blocks.Decoded()
	r.buffers.mu.Lock()
	defer r.buffers.mu.Unlock()
	s.SpareBytes = int64(len(r.buffers.spare)) * engine.BufferSize
	return s
}

func workersOf(g *read.Gate, most int) Workers {
	return Workers{Busy: g.Inside(), Waiting: g.Waiting(), Most: most}
}
