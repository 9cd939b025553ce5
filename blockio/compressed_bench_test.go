package blockio

import (
	"encoding/binary"
	"fmt"
	"math/rand"
	"os"
	"testing"
)

// ordersBlock is a block of 8 MiB of orders as text, and where its records begin.
func ordersBlock() (data []byte, starts []int64) {
	random := rand.New(rand.NewSource(1))
	codec := NewRecordCodec("S", 1)
	for sequence := uint64(1); len(data) < 8<<20-400; sequence++ {
		starts = append(starts, int64(len(data)))
		data = codec.AppendMessage(data, sequence, 1_700_000_000_000_000_000+int64(sequence)*1_234_567+random.Int63n(100_000),
			fmt.Sprintf("orders.%d.created", random.Intn(10_000)), nil, fmt.Appendf(nil,
				`{"id":%d,"customer":"anna-%d","amount":%d.%02d,"currency":"EUR","items":[{"sku":"A%06d","count":%d}],"note":"to the back door"}`,
				random.Int63(), random.Intn(100_000), random.Intn(1000), random.Intn(100), random.Intn(1_000_000), random.Intn(9)))
	}
	return data, starts
}

// BenchmarkReadsOfABlock compares a plain block with a compressed one, of which no chunk is kept.
func BenchmarkReadsOfABlock(b *testing.B) {
	data, starts := ordersBlock()
	for _, kind := range []string{"plain", "compressed"} {
		dir := b.TempDir()
		if err := os.MkdirAll(BlocksDir(dir), 0o700); err != nil {
			b.Fatal(err)
		}
		content := data
		if kind == "compressed" {
			content = Compress(data)
		}
		if err := os.WriteFile(BlockPath(dir, 1), content, 0o600); err != nil {
			b.Fatal(err)
		}
		ref := BlockRef{ID: 1}
		cache := NewBlockCache(4, 1000)
		cache.chunks = nil
		source := cache.Source(OS, dir, "S")
		block, err := source.Lease(ref, LeaseOptions{Whole: true, Keep: true})
		if err != nil {
			b.Fatal(err)
		}
		buffer := make([]byte, 512<<10)
		record := func(b *testing.B, i int) {
			err := Guard(func() error {
				bytes, err := block.At(starts[i], 200, &buffer)
				if err == nil && binary.LittleEndian.Uint64(bytes[4:]) != uint64(i+1) {
					err = ErrCorrupt
				}
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		b.Run("point/"+kind, func(b *testing.B) {
			random := rand.New(rand.NewSource(2))
			for b.Loop() {
				record(b, random.Intn(len(starts)-2))
			}
			b.ReportMetric(float64(len(content))/float64(len(data)), "size")
		})
		b.Run("filtered/"+kind, func(b *testing.B) { // one in 100
			at := 0
			for b.Loop() {
				at = (at + 100) % (len(starts) - 2)
				record(b, at)
			}
		})
		b.Run("scan/"+kind, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				for at := int64(0); at < block.Size(); at += 256 << 10 {
					if n, _ := block.ReadAt(buffer[:256<<10], at); n == 0 {
						b.Fatal("nothing")
					}
				}
			}
		})
		block.Release()
		b.Run("open/"+kind, func(b *testing.B) {
			for b.Loop() {
				source.Forget(1)
				block, err := source.Lease(ref, LeaseOptions{Whole: true, Keep: true})
				if err != nil {
					b.Fatal(err)
				}
				block.Release()
			}
		})
		source.Close()
	}
	b.Run("compress", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			Compress(data)
		}
	})
}
