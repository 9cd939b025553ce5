package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

const (
	largeBytes = 64 << 10
	largeReads = "read(2) loop"
	largeSpeed = "payload"
	// readAtOnce is how much the loop reads in one call: as large as a message.
	readAtOnce = largeBytes
)

// largeRows are the rows of messages that are large.
func largeRows() []row {
	theirs := peers.NATS(peers.NATSAsync)
	ours := peers.Millrace(peers.Buffered)
	return []row{{
		name: "large-scan", title: "full scan of messages of 64 KiB, warm",
		contestants: []contestant{
			&readingFiles{peer: ours},
			&scanningLarge{peer: theirs}, &scanningLarge{peer: ours},
		},
		targets: []target{
			{against: largeReads, figure: rateFigure, bound: 0.8},
			{against: theirs.Name, figure: rateFigure, bound: 2},
		},
	}}
}

// largeShape is large messages on a few subjects.
func largeShape(s size) shape {
	payload := make([]byte, largeBytes)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	return shape{
		name: "large", messages: s.largeMessages,
		subject: func(position int) string { return orderSubject(position % 100) },
		payload: func(int) []byte { return payload },
	}
}

func largeRun(run measure.Run, err error) (measure.Run, error) {
	run.Extras = []measure.Extra{{Name: largeSpeed, Value: run.Rate() * largeBytes / (1 << 20), Unit: measure.MiBPerSecond}}
	return run, err
}

// scanningLarge reads a store of large messages from the first to the last, for the second time.
type scanningLarge struct{ peer peers.Peer }

func (s *scanningLarge) name() string { return s.peer.Name }
func (s *scanningLarge) close() error { return nil }

func (s *scanningLarge) run(ctx context.Context, place workplace) (measure.Run, error) {
	all := largeShape(place.size)
	scan := func(store peers.ScanStore) error {
		messages, bytes, err := store.Scan(context.WithoutCancel(ctx))
		if err == nil && (messages != all.messages || bytes != int64(messages)*largeBytes) {
			err = fmt.Errorf("%s: the scan found %d messages with %d bytes", s.peer.Name, messages, bytes)
		}
		return err
	}
	return place.withFixture(ctx, s.peer, all, func(_ fixture, store peers.QueryStore) (measure.Run, error) {
		if err := scan(store); err != nil {
			return measure.Run{}, err
		}
		return largeRun(measure.Measure(func() (int64, *measure.Histogram, error) {
			return int64(all.messages), nil, scan(store)
		}))
	})
}

// readingFiles reads the block files of a store as a program does that only reads: the most that a scan can reach.
type readingFiles struct{ peer peers.Peer }

func (r *readingFiles) name() string { return largeReads }
func (r *readingFiles) close() error { return nil }

func (r *readingFiles) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	all := largeShape(place.size)
	made, err := place.fixture(ctx, r.peer, all)
	if err != nil {
		return run, err
	}
	blocks, err := peers.Blocks(r.peer.StreamDir(made.dir))
	if err != nil {
		return run, err
	}
	buffer := make([]byte, readAtOnce)
	read := func() error {
		for _, block := range blocks {
			if err := readFile(block.Path, buffer); err != nil {
				return err
			}
		}
		return nil
	}
	if err := read(); err != nil {
		return run, err
	}
	return largeRun(measure.Measure(func() (int64, *measure.Histogram, error) {
		return int64(all.messages), nil, read()
	}))
}

// readFile reads a file to its end.
func readFile(path string, buffer []byte) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for {
		if _, err := file.Read(buffer); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
