package actors_test

import (
	"bytes"
	"context"
	"io"
	"math/rand"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// filledFor returns a store of n messages of 1 KiB, a half of which S2 makes smaller.
func filledFor(b *testing.B, n int, level actors.SyncLevel) *actors.Store {
	s, err := actors.Open(b.Context(), quiet, actors.Config{Dir: b.TempDir(), Name: "ORDERS", Sync: level})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Stop(context.Background())) })
	rng := rand.New(rand.NewSource(1))
	payload := make([]byte, 1<<10)
	for range n / 1000 {
		batch := make([]actors.BatchMessage, 1000)
		rng.Read(payload[:512])
		for i := range batch {
			batch[i] = actors.BatchMessage{Subject: subjectOf(i), Payload: payload}
		}
		_, err := s.StoreBatch(b.Context(), batch)
		require.NoError(b, err)
	}
	return s
}

// BenchmarkSnapshot of 200 MB, with nothing else going on, and beside somebody who stores one message after the other:
// then it reports how long 99 of 100 stores took at most, and the longest one.
func BenchmarkSnapshot(b *testing.B) {
	for _, busy := range []bool{false, true} {
		name := "idle"
		if busy {
			name = "busy"
		}
		b.Run(name, func(b *testing.B) {
			s := filledFor(b, 200_000, actors.SyncInterval)
			b.SetBytes(int64(stateOf(b, s).Bytes))
			var stop atomic.Bool
			done := make(chan []time.Duration, 1)
			go func() {
				var took []time.Duration
				for busy && !stop.Load() {
					start := time.Now()
					mustStore(b, s, "more", "x")
					took = append(took, time.Since(start))
				}
				done <- took
			}()
			for b.Loop() {
				_, err := s.Snapshot(b.Context(), io.Discard, actors.SnapshotOptions{})
				require.NoError(b, err)
			}
			stop.Store(true)
			if took := <-done; len(took) > 0 {
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
				b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-µs")
			}
		})
	}
}

// BenchmarkRestore of the same.
func BenchmarkRestore(b *testing.B) {
	s := filledFor(b, 200_000, actors.SyncInterval)
	var snapshot bytes.Buffer
	_, err := s.Snapshot(b.Context(), &snapshot, actors.SnapshotOptions{})
	require.NoError(b, err)
	b.SetBytes(int64(stateOf(b, s).Bytes))
	for b.Loop() {
		_, err := actors.Restore(b.Context(), b.TempDir(), bytes.NewReader(snapshot.Bytes()), actors.RestoreOptions{})
		require.NoError(b, err)
	}
}
