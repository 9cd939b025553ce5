package consumer

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
)

// BenchmarkPullAndAck has 16 workers pull messages of 128 bytes and acknowledge them, one or 100 at a time. Each waits for
// two writes a round: that of its deliveries, and that of its acknowledgements.
func BenchmarkPullAndAck(b *testing.B) {
	for _, level := range []actors.SyncLevel{actors.SyncAlways, actors.SyncInterval} {
		for _, batch := range []int{1, 100} {
			b.Run(fmt.Sprintf("%v/%d", level, batch), func(b *testing.B) { benchmarkAck(b, level, batch) })
		}
	}
}

func benchmarkAck(b *testing.B, level actors.SyncLevel, batch int) {
	ctx, dir := context.Background(), b.TempDir()
	open := func(name string, level actors.SyncLevel) *actors.Store {
		store, err := actors.Open(ctx, testSystem, actors.Config{Dir: dir, Name: name, Sync: level, Runtime: actors.NewRuntime(actors.RuntimeConfig{})})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = store.Stop(ctx) })
		return store
	}
	source, state := open("WORK", actors.SyncInterval), open("STATE", level)
	messages := make([]actors.BatchMessage, 1000)
	for i := range messages {
		messages[i] = actors.BatchMessage{Subject: fmt.Sprint("orders.", i), Payload: make([]byte, 128)}
	}
	for i := 0; i < b.N; i += len(messages) {
		if _, err := source.StoreBatch(ctx, messages); err != nil {
			b.Fatal(err)
		}
	}
	c, err := Open(ctx, testSystem, source, state, Config{Name: "c", AckWait: time.Hour, MaxAckPending: 10_000})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	var running sync.WaitGroup
	var done atomic.Int64
	for range 16 {
		running.Go(func() {
			for {
				list, err := c.Pull(ctx, Pull{Batch: batch})
				if err == nil && len(list) > 0 {
					err = c.Ack(ctx, tokens(list)...)
				}
				if err != nil || len(list) == 0 {
					if err != nil {
						b.Error(err)
					}
					return
				}
				done.Add(int64(len(list)))
			}
		})
	}
	running.Wait()
	b.StopTimer()
	b.ReportMetric(float64(done.Load())/b.Elapsed().Seconds(), "messages/s")
	if err := c.Stop(ctx); err != nil {
		b.Error(err)
	}
}
