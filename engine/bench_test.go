package engine_test

import (
	"testing"

	"github.com/seed-d8b58eba/millrace/engine"
)

// BenchmarkStore is one message of 128 bytes, in groups of 100.
func BenchmarkStore(b *testing.B) {
	for _, row := range []struct {
		name   string
		limits engine.Limits
	}{
		{"unlimited", engine.Limits{}},
		{"full", engine.Limits{MaxMsgs: 50_000}},
	} {
		b.Run(row.name, func(b *testing.B) {
			s := newCounting(row.limits, engine.SyncAlways, 8<<20)
			for range 600 {
				s.store(100)
			}
			b.ReportAllocs()
			b.SetBytes(128)
			b.ResetTimer()
			for n := 0; n < b.N; n += 100 {
				s.store(100)
			}
		})
	}
}

// BenchmarkRecovery is one message of 128 bytes, from scanned records to an open
// engine.
func BenchmarkRecovery(b *testing.B) {
	const blocks, each = 20, 40_000
	subjects := newCounting(engine.Limits{}, engine.SyncAlways, 1<<20).subject
	b.ReportAllocs()
	for n := 0; n < b.N; n += blocks * each {
		r := engine.NewRecovery(testConfig(), engine.NewPublished())
		sequence := uint64(0)
		for id := range uint32(blocks) {
			s := engine.NewScan(id + 1)
			var subject []byte
			for i := range each {
				sequence++
				subject = append(subject[:0], subjects[int(sequence)%len(subjects)]...)
				s.Message(sequence, start, int64(i)*180, 180, subject)
			}
			s.Finish(each*180, true, nil, 0)
			r.Add(s)
		}
		e := r.Finish(start)
		if e.Ready(); e.Opening() {
			b.Fatal("not open")
		}
	}
}
