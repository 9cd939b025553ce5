package blockio

import (
	"fmt"
	"testing"
)

// BenchmarkScan reads undamaged blocks of 4 MiB as recovery does.
func BenchmarkScan(b *testing.B) {
	for _, payload := range []int{64, 128, 1024} {
		for _, m := range []marking{counting, measuring} {
			for _, group := range []int{1, 16} {
				benchmarkScan(b, payload, group, m)
			}
		}
	}
}

func benchmarkScan(b *testing.B, payload, group int, m marking) {
	data := scanBenchBlock(payload, group, m)
	for _, tail := range []bool{false, true} {
		b.Run(fmt.Sprintf("payload=%d/group=%d/tail=%v/%v", payload, group, tail, m), func(b *testing.B) {
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

// scanBenchBlock encodes messages in groups.
func scanBenchBlock(payload, group int, m marking) (data []byte) {
	key := NewRecordCodec("BENCH", 1)
	body := make([]byte, payload)
	crc := uint32(0)
	for sequence := uint64(1); len(data) < 4<<20; {
		start := len(data)
		if group > 1 || m == measuring {
			data = append(data, make([]byte, EmptyRecordSize)...)
		}
		first := len(data)
		for range group {
			at := len(data)
			data = key.AppendMessage(data, sequence, 1700000000000000000, "orders.eu.1234", nil, body)
			crc = LengthsCRC(crc, data[at:])
			sequence++
		}
		switch {
		case m == measuring:
			key.PutFrameMark(data[start:first], uint32(len(data)-first), crc)
		case group > 1:
			key.PutGroupMark(data[start:first], uint32(group), uint32(len(data)-first))
		}
	}
	return data
}
