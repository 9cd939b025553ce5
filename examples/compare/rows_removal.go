package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// removers is how many callers remove random messages at a time.
const removers = 64

// purgedSubjects is on how many subjects the messages are of which one is purged.
const purgedSubjects = 1_000

// removalRows are the rows in which messages leave.
func removalRows(s size) []row {
	everyone := []peers.Peer{peers.NATS(peers.NATSDefault), peers.NATS(peers.NATSAsync), peers.Millrace(peers.Buffered)}
	two := everyone[1:]
	theirs := two[0].Name
	return append(steadyRows(s),
		row{
			name: "remove-random", title: fmt.Sprintf("remove a random half of %s messages, %d callers", count(s.removeMessages), removers),
			contestants: each(everyone, func(p peers.Peer) contestant { return &removingRandom{peer: p} }),
			targets:     []target{{against: theirs, figure: rateFigure, bound: 2}},
		},
		row{
			name:  "remove-purge-subject",
			title: fmt.Sprintf("purge 1 subject of %s in %s messages", count(purgedSubjects), count(s.purgeMessages)),
			contestants: each(two, func(p peers.Peer) contestant {
				return &removingAtOnce{peer: p, remove: func(ctx context.Context, store peers.RemovalStore, s size) (uint64, int, error) {
					n, err := store.PurgeSubject(ctx, orderSubject(437))
					return n, s.purgeMessages / purgedSubjects, err
				}}
			}),
			targets: []target{{against: theirs, figure: timeFigure, bound: 1.0 / 20}},
		},
		row{
			name: "remove-compact", title: fmt.Sprintf("compact %s messages to the middle", count(s.purgeMessages)),
			contestants: each(two, func(p peers.Peer) contestant {
				return &removingAtOnce{peer: p, remove: func(ctx context.Context, store peers.RemovalStore, s size) (uint64, int, error) {
					n, err := store.Compact(ctx, uint64(s.purgeMessages/2+1))
					return n, s.purgeMessages / 2, err
				}}
			}),
			targets: []target{{against: theirs, figure: timeFigure, bound: 1.0 / 20}},
		},
		row{
			name: "remove-purge-all", title: fmt.Sprintf("purge all of %s messages", count(s.purgeMessages)),
			contestants: each(two, func(p peers.Peer) contestant {
				return &removingAtOnce{peer: p, remove: func(ctx context.Context, store peers.RemovalStore, s size) (uint64, int, error) {
					n, err := store.Purge(ctx)
					return n, s.purgeMessages, err
				}}
			}),
			targets: []target{{against: theirs, figure: timeFigure, bound: 2}},
		},
		row{
			name:        "remove-beside",
			title:       fmt.Sprintf("append while %s of %s messages are purged by subject", count(s.purgeMessages/2), count(s.purgeMessages)),
			contestants: each(two, func(p peers.Peer) contestant { return &appendingBeside{peer: p} }),
			targets:     []target{{against: millraceName, figure: extraFigure, extra: p99Ratio, unit: measure.Times, bound: 2}},
		},
		row{
			name:        "remove-compacting",
			title:       fmt.Sprintf("append while blocks are rewritten that %s of %s messages are left of", count(s.purgeMessages/3), count(s.purgeMessages)),
			contestants: []contestant{new(appendingCompacted)},
			targets:     []target{{against: millraceName, figure: extraFigure, extra: p99Ratio, unit: measure.Times, bound: 2}},
		},
	)
}

// steadyRows are the rows in which each store removes a message.
func steadyRows(s size) []row {
	one := peers.Limits{MaxMsgs: -1, MaxBytes: -1, MaxMsgsPer: 1}
	perSubject := func(name, title string, keys int, bound float64) row {
		list := []peers.Peer{peers.NATSLimited(peers.NATSAsync, one), peers.MillraceLimited(peers.Buffered, one)}
		return row{
			name: name, title: fmt.Sprintf(title, count(keys)),
			contestants: each(list, func(p peers.Peer) contestant { return &overwriting{peer: p, keys: keys} }),
			targets:     []target{{against: list[0].Name, figure: rateFigure, bound: bound}},
		}
	}
	durable := []peers.Peer{peers.NATSLimited(peers.NATSSyncAlways, one), peers.MillraceLimited(peers.Durable, one)}
	full := peers.Limits{MaxMsgs: int64(s.fullMessages), MaxBytes: -1, MaxMsgsPer: -1}
	limited := []peers.Peer{peers.NATSLimited(peers.NATSDefault, full), peers.NATSLimited(peers.NATSAsync, full),
		peers.MillraceLimited(peers.Buffered, full)}
	rounds := []peers.Peer{peers.NATSLimited(peers.NATSDefault, one), peers.MillraceLimited(peers.Buffered, one)}
	return []row{
		perSubject("steady-keys-many", "overwrite %s keys, MaxMsgsPer=1, no sync", s.kvKeys, 4),
		perSubject("steady-keys-most", "overwrite %s keys, MaxMsgsPer=1, no sync", s.kvMessages, 6),
		{
			name: "steady-keys-durable", title: fmt.Sprintf("overwrite %s keys, MaxMsgsPer=1, durable, 64 writers", count(s.durableKeys)),
			contestants: each(durable, func(p peers.Peer) contestant {
				return &overwriting{peer: p, keys: s.durableKeys, callers: 64}
			}),
			targets: []target{{against: durable[0].Name, figure: rateFigure, bound: 15}},
		},
		{
			name: "steady-msgs", title: fmt.Sprintf("append to a stream of %s messages, MaxMsgs, no sync", count(s.fullMessages)),
			contestants: each(limited, func(p peers.Peer) contestant { return &overwriting{peer: p, cycle: s.fullMessages} }),
			targets:     []target{{against: "nats async", figure: rateFigure, bound: 1.5}},
		},
		{
			name: "steady-space", title: fmt.Sprintf("files after %d rounds over %s keys, MaxMsgsPer=1", spaceRounds, count(s.kvKeys)), once: true,
			contestants: each(rounds, func(p peers.Peer) contestant { return &rewriting{peer: p} }),
			targets:     []target{{against: millraceName, figure: extraFigure, extra: bytesRatio, unit: measure.Times, bound: 2}},
		},
	}
}

// overwriting fills a store with a message for each key, and then goes on storing messages of random keys:
// one caller that does not wait for each, or callers that do. With cycle there are no keys, but so many messages
// whose subjects cycle, as those of the rows that store do.
type overwriting struct {
	peer    peers.Peer
	keys    int
	cycle   int
	callers int
}

func (o *overwriting) name() string { return o.peer.Name }
func (o *overwriting) close() error { return nil }

func (o *overwriting) run(ctx context.Context, place workplace) (measure.Run, error) {
	ctx = context.WithoutCancel(ctx) // as in load.run
	return withStore(place, o.peer, func(store peers.ScanStore) (run measure.Run, err error) {
		shape, key := kvShape(o.keys, o.keys), o.key()
		if o.cycle > 0 {
			shape, key = ordersShape(o.cycle, subjectCount), newSource(0).message
		}
		if err := shape.fill(ctx, store); err != nil {
			return run, err
		}
		place.settle()
		return measure.Measure(func() (int64, *measure.Histogram, error) {
			if o.callers > 0 {
				hands := make([]hand, o.callers)
				for i := range hands {
					hands[i] = hand{sampleEvery: 1, step: func() error { return store.Append(ctx, key()) }}
				}
				done, err := runCrew(place.size.storing, hands)
				sum := together(done)
				return sum.steps, sum.latencies, err
			}
			pipeline := store.Pipeline()
			done, err := runCrew(place.size.storing, []hand{{step: func() error { return pipeline.Submit(ctx, key()) }}})
			if err == nil {
				err = pipeline.Drain(ctx)
			}
			return done[0].steps, nil, err
		})
	})
}

// key returns a function that makes messages of random keys. It may be called from any goroutine.
func (o *overwriting) key() func() peers.Message {
	if o.keys == 0 {
		return nil
	}
	payload, order := newSource(0).payload, newPermutation(o.keys)
	var at atomic.Int64
	return func() peers.Message {
		return peers.Message{Subject: kvSubject(order.at(int(at.Add(1)) * 7 % o.keys)), Payload: payload}
	}
}

const (
	spaceRounds = 10
	bytesRatio  = "bytes over live"
)

// rewriting stores a message of each key, in some rounds, and looks at the size of the files then.
type rewriting struct{ peer peers.Peer }

func (r *rewriting) name() string { return r.peer.Name }
func (r *rewriting) close() error { return nil }

func (r *rewriting) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	keys := place.size.kvKeys
	live := float64(keys * (recordOverhead + len(kvSubject0) + payloadBytes))
	dir, remove, err := place.freshDir()
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	store, err := peers.OpenAs[peers.ScanStore](r.peer, dir)
	if err != nil {
		return run, err
	}
	run, err = measure.Measure(func() (int64, *measure.Histogram, error) {
		return int64(keys * spaceRounds), nil, kvShape(keys*spaceRounds, keys).fill(ctx, store)
	})
	if err := errors.Join(err, store.Close()); err != nil {
		return run, err
	}
	total, err := blockBytes(r.peer.StreamDir(dir))
	run.Extras = []measure.Extra{{Name: bytesRatio, Value: float64(total) / live, Unit: measure.Times}}
	return run, err
}

// blockBytes is the size of the blocks of a stream.
func blockBytes(streamDir string) (total int64, err error) {
	err = filepath.WalkDir(streamDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".blk" {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// removingRandom fills a store and removes half of the messages, in random order.
type removingRandom struct{ peer peers.Peer }

func (r *removingRandom) name() string { return r.peer.Name }
func (r *removingRandom) close() error { return nil }

func (r *removingRandom) run(ctx context.Context, place workplace) (measure.Run, error) {
	ctx = context.WithoutCancel(ctx)
	return withStore(place, r.peer, func(store peers.RemovalStore) (run measure.Run, err error) {
		messages := place.size.removeMessages
		if err := ordersShape(messages, loadSubjects).fill(ctx, store); err != nil {
			return run, err
		}
		place.settle()
		order := newPermutation(messages)
		var at atomic.Int64
		return measure.Measure(func() (int64, *measure.Histogram, error) {
			work := startBackground(removers, func(int, *atomic.Bool) error {
				for {
					next := int(at.Add(1)) - 1
					if next >= messages/2 {
						return nil
					}
					if err := store.Remove(ctx, uint64(order.at(next)+1)); err != nil {
						return err
					}
				}
			})
			err := work.wait()
			return int64(messages / 2), nil, err
		})
	})
}

// removingAtOnce fills a store and removes many messages with one call. remove returns how many it has removed,
// and how many it should have.
type removingAtOnce struct {
	peer   peers.Peer
	remove func(context.Context, peers.RemovalStore, size) (got uint64, want int, err error)
}

func (r *removingAtOnce) name() string { return r.peer.Name }
func (r *removingAtOnce) close() error { return nil }

func (r *removingAtOnce) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	ctx = context.WithoutCancel(ctx)
	dir, remove, err := place.freshDir()
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	store, err := peers.OpenAs[peers.RemovalStore](r.peer, dir)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := fillIndexed(ctx, r.peer, store, dir, ordersShape(place.size.purgeMessages, purgedSubjects)); err != nil {
		return run, err
	}
	place.settle()
	return measure.Measure(func() (int64, *measure.Histogram, error) {
		got, want, err := r.remove(ctx, store, place.size)
		if err == nil && got != uint64(want) {
			err = fmt.Errorf("%d messages removed instead of %d", got, want)
		}
		return int64(got), nil, err
	})
}

const (
	p99Ratio      = "p99 over idle"
	longestIdle   = "longest idle"
	longestBeside = "longest"
)

// appendingBeside has one caller that appends, first alone, and then while half of the messages are purged.
type appendingBeside struct{ peer peers.Peer }

func (a *appendingBeside) name() string { return a.peer.Name }
func (a *appendingBeside) close() error { return nil }

func (a *appendingBeside) run(ctx context.Context, place workplace) (measure.Run, error) {
	ctx = context.WithoutCancel(ctx)
	return withStore(place, a.peer, func(store peers.RemovalStore) (run measure.Run, err error) {
		if err := ordersShape(place.size.purgeMessages, 2).fill(ctx, store); err != nil {
			return run, err
		}
		place.settle()
		writer := appends(ctx, store)
		writer.sampleEvery = 1
		alone, err := runCrew(place.size.reading, []hand{writer})
		if err != nil {
			return run, err
		}
		var longest *measure.Histogram
		run, err = measure.Measure(func() (int64, *measure.Histogram, error) {
			purge := startBackground(1, func(int, *atomic.Bool) error {
				_, err := store.PurgeSubject(ctx, orderSubject(1))
				return err
			})
			var over atomic.Bool
			go func() { _ = purge.wait(); over.Store(true) }()
			done, err := writer.work(&over)
			if err == nil {
				err = purge.wait()
			}
			longest = done.latencies
			return done.steps, done.latencies, err
		})
		run.Extras = overIdle(longest, alone[0].latencies)
		return run, err
	})
}

// overIdle compares the latencies beside something with those of an idle store.
func overIdle(beside, idle *measure.Histogram) []measure.Extra {
	milliseconds := func(h *measure.Histogram) float64 { return h.Quantile(1).Seconds() * 1000 }
	return []measure.Extra{
		{Name: p99Ratio, Value: divide(float64(beside.Quantile(0.99)), float64(idle.Quantile(0.99))), Unit: measure.Times},
		{Name: longestIdle, Value: milliseconds(idle), Unit: measure.Milliseconds},
		{Name: longestBeside, Value: milliseconds(beside), Unit: measure.Milliseconds},
	}
}
