package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-d8b58eba/millrace/actors"
)

// benchName is the stream that bench makes and removes.
const benchName = "inspect-bench"

// benchmark is what bench is asked for, and has measured.
type benchmark struct {
	Messages int     `json:"messages"`
	Bytes    int     `json:"bytes"`
	Writers  int     `json:"writers"`
	Sync     string  `json:"sync"`
	Rate     float64 `json:"messages_a_second"`
	P50      string  `json:"p50"`
	P99      string  `json:"p99"`
	ReadRate float64 `json:"read_messages_a_second"`
}

func (a *app) benchCommand() *cobra.Command {
	b := &benchmark{}
	c := &cobra.Command{
		Use:   "bench ROOT",
		Short: "measure what this disk can do, with a stream of its own below ROOT that is removed again",
		Args:  exactly("ROOT"),
		RunE: func(c *cobra.Command, arguments []string) (err error) {
			level, ok := map[string]actors.SyncLevel{"always": actors.SyncAlways, "interval": actors.SyncInterval, "never": actors.SyncNever}[b.Sync]
			if !ok || b.Messages < 1 || b.Writers < 1 || b.Bytes < 0 {
				return fmt.Errorf("%w: --sync is always, interval or never, --messages and --writers are at least 1", errUsage)
			}
			root, err := os.MkdirTemp(arguments[0], "inspect-bench-")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
			config := actors.Config{Dir: root, Name: benchName, Sync: level}
			if err := withStore(c.Context(), config, func(s *actors.Store) error { return b.run(c.Context(), a, s) }); err != nil {
				return err
			}
			if a.asJSON {
				return a.json(b)
			}
			return a.printf("%d messages of %d bytes, %d writers, sync %s: %.0f a second, p50 %s, p99 %s; read back %.0f a second\n",
				b.Messages, b.Bytes, b.Writers, b.Sync, b.Rate, b.P50, b.P99, b.ReadRate)
		},
	}
	c.Flags().IntVar(&b.Messages, "messages", 20_000, "how many")
	c.Flags().IntVar(&b.Bytes, "bytes", 256, "of each payload")
	c.Flags().IntVar(&b.Writers, "writers", 64, "how many store at a time")
	c.Flags().StringVar(&b.Sync, "sync", "always", "what an acknowledgement promises: always, interval or never")
	return c
}

func (b *benchmark) run(ctx context.Context, a *app, s *actors.Store) error {
	payload := make([]byte, b.Bytes)
	times := make([]time.Duration, b.Messages)
	told := a.progress("bench")
	var mu sync.Mutex
	next, failed := 0, error(nil)
	take := func() int {
		mu.Lock()
		defer mu.Unlock()
		if next == b.Messages || failed != nil {
			return -1
		}
		told.at(int64(next), int64(b.Messages), count)
		next++
		return next - 1
	}
	begun := time.Now()
	var writers sync.WaitGroup
	for w := range b.Writers {
		writers.Go(func() {
			subject := fmt.Sprintf("bench.%d", w)
			for i := take(); i >= 0; i = take() {
				at := time.Now()
				_, err := s.StoreMsg(ctx, subject, nil, payload)
				times[i] = time.Since(at)
				if err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	writers.Wait()
	if failed != nil {
		return failed
	}
	b.Rate = float64(b.Messages) / time.Since(begun).Seconds()
	slices.Sort(times)
	b.P50, b.P99 = times[len(times)/2].Round(time.Microsecond).String(), times[len(times)*99/100].Round(time.Microsecond).String()
	begun, read := time.Now(), 0
	for _, err := range s.Messages(ctx, actors.Borrowed()) {
		if err != nil {
			return err
		}
		read++
	}
	b.ReadRate = float64(read) / time.Since(begun).Seconds()
	return nil
}
