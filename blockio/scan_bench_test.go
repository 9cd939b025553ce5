package blockio

import (
	"fmt"
	"testing"
)

// BenchmarkScan reads undamaged blocks of 4 MiB as recovery does.
func BenchmarkScan(b *testing.B) {
	for _, payload := range []int{64, 128, 1024} {
		for _, group := range []int{1, 16} {
			data := scanBenchBlock(payload, group)
			for _, tail := range []bool{false, true} {
				b.Run(fmt.Sprintf("payload=%d/group=%d/tail=%v", payload, group, tail), func(b *testing.B) {
					b.SetBytes(int64(len(data)))
					key := NewRecordCodec("BENCH", 1)
					for b.Loop() {
						n := 0
						scan := ScanBlock("1.blk", 1, key, data, tail, func(int64, Record) { n++ })
						if n == 0 || scan.DamageCount > 0 || scan.Torn {
							b.Fatal(n, scan)
						}
					}
				})
			}
		}
	}
}

// scanBenchBlock encodes messages in groups, those of one record without a mark.
func scanBenchBlock(payload, group int) (data []byte) {
	key := NewRecordCodec("BENCH", 1)
	body := make([]byte, payload)
	for sequence := uint64(1); len(data) < 4<<20; {
		start := len(data)
		if group > 1 {
			data = append(data, make([]byte, EmptyRecordSize)...)
		}
		first := len(data)
		for range group {
			data = key.AppendMessage(data, sequence, 1700000000000000000, "orders.eu.1234", nil, body)
			sequence++
		}
		if group > 1 {
			key.PutGroupMark(data[start:first], uint32(group), uint32(len(data)-first))
		}
	}
	return data
}
