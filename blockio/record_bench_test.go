package blockio

import (
	"fmt"
	"testing"
)

func BenchmarkEncode(b *testing.B) {
	key := NewRecordCodec("BENCH", 1)
	for _, size := range []int{0, 64, 128, 150, 256, 1024, 8192} {
		payload := make([]byte, size)
		dst := make([]byte, 0, 16384)
		b.Run(fmt.Sprintf("payload=%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				dst = key.AppendMessage(dst[:0], 7, 1700000000000000000, "orders.eu.1234", nil, payload)
			}
		})
	}
	header := []byte("NATS/1.0\r\nNats-Msg-Id: 12345678\r\n\r\n")
	payload := make([]byte, 128)
	dst := make([]byte, 0, 16384)
	b.Run("payload=128/header", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = key.AppendMessage(dst[:0], 7, 1700000000000000000, "orders.eu.1234", header, payload)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	key := NewRecordCodec("BENCH", 1)
	run := func(name string, record []byte) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r, err := key.Decode(record); err != nil || r.Sequence != 7 {
					b.Fatal(err)
				}
			}
		})
	}
	for _, size := range []int{0, 64, 128, 150, 256, 1024, 8192} {
		run(fmt.Sprintf("payload=%d", size), key.AppendMessage(nil, 7, 17, "orders.eu.1234", nil, make([]byte, size)))
	}
	header := []byte("NATS/1.0\r\nNats-Msg-Id: 12345678\r\n\r\n")
	run("payload=128/header", key.AppendMessage(nil, 7, 17, "orders.eu.1234", header, make([]byte, 128)))
}
