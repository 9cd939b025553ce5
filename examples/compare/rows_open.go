package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// openRows are the rows that start over data of an earlier life.
func openRows() []row {
	theirs := peers.NATS(peers.NATSAsync)
	list := []peers.Peer{theirs, peers.Millrace(peers.Buffered)}
	return []row{
		{
			name: "open", title: "open after a crash, no derived file",
			contestants: each(list, func(p peers.Peer) contestant { return &opening{peer: p} }),
			targets:     []target{{against: theirs.Name, figure: timeFigure, bound: 1 / 1.5}},
		},
		{
			name: "open-indexes", title: "open after a stop, with all that it has left",
			contestants: each(list, func(p peers.Peer) contestant { return &reopening{peer: p, shape: openShape} }),
			targets: []target{{against: millraceName, figure: timeFigure,
				bound: float64(5 * time.Millisecond)}},
		},
	}
}

// opening opens the copy of a store that was taken while it ran, as a crash leaves it. The page
// cache holds the files, since they were just written.
type opening struct {
	peer   peers.Peer
	image  string
	remove func() error
}

func (o *opening) name() string { return o.peer.Name }

func (o *opening) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	if o.image == "" {
		if err := o.prepare(ctx, place); err != nil {
			return run, err
		}
	}
	if err := peers.RemoveDerived(o.peer.StreamDir(o.image)); err != nil {
		return run, err
	}
	place.settle()
	return measureOpen(o.peer, o.image, place.size.openMessages)
}

// prepare fills a store and copies its files before it is closed, when it writes nothing any more.
func (o *opening) prepare(ctx context.Context, place workplace) (err error) {
	live, removeLive, err := place.freshDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeLive()) }()
	store, err := peers.OpenAs[peers.ScanStore](o.peer, live)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := fillIndexed(ctx, o.peer, store, live, openShape(place.size)); err != nil {
		return err
	}
	image, removeImage, err := place.freshDir()
	if err != nil {
		return err
	}
	o.remove = removeImage
	if err := os.CopyFS(filepath.Join(image, "copy"), os.DirFS(live)); err != nil {
		return err
	}
	o.image = filepath.Join(image, "copy")
	return nil
}

func (o *opening) close() error {
	if o.remove == nil {
		return nil
	}
	return o.remove()
}

// reopening opens a store that was stopped in order. The page cache holds the files.
type reopening struct {
	peer  peers.Peer
	shape func(size) shape
}

func (r *reopening) name() string { return r.peer.Name }
func (r *reopening) close() error { return nil }

func (r *reopening) run(ctx context.Context, place workplace) (run measure.Run, err error) {
	of := r.shape(place.size)
	made, err := place.fixture(ctx, r.peer, of)
	if err != nil {
		return run, err
	}
	place.settle()
	return measureOpen(r.peer, made.dir, of.messages)
}

func openShape(s size) shape { return ordersShape(s.openMessages, subjectCount) }

// measureOpen opens a store, which is what counts, and closes it.
func measureOpen(peer peers.Peer, dir string, messages int) (run measure.Run, err error) {
	var store peers.Store
	run, err = measure.Measure(func() (int64, *measure.Histogram, error) {
		store, err = peer.Open(dir)
		return int64(messages), nil, err
	})
	if err != nil {
		return run, err
	}
	return run, store.Close()
}
