package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

const (
	// collectorItem is the size of a batch of spans or log records, and collectorWaiting how many of them wait.
	collectorItem    = 16 << 10
	collectorWaiting = 64
)

// collectorRows are the rows in which a store is the queue of an exporter of an OpenTelemetry Collector.
func collectorRows() []row {
	var contestants []contestant
	for _, c := range peers.Collectors() {
		contestants = append(contestants, &queueing{collector: c})
	}
	return []row{{
		name: "collector-queue", title: fmt.Sprintf("queue of a collector, items of %d KiB in and out, %d wait", collectorItem>>10, collectorWaiting),
		contestants: contestants,
		targets:     []target{{against: peers.Collectors()[0].Name, figure: rateFigure, bound: 1}},
	}}
}

// queueing puts an item in at one end of a queue and takes one out at the other, again and again. Its messages are items
// that went through.
type queueing struct{ collector peers.Collector }

func (q *queueing) name() string { return q.collector.Name }
func (q *queueing) close() error { return nil }

func (q *queueing) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	ctx = context.WithoutCancel(ctx)
	dir, remove, err := place.freshDir()
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	client, err := q.collector.Open(dir)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	item, end, start := make([]byte, collectorItem), 0, 0
	put := func() error {
		key := strconv.Itoa(end)
		end++
		return client.Batch(ctx, peers.QueuePut(key, strconv.Itoa(end), item)...)
	}
	for range collectorWaiting {
		if err := put(); err != nil {
			return run, err
		}
	}
	place.settle()
	run, err = measure.Measure(func() (int64, *measure.Histogram, error) {
		callers := load{callers: 1, duration: place.size.storing, sampleEvery: 1, messagesEach: 1}
		return callers.run(ctx, func(context.Context, *source) error {
			if err := put(); err != nil {
				return err
			}
			key := strconv.Itoa(start)
			start++
			ops, taken := peers.QueueTake(key, strconv.Itoa(start))
			if err := client.Batch(ctx, ops...); err != nil {
				return err
			}
			if len(taken.Value) != collectorItem {
				return fmt.Errorf("item %s has %d bytes", key, len(taken.Value))
			}
			return nil
		})
	})
	if err != nil {
		return run, err
	}
	total, err := filesBytes(dir)
	run.Extras = []measure.Extra{{Name: bytesRatio, Value: float64(total) / (collectorWaiting * collectorItem), Unit: measure.Times}}
	return run, err
}

// filesBytes is the size of all files below a folder.
func filesBytes(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a block that has gone meanwhile
		}
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
