package blockio

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// BenchmarkAppendSync compares a file that grows with zeros written ahead. The
// default size of a block makes it roll, as a store would.
func BenchmarkAppendSync(b *testing.B) {
	for _, size := range []int{256, 4 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10} {
		for _, noZeros := range []bool{true, false} {
			name := fmt.Sprintf("%dB/zero-ahead=%v", size, !noZeros)
			b.Run(name, func(b *testing.B) { benchAppend(b, size, noZeros) })
		}
	}
}

func benchAppend(b *testing.B, size int, noZeros bool) {
	dir := b.TempDir()
	if err := OS.MkdirAll(dir + "/msgs"); err != nil {
		b.Fatal(err)
	}
	const blockSize = 8 << 20
	blocks := NewBlocks(OS, dir, "BENCH", BlocksOptions{BlockSize: blockSize, NoZeroAhead: noZeros})
	defer func() { _ = blocks.Close() }()
	piece := make([]byte, size/2)
	for i := range piece {
		piece[i] = byte(i + 1)
	}
	group := [][]byte{piece, piece}
	id, end := uint32(1), int64(0)
	if err := blocks.Create(id); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for b.Loop() {
		if end+int64(size) > blockSize {
			b.StopTimer()
			if err := blocks.Seal(id, end); err != nil {
				b.Fatal(err)
			}
			id, end = id+1, 0
			if err := blocks.Create(id); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		begin := time.Now()
		if err := blocks.Append(id, end, group, true); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
		end += int64(size)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
	b.SetBytes(int64(size))
}
