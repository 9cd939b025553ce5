package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// raftBatch is how many entries raft hands over at once at most, unless it is configured otherwise.
const raftBatch = 64

// raftRows are the rows in which a store is the log of a raft server: one caller appends at the end.
func raftRows(s size) []row {
	const theirs = "raft-wal"
	logs := func(enter func(peers.RaftLog) contestant) (all []contestant) {
		for _, log := range peers.RaftLogs() {
			all = append(all, enter(log))
		}
		return all
	}
	return []row{
		{
			name: "raft-1", title: "raft log, 1 entry at a time",
			contestants: logs(func(l peers.RaftLog) contestant { return &raftAppending{log: l, batch: 1} }),
			targets:     []target{{against: theirs, figure: rateFigure, bound: 1}},
		},
		{
			name: "raft-64", title: fmt.Sprintf("raft log, %d entries at a time", raftBatch),
			contestants: logs(func(l peers.RaftLog) contestant { return &raftAppending{log: l, batch: raftBatch} }),
			targets:     []target{{against: theirs, figure: rateFigure, bound: 1.5}},
		},
		{
			name: "raft-read", title: fmt.Sprintf("raft log, read %s entries in order", count(s.fullMessages)),
			contestants: logs(func(l peers.RaftLog) contestant { return &raftReading{log: l} }),
			targets:     []target{{against: theirs, figure: rateFigure, bound: 1}},
		},
		{
			name: "raft-truncate", title: fmt.Sprintf("raft log, delete the newer half of %s entries, store one", count(s.fullMessages)),
			contestants: logs(func(l peers.RaftLog) contestant { return &raftDeleting{log: l, tail: true} }),
			targets:     []target{{against: theirs, figure: timeFigure, bound: 1 / 1.5}},
		},
		{
			name: "raft-compact", title: fmt.Sprintf("raft log, delete the older half of %s entries, store one", count(s.fullMessages)),
			contestants: logs(func(l peers.RaftLog) contestant { return &raftDeleting{log: l} }),
			targets:     []target{{against: theirs, figure: timeFigure, bound: 1}},
		},
	}
}

// raftAppending appends so many entries at a time.
type raftAppending struct {
	log   peers.RaftLog
	batch int
}

func (r *raftAppending) name() string { return r.log.Name }
func (r *raftAppending) close() error { return nil }

func (r *raftAppending) run(ctx context.Context, place workplace) (measure.Run, error) {
	return onRaftLog(place, r.log, 0, func(log peers.OpenRaftLog) (int64, *measure.Histogram, error) {
		next := uint64(1)
		callers := load{callers: 1, duration: place.size.storing, sampleEvery: 1, messagesEach: r.batch}
		stored, latencies, err := callers.run(ctx, func(_ context.Context, messages *source) error {
			entries := peers.RaftEntries(next, r.batch, messages.payload)
			next += uint64(r.batch)
			return log.StoreLogs(entries)
		})
		return stored, latencies, errors.Join(err, peers.RaftEnd(log, next-1))
	})
}

// raftReading reads all entries of a log, as a leader does for a follower that is far behind.
type raftReading struct{ log peers.RaftLog }

func (r *raftReading) name() string { return r.log.Name }
func (r *raftReading) close() error { return nil }

func (r *raftReading) run(_ context.Context, place workplace) (measure.Run, error) {
	return onRaftLog(place, r.log, place.size.fullMessages, func(log peers.OpenRaftLog) (int64, *measure.Histogram, error) {
		entry := peers.RaftEntries(0, 1, nil)[0]
		for index := 1; index <= place.size.fullMessages; index++ {
			if err := log.GetLog(uint64(index), entry); err != nil {
				return 0, nil, err
			}
			if entry.Index != uint64(index) || len(entry.Data) != payloadBytes {
				return 0, nil, fmt.Errorf("index %d is entry %d of %d bytes", index, entry.Index, len(entry.Data))
			}
		}
		return int64(place.size.fullMessages), nil, nil
	})
}

// raftDeleting deletes half of a log with one call, and stores one entry behind what is left: what a store puts off
// counts.
type raftDeleting struct {
	log  peers.RaftLog
	tail bool
}

func (r *raftDeleting) name() string { return r.log.Name }
func (r *raftDeleting) close() error { return nil }

func (r *raftDeleting) run(_ context.Context, place workplace) (measure.Run, error) {
	last := uint64(place.size.fullMessages)
	low, high, end := uint64(1), last/2, last
	if r.tail {
		low, high, end = last/2+1, last, last/2
	}
	return onRaftLog(place, r.log, place.size.fullMessages, func(log peers.OpenRaftLog) (int64, *measure.Histogram, error) {
		if err := log.DeleteRange(low, high); err != nil {
			return 0, nil, err
		}
		if err := log.StoreLogs(peers.RaftEntries(end+1, 1, make([]byte, payloadBytes))); err != nil {
			return 0, nil, err
		}
		return int64(high - low + 1), nil, peers.RaftEnd(log, end+1)
	})
}

// onRaftLog opens a fresh log, fills it, measures the work on it, closes and removes it.
func onRaftLog(place workplace, store peers.RaftLog, fill int,
	work func(peers.OpenRaftLog) (int64, *measure.Histogram, error)) (run measure.Run, err error) {
	dir, remove, err := place.freshDir()
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	log, err := store.Open(dir)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	const piece = 4096
	for first := 1; first <= fill; first += piece {
		if err := log.StoreLogs(peers.RaftEntries(uint64(first), min(piece, fill-first+1), newSource(0).payload)); err != nil {
			return run, err
		}
	}
	place.settle()
	return measure.Measure(func() (int64, *measure.Histogram, error) { return work(log) })
}
