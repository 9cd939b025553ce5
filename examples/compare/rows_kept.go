package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// keptWay is a way to keep full blocks, of which there are rows, and what the figures should be, in proportion.
type keptWay struct {
	peers.Kept
	store, storePlain float64 // the rate of storing, to nats-server's and to our own with plain blocks
	disk              float64 // the bytes on the disk, to nats-server's
	load, filter      float64 // the rates, to nats-server's
	scan              float64 // the rate of a scan of everything, to nats-server's; 0 for no such row
}

// keptWays are the ways besides plain.
var keptWays = []keptWay{
	{Kept: peers.KeptS2, store: 1, storePlain: 0.6, disk: 1.1, load: 5, filter: 5},
	{Kept: peers.KeptSealed, store: 1.2, storePlain: 0.7, disk: 1.1, load: 2, filter: 5, scan: 2},
}

// keptFilter is how many subjects of the messages a filter selects, of fullSubjects.
const keptFilter = 1

// diskExtra is how the table calls the bytes of the block files.
const diskExtra = "block files"

// keptShape is text: what a stream is compressed for.
func keptShape(s size) shape { return fullShape(s.fullBytes / 2) }

// keptRows are the rows about blocks that are not plain on the disk.
func keptRows() (rows []row) {
	for _, way := range keptWays {
		rows = append(rows, way.rows()...)
	}
	return rows
}

// named is a contestant with another name in the table than its store.
type named struct {
	contestant
	called string
}

func (n named) name() string { return n.called }

func (w keptWay) rows() []row {
	theirs, plain := peers.NATS(peers.NATSDefault).Name, millraceName+" plain"
	of := func(enter func(peers.Peer) contestant) []contestant {
		return []contestant{
			named{enter(peers.NATSKept(peers.NATSDefault, w.Kept)), theirs},
			named{enter(peers.MillraceKept(peers.Buffered, peers.KeptPlain)), plain},
			named{enter(peers.MillraceKept(peers.Buffered, w.Kept)), millraceName},
		}
	}
	name := func(row string) string { return "kept-" + row + "-" + strings.ToLower(w.Name) }
	rows := []row{
		{
			name: name("store"), title: "store text, pipelined, full blocks kept as " + w.Name,
			contestants: of(func(p peers.Peer) contestant { return &keptStoring{peer: p} }),
			targets: []target{
				{against: theirs, figure: rateFigure, bound: w.store},
				{against: plain, figure: rateFigure, bound: w.storePlain},
				{against: theirs, figure: extraFigure, extra: diskExtra, unit: measure.MiB, bound: w.disk},
			},
		},
		{
			name: name("load"), title: "load by sequence, uniform over text, 1 reader, full blocks kept as " + w.Name,
			contestants: of(func(p peers.Peer) contestant { return &keptLoading{peer: p} }),
			targets:     []target{{against: theirs, figure: rateFigure, bound: w.load}},
		},
		{
			name:  name("filter"),
			title: fmt.Sprintf("read %d subject of %d of text, first pass after opening, full blocks kept as %s", keptFilter, fullSubjects, w.Name),
			contestants: of(func(p peers.Peer) contestant {
				return &filtering{peer: p, filter: fullSubject(77), shape: keptShape, wanted: func(s string) bool { return s == fullSubject(77) }}
			}),
			targets: []target{{against: theirs, figure: rateFigure, bound: w.filter}},
		},
	}
	if w.scan > 0 {
		rows = append(rows, row{
			name: name("scan"), title: "full scan of text, first after opening, full blocks kept as " + w.Name,
			contestants: of(func(p peers.Peer) contestant { return &keptScanning{peer: p} }),
			targets:     []target{{against: theirs, figure: rateFigure, bound: w.scan}},
		})
	}
	return rows
}

// keptScanning reads everything in a store that was just opened.
type keptScanning struct{ peer peers.Peer }

func (k *keptScanning) name() string { return k.peer.Name }
func (k *keptScanning) close() error { return nil }

func (k *keptScanning) run(ctx context.Context, place workplace) (measure.Run, error) {
	all := keptShape(place.size)
	return place.withFixture(ctx, k.peer, all, func(_ fixture, store peers.QueryStore) (measure.Run, error) {
		return measure.Measure(func() (int64, *measure.Histogram, error) {
			messages, bytes, err := store.Scan(context.WithoutCancel(ctx))
			if err == nil && (messages != all.messages || bytes != int64(messages)*fullPayload) {
				err = fmt.Errorf("%s: the scan found %d messages with %d bytes", k.peer.Name, messages, bytes)
			}
			return int64(messages), nil, err
		})
	})
}

// keptStoring stores text in a new store. What is done in the background goes on meanwhile, and is waited for before the
// files are measured.
type keptStoring struct{ peer peers.Peer }

func (k *keptStoring) name() string { return k.peer.Name }
func (k *keptStoring) close() error { return nil }

func (k *keptStoring) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	ctx = context.WithoutCancel(ctx)
	dir, remove, err := place.freshDir()
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	store, err := peers.OpenAs[peers.ScanStore](k.peer, dir)
	if err != nil {
		return run, err
	}
	all := keptShape(place.size)
	place.settle()
	run, err = measure.Measure(func() (int64, *measure.Histogram, error) {
		return int64(all.messages), nil, all.fill(ctx, store)
	})
	if err == nil {
		err = k.peer.AwaitIndexes(ctx, dir)
	}
	if err = errors.Join(err, store.Close()); err != nil {
		return run, err
	}
	files, err := blockSizes(k.peer.StreamDir(dir))
	if err != nil {
		return run, err
	}
	bytes := int64(0)
	for _, size := range files {
		bytes += size
	}
	run.Extras = []measure.Extra{{Name: diskExtra, Value: float64(bytes) / (1 << 20), Unit: measure.MiB}}
	return run, nil
}

// keptLoading loads messages of a store that was just opened, from all of its blocks.
type keptLoading struct{ peer peers.Peer }

func (k *keptLoading) name() string { return k.peer.Name }
func (k *keptLoading) close() error { return nil }

func (k *keptLoading) run(ctx context.Context, place workplace) (measure.Run, error) {
	ctx = context.WithoutCancel(ctx)
	all := keptShape(place.size)
	return place.withFixture(ctx, k.peer, all, func(_ fixture, store peers.QueryStore) (measure.Run, error) {
		reader, random := store.Reader(), rand.New(rand.NewPCG(4, 1))
		loads := hand{sampleEvery: 1, step: func() error {
			size, err := reader.Load(ctx, random.Uint64N(uint64(all.messages))+1)
			if err == nil && size != fullPayload {
				err = fmt.Errorf("a payload of %d bytes", size)
			}
			return err
		}}
		return measure.Measure(func() (int64, *measure.Histogram, error) {
			done, err := runCrew(place.size.reading, []hand{loads})
			return done[0].steps, done[0].latencies, err
		})
	})
}
