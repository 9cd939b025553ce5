package actors_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

func benchStore(b testing.TB, config actors.Config) *actors.Store {
	b.Helper()
	config.Dir, config.Name = b.TempDir(), "BENCH"
	s, err := actors.Open(context.Background(), quiet, config)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Stop(context.Background())) })
	return s
}

// subjects are made ahead: the benchmarks measure the store.
var subjects = func() (s [10_000]string) {
	for i := range s {
		s[i] = fmt.Sprintf("bench.%04d.x", i)
	}
	return s
}()

// perLevel runs a benchmark for each sync level, over a stream that does not grow
// without end.
func perLevel(b *testing.B, run func(b *testing.B, s *actors.Store)) {
	for _, level := range levels {
		b.Run(level.String(), func(b *testing.B) {
			s := benchStore(b, actors.Config{Sync: level, MaxBytes: 256 << 20})
			b.ReportAllocs()
			b.SetBytes(128)
			b.ResetTimer()
			run(b, s)
			b.StopTimer()
			groups := s.Stats().Groups
			b.ReportMetric(groups.Sum/float64(max(groups.Count, 1)), "records/group")
		})
	}
}

func BenchmarkStoreMsg(b *testing.B) {
	payload := make([]byte, 128)
	perLevel(b, func(b *testing.B, s *actors.Store) {
		for i := 0; b.Loop(); i++ {
			if _, err := s.StoreMsg(context.Background(), subjects[i%len(subjects)], nil, payload); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkStoreMsgParallel(b *testing.B) {
	payload := make([]byte, 128)
	for _, callers := range []int{64, 1024} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			perLevel(b, func(b *testing.B, s *actors.Store) {
				var next atomic.Int64
				b.SetParallelism(max(1, callers/runtime.GOMAXPROCS(0)))
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						i := next.Add(1)
						if _, err := s.StoreMsg(context.Background(), subjects[i%int64(len(subjects))], nil, payload); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		})
	}
}

func BenchmarkPipeline(b *testing.B) {
	payload := make([]byte, 128)
	perLevel(b, func(b *testing.B, s *actors.Store) {
		p := s.Pipeline(8192, nil)
		for i := 0; b.Loop(); i++ {
			if _, err := p.Store(context.Background(), subjects[i%len(subjects)], nil, payload); err != nil {
				b.Fatal(err)
			}
		}
		if err := p.Wait(context.Background()); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkStoreBatch(b *testing.B) {
	batch := make([]actors.BatchMessage, 100)
	for i := range batch {
		batch[i] = actors.BatchMessage{Subject: subjects[i], Payload: make([]byte, 128)}
	}
	perLevel(b, func(b *testing.B, s *actors.Store) {
		b.SetBytes(int64(len(batch)) * 128)
		for b.Loop() {
			if _, err := s.StoreBatch(context.Background(), batch); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkStoreBatchParallel(b *testing.B) {
	perLevel(b, func(b *testing.B, s *actors.Store) {
		b.SetBytes(100 * 128)
		b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
		b.RunParallel(func(pb *testing.PB) {
			batch := make([]actors.BatchMessage, 100)
			for i := range batch {
				batch[i] = actors.BatchMessage{Subject: subjects[i], Payload: make([]byte, 128)}
			}
			for pb.Next() {
				if _, err := s.StoreBatch(context.Background(), batch); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

// filled returns a store of n messages of 128 bytes; its older blocks are read from
// their files.
func filled(b testing.TB, n int) *actors.Store {
	b.Helper()
	s := benchStore(b, actors.Config{Sync: actors.SyncNever})
	p := s.Pipeline(8192, nil)
	payload := make([]byte, 128)
	for i := range n {
		_, err := p.Store(context.Background(), subjects[i%len(subjects)], nil, payload)
		require.NoError(b, err)
	}
	require.NoError(b, p.Wait(context.Background()))
	require.NoError(b, s.Flush(context.Background()))
	return s
}

func BenchmarkLoadMsg(b *testing.B) {
	const n = 200_000
	s := filled(b, n)
	for name, first := range map[string]uint64{"file": 1, "memory": n - 1000} {
		span := uint64(100_000)
		if first > 1 {
			span = 1000
		}
		load := func(i uint64) error {
			_, err := s.LoadMsg(context.Background(), first+i*7919%span)
			return err
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				if err := load(i); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			var next atomic.Uint64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := load(next.Add(1)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func BenchmarkMessages(b *testing.B) {
	const n = 200_000
	s := filled(b, n)
	for name, opts := range map[string][]actors.ReadOption{"copied": nil, "borrowed": {actors.Borrowed()}} {
		scan := func() error {
			count := 0
			for _, err := range s.Messages(context.Background(), opts...) {
				if err != nil {
					return err
				}
				count++
			}
			if count != n {
				return errors.New("messages are missing")
			}
			return nil
		}
		report := func(b *testing.B) {
			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds()/1e6, "Mmsg/s")
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := scan(); err != nil {
					b.Fatal(err)
				}
			}
			report(b)
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := scan(); err != nil {
						b.Error(err)
						return
					}
				}
			})
			report(b)
		})
	}
}

// TestStoringAllocatesLittle: at most two allocations for a message on the pipelined
// path, the file system in memory included. A lone caller, whose messages are groups
// of their own, is reported.
func TestStoringAllocatesLittle(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		s, err := actors.Open(t.Context(), quiet, actors.Config{Dir: "data", Name: "ORDERS", FS: blocktest.NewMemFS(), Sync: level, MaxMsgs: 1000})
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Stop(context.Background())) }()
		payload := make([]byte, 128)
		p := s.Pipeline(512, nil)
		pipelined := func(n int) {
			for i := range n {
				_, err := p.Store(context.Background(), subjects[i%100], nil, payload)
				require.NoError(t, err)
			}
			require.NoError(t, p.Wait(context.Background()))
		}
		waited := func(n int) {
			for i := range n {
				_, err := s.StoreMsg(context.Background(), subjects[i%100], nil, payload)
				require.NoError(t, err)
			}
		}
		for name, run := range map[string]func(int){"pipelined": pipelined, "waited for": waited} {
			const n = 20_000
			run(n) // what is allocated once
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			run(n)
			runtime.ReadMemStats(&after)
			each := float64(after.Mallocs-before.Mallocs) / n
			t.Logf("%s: %.2f allocations a message, %.0f bytes", name, each, float64(after.TotalAlloc-before.TotalAlloc)/n)
			if name == "pipelined" {
				require.LessOrEqual(t, each, 2.0)
			}
		}
	})
}
