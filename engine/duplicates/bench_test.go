package duplicates

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%022x", uint64(i)*0x9e3779b97f4a7c15)
	}
	return list
}

// BenchmarkMemory reports the bytes of a window for each of a million ids of 22 bytes.
func BenchmarkMemory(b *testing.B) {
	list := names(1_000_000)
	for range b.N {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		w := New(Limits{len(list), time.Hour}, 1, start)
		for i, id := range list {
			w.Add(id, uint64(i+1), start)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/float64(w.Len()), "B/entry")
		runtime.KeepAlive(w)
	}
}

// BenchmarkSteady looks for an id that is not there and adds it, with the oldest of a
// hundred thousand going.
func BenchmarkSteady(b *testing.B) {
	list := names(1_000_000)
	w := New(Limits{100_000, time.Hour}, 1, start)
	i := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		id := list[i%uint64(len(list))]
		i++
		if _, ok := w.Look(id); ok {
			b.Fatal("known")
		}
		w.Add(id, i, start)
	}
}

func BenchmarkLook(b *testing.B) {
	list := names(1_000_000)
	w := New(Limits{len(list), time.Hour}, 1, start)
	for i, id := range list {
		w.Add(id, uint64(i+1), start)
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i = (i + 7919) % len(list)
		w.Look(list[i])
	}
}
