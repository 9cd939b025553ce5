package subjects

import (
	"fmt"
	"math/rand"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// kvNames returns n different subjects like kv.07.123456, in random order.
func kvNames(n int) []string {
	names := make([]string, n)
	r := rand.New(rand.NewSource(1))
	for i := range names {
		names[i] = fmt.Sprintf("kv.%02d.%06d", i%100, i/100*37%1000000)
	}
	r.Shuffle(n, func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names
}

func ascendingNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("kv.%02d.%06d", i/(n/100), i%(n/100))
	}
	return names
}

func hexNames(n int) []string {
	names := make([]string, n)
	r := rand.New(rand.NewSource(2))
	for i := range names {
		names[i] = fmt.Sprintf("bench.%02x.%06x", i%256, i)
	}
	r.Shuffle(n, func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names
}

func uuidNames(n int) []string {
	names := make([]string, n)
	r := rand.New(rand.NewSource(3))
	for i := range names {
		a, b := r.Uint64(), r.Uint64()
		names[i] = fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffffffffffff)
	}
	return names
}

// inOrder puts names side by side in memory: whoever stores a message has its subject
// at hand, so the benchmarks should not wait for it.
func inOrder(names []string) []string {
	all := strings.Join(names, "")
	for i, name := range names {
		names[i], all = all[:len(name)], all[len(name):]
	}
	return names
}

// group is how many messages the benchmarks stage before they count them.
const group = 64

// store stages and counts a message for each name, a group at a time.
func store(x *Index, names []string, sequence uint64) { storeWith(x, names, sequence, false) }

func storeWith(x *Index, names []string, sequence uint64, fetch bool) {
	var ids [group]uint32
	for parity := 0; len(names) > 0; parity ^= 1 {
		n := min(group, len(names))
		if fetch {
			x.Fetch(n, func(i int) string { return names[i] })
		}
		for i, name := range names[:n] {
			ids[i] = x.Stage(name, parity)
		}
		for _, id := range ids[:n] {
			sequence++
			x.Stored(id, sequence, 100)
		}
		x.Published(parity)
		names = names[n:]
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkCreate(b *testing.B) {
	const n = 1_000_000
	for _, row := range []struct {
		name  string
		names func(int) []string
	}{{"random", kvNames}, {"ascending", ascendingNames}, {"hex", hexNames}, {"uuid", uuidNames}} {
		b.Run(row.name, func(b *testing.B) {
			names := inOrder(row.names(n))
			took := time.Hour
			var bytes float64
			for range b.N {
				before := heap()
				x := New(7)
				start := time.Now()
				store(x, names, 0)
				took = min(took, time.Since(start))
				bytes = float64(heap()-before) / n
				runtime.KeepAlive(x)
			}
			b.ReportMetric(float64(took.Nanoseconds())/n, "best-ns/subject")
			b.ReportMetric(bytes, "B/subject")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func filled(names []string) *Index {
	x := New(7)
	store(x, names, 0)
	return x
}

func BenchmarkStore(b *testing.B) {
	for _, fetch := range []bool{false, true} {
		for _, n := range []int{10_000, 1_000_000} {
			b.Run(fmt.Sprintf("%d/fetch=%v", n, fetch), func(b *testing.B) {
				names := kvNames(n)
				x := filled(names)
				r := rand.New(rand.NewSource(5))
				r.Shuffle(n, func(i, j int) { names[i], names[j] = names[j], names[i] })
				inOrder(names)
				sequence := uint64(n)
				b.ReportAllocs()
				b.ResetTimer()
				for done := 0; done < b.N; {
					k := min(n, b.N-done)
					storeWith(x, names[:k], sequence, fetch)
					sequence += uint64(k)
					done += k
				}
			})
		}
	}
}

// The worst case: a reader takes every tree.
func BenchmarkStoreFrozen(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			names := inOrder(kvNames(n))
			x := filled(names)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				id := x.Stage(names[i%n], 0)
				x.Freeze()
				x.Stored(id, uint64(n+i), 100)
				x.Published(0)
			}
		})
	}
}

func BenchmarkRemoveAndCreate(b *testing.B) {
	const n = 1_000_000
	names := inOrder(kvNames(n))
	x := filled(names)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		id, _ := x.Lookup(names[i%n])
		x.RemovedMany(id, 1, uint64(n+i))
		x.Stored(x.Stage(names[i%n], 0), uint64(n+i), 100)
		x.Published(0)
	}
}

// BenchmarkWorst reports the slowest single message of creating ten million subjects.
func BenchmarkWorst(b *testing.B) {
	var worst time.Duration
	for range b.N {
		x := New(7)
		var name []byte
		for i := range 10_000_000 {
			name = fmt.Appendf(name[:0], "kv.%02d.%08d", i%100, i*7919%100_000_000)
			s := string(name)
			start := time.Now()
			x.Stored(x.Stage(s, 0), uint64(i+1), 100)
			x.Published(0)
			if took := time.Since(start); took > worst {
				worst = took
				if took > 100*time.Microsecond {
					b.Logf("subject %d: %v", i, took)
				}
			}
		}
	}
	b.ReportMetric(float64(worst.Microseconds()), "worst-us")
}

func BenchmarkRead(b *testing.B) {
	const n = 1_000_000
	names := kvNames(n)
	x := filled(names)
	store(x, names[:n/2], n)
	x.Freeze()
	tree := x.Tree()
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if _, ok := tree.Get(names[i*7919%n]); !ok {
				b.Fatal("not found")
			}
		}
	})
	for _, text := range []string{"kv.>", "kv.*.*", "kv.07.>", "kv.07.*", "*.07.*", "kv.*.000037", "kv.*.0*"} {
		set := subject.NewSet(subject.Compile(text))
		b.Run("total/"+text, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				tree.Total(&set)
			}
		})
	}
	two := subject.NewSet(subject.Compile("kv.*.*"), subject.Compile("*.07.>"))
	for _, row := range []struct {
		name string
		set  subject.Set
	}{{"all", subject.Everything()}, {"kv.>", subject.NewSet(subject.Compile("kv.>"))}, {"overlapping", two}} {
		b.Run("pending/"+row.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				tree.Pending(&row.set, n)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/subject")
		})
		b.Run("walk/"+row.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				tree.Walk(&row.set, func([]byte, Info) bool { return true })
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/subject")
		})
	}
}
