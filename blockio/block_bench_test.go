package blockio_test

import (
	"sync/atomic"
	"testing"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// leaseWorld is a source of one block in a world, and a lease that was released.
func leaseWorld(t testing.TB, fsys blockio.FS, dir string) (*blockio.BlockSource, *blockio.Block) {
	t.Helper()
	putBlocks(t, fsys, dir, 1, bigBlock)
	s := blockio.NewBlockCache(4, 1000).Source(fsys, dir, "S")
	t.Cleanup(s.Close)
	b := lease(t, s, 1, lookUp)
	b.Release()
	return s, b
}

// pointRead is what a look-up does with a block that it used before.
func pointRead(b *blockio.Block, buffer *[]byte) (sum byte, err error) {
	if !b.Retain() {
		return 0, blockio.ErrSuperseded
	}
	err = blockio.Guard(func() error {
		data, err := b.At(40_000, 200, buffer)
		if err == nil {
			sum = data[0]
		}
		return err
	})
	b.Release()
	return sum, err
}

func TestHotPathAllocatesNothing(t *testing.T) {
	for name, world := range map[string]func() (blockio.FS, string){
		"os":     func() (blockio.FS, string) { return blockio.OS, t.TempDir() },
		"memory": func() (blockio.FS, string) { return blocktest.NewMemFS(), "/s" },
	} {
		fsys, dir := world()
		s, b := leaseWorld(t, fsys, dir)
		buffer := make([]byte, 4<<10)
		d := &description{}
		describe := describeAs(d)
		if _, err := lease(t, s, 1, lookUp).Description(describe); err != nil {
			t.Fatal(err)
		}
		b.Release()
		for what, f := range map[string]func() error{
			"a point read": func() error { _, err := pointRead(b, &buffer); return err },
			"a lease of a cached block": func() error {
				b, err := s.Lease(ref(1), lookUp)
				if err == nil {
					_, err = b.Description(describe)
					b.Release()
				}
				return err
			},
			"a codec": func() error { s.Codec(1); return nil },
		} {
			var failed error
			if n := testing.AllocsPerRun(100, func() {
				if err := f(); err != nil {
					failed = err
				}
			}); n != 0 || failed != nil {
				t.Error(name, what, n, failed)
			}
		}
	}
}

var benchmarkSum atomic.Uint32

func BenchmarkBlockLease(b *testing.B) {
	s, block := leaseWorld(b, blockio.OS, b.TempDir())
	b.Run("retain, at, release", func(b *testing.B) {
		b.ReportAllocs()
		var buffer []byte
		for b.Loop() {
			if !block.Retain() {
				b.Fatal("it is not kept")
			}
			data, err := block.At(40_000, 200, &buffer)
			if err != nil {
				b.Fatal(err)
			}
			benchmarkSum.Store(uint32(len(data)))
			block.Release()
		}
	})
	b.Run("guarded, in parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			var buffer []byte
			for pb.Next() {
				if _, err := pointRead(block, &buffer); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("from the cache", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			leased, err := s.Lease(ref(1), lookUp)
			if err != nil {
				b.Fatal(err)
			}
			leased.Release()
		}
	})
	b.Run("open and close", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			lease(b, s, 1, passing).Release()
			s.Forget(1)
		}
	})
}
