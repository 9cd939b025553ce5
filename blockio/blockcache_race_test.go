package blockio_test

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

const (
	hammeredBlocks = 8
	hammeredSize   = 40_000
)

// hammer is a cache under everything that can be done to it at once.
type hammer struct {
	t          *testing.T
	files      blockio.FS
	dir        string
	cache      *blockio.BlockCache
	source     *blockio.BlockSource
	generation atomic.Uint64
	made       atomic.Int64 // descriptions
	attached   [hammeredBlocks + 1]atomic.Pointer[blockio.Block]
	want       [hammeredBlocks + 1][]byte
}

// hammered is a description that knows when it is of a block that was closed.
type hammered struct {
	h      *hammer
	block  *blockio.Block
	closed atomic.Bool
}

func (d *hammered) Heap() int64 { return 100 }

func (d *hammered) Close() error {
	if d.closed.Swap(true) {
		d.h.t.Error("closed twice")
	}
	d.h.made.Add(-1)
	return nil
}

// get is a reader: it tries the block that was used last, and then leases one.
func (h *hammer) get(rng *rand.Rand, id uint32) (*blockio.Block, error) {
	if b := h.attached[id].Load(); b != nil && b.Retain() {
		return b, nil
	}
	ref := blockio.BlockRef{ID: id, Generation: h.generation.Load()}
	b, err := h.source.Lease(ref, blockio.LeaseOptions{Whole: rng.IntN(4) > 0, Keep: rng.IntN(4) > 0})
	if err == nil {
		h.attached[id].Store(b)
	}
	return b, err
}

// use checks that a leased block is what it should be.
func (h *hammer) use(b *blockio.Block, id uint32, offset int) {
	made, err := b.Description(func(b *blockio.Block) (blockio.Description, error) {
		h.made.Add(1)
		return &hammered{h: h, block: b}, nil
	})
	if err != nil {
		h.t.Error(err)
		return
	}
	if d := made.(*hammered); d.closed.Load() || d.block != b || b.Ref().ID != id {
		h.t.Error("a description of another block, or a closed one")
	}
	var buffer []byte
	err = blockio.Guard(func() error {
		data, err := b.At(int64(offset), 100, &buffer)
		if err == nil && !bytes.Equal(data, h.want[id][offset:offset+100]) {
			h.t.Error("other bytes")
		}
		return err
	})
	if err != nil {
		h.t.Error(err)
	}
	if made.(*hammered).closed.Load() {
		h.t.Error("closed under a lease")
	}
}

// step does one of the things that are done to a cache.
func (h *hammer) step(rng *rand.Rand) {
	id := uint32(rng.IntN(hammeredBlocks) + 1)
	switch rng.IntN(40) {
	case 0:
		h.source.Forget(id)
		return
	case 1:
		h.source.Supersede(h.generation.Add(1))
		return
	case 2:
		// The same bytes in another file, as compaction will do it.
		name := blockio.BlockPath(h.dir, id)
		if h.files.Remove(name) == nil {
			h.source.Forget(id)
			file, err := h.files.OpenFile(name+blockio.UnfinishedSuffix, blockio.ModeCreate)
			if err != nil {
				return // somebody else is at it
			}
			_, err = file.WriteAt(h.want[id], 0)
			if err := errors.Join(err, file.Close(), h.files.Rename(name+blockio.UnfinishedSuffix, name)); err != nil {
				h.t.Error(err)
			}
		}
		return
	}
	b, err := h.get(rng, id)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, blockio.ErrSuperseded):
		return
	case err != nil:
		h.t.Error(err)
		return
	}
	h.use(b, id, rng.IntN(hammeredSize-100))
	if rng.IntN(20) == 0 {
		b.Drop()
		h.use(b, id, rng.IntN(hammeredSize-100))
	}
	b.Release()
}

// TestHammeredCache leases, forgets, drops, supersedes, removes and replaces blocks from
// many goroutines. Nobody sees bytes of another block or something that is closed, and
// in the end nothing is open.
func TestHammeredCache(t *testing.T) {
	steps := 4000
	if testing.Short() {
		steps = 1000
	}
	for name, world := range map[string]func(t *testing.T) (blockio.FS, string){
		"os":     func(t *testing.T) (blockio.FS, string) { return blockio.OS, t.TempDir() },
		"memory": func(*testing.T) (blockio.FS, string) { return blocktest.NewMemFS(), "/s" },
	} {
		t.Run(name, func(t *testing.T) {
			h := &hammer{t: t, cache: blockio.NewBlockCache(4, 350)}
			var below blockio.FS
			below, h.dir = world(t)
			counted := &openCountingFS{FS: below}
			h.files = counted
			if below == blockio.OS {
				h.files = below // a wrapper cannot map
			}
			h.source = h.cache.Source(h.files, h.dir, "S")
			for id := range uint32(hammeredBlocks + 1) {
				h.want[id] = plain(id, hammeredSize)
			}
			putBlocks(t, h.files, h.dir, hammeredBlocks, hammeredSize)
			before := descriptors(t)
			var work sync.WaitGroup
			for g := range 8 {
				work.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(g), 1))
					for i := range steps {
						if g == 0 && i == steps/2 {
							h.source.Close()
						}
						h.step(rng)
					}
				})
			}
			work.Wait()
			require.Zero(t, h.cache.Open())
			require.Zero(t, h.made.Load())
			require.Zero(t, counted.open.Load())
			require.Equal(t, before, descriptors(t))
		})
	}
}
