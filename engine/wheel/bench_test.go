package wheel

import (
	"math/rand"
	"runtime"
	"testing"
	"time"
)

// spread returns n entries whose due times are spread over a minute.
func spread(n int) []entry {
	r := rand.New(rand.NewSource(1))
	list := make([]entry, n)
	for i := range list {
		list[i] = entry{start + r.Int63n(60*second), uint64(i)}
	}
	return list
}

// ascending returns n entries whose due times are spread over a minute, in order.
func ascending(n int) []entry {
	list := make([]entry, n)
	for i := range list {
		list[i] = entry{start + int64(i)*(60*second/int64(n)), uint64(i)}
	}
	return list
}

// together returns n entries with one due time.
func together(n int) []entry {
	list := make([]entry, n)
	for i := range list {
		list[i] = entry{start, uint64(i)}
	}
	return list
}

var shapes = []struct {
	name string
	make func(int) []entry
}{{"spread", spread}, {"ascending", ascending}, {"together", together}}

func fill(list []entry) *Wheel {
	w := new(Wheel)
	for _, e := range list {
		w.Add(e.sequence, e.due)
	}
	return w
}

// BenchmarkMemory reports the bytes of a wheel for each of a million entries.
func BenchmarkMemory(b *testing.B) {
	for _, shape := range shapes {
		b.Run(shape.name, func(b *testing.B) {
			list := shape.make(1_000_000)
			for range b.N {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				w := fill(list)
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/float64(w.Len()), "B/entry")
				runtime.KeepAlive(w)
			}
		})
	}
}

// BenchmarkLife adds a million entries and lets all of them expire, in steps of 100 ms. An
// operation is one entry's life.
func BenchmarkLife(b *testing.B) {
	for _, shape := range shapes {
		b.Run(shape.name, func(b *testing.B) {
			list := shape.make(1_000_000)
			b.ReportAllocs()
			b.ResetTimer()
			var w Wheel
			for done := 0; done < b.N; done += len(list) {
				for _, e := range list[:min(len(list), b.N-done)] {
					w.Add(e.sequence, e.due)
				}
				for tick := start; w.Len() > 0; tick += int64(100 * time.Millisecond) {
					w.Expire(tick, func(uint64, int64) bool { return true })
				}
			}
		})
	}
}

// BenchmarkReplace removes an entry of a million and adds it with another due time.
func BenchmarkReplace(b *testing.B) {
	for _, shape := range shapes {
		b.Run(shape.name, func(b *testing.B) {
			list := shape.make(1_000_000)
			w := fill(list)
			r := rand.New(rand.NewSource(2))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				e := &list[r.Intn(len(list))]
				w.Remove(e.sequence, e.due)
				e.due += second
				w.Add(e.sequence, e.due)
			}
		})
	}
}
