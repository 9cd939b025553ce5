package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// openRows are the rows that start over data of an earlier life.
func openRows() []row {
	list := []peers.Peer{peers.NATS(peers.NATSAsync), peers.Millrace(peers.Buffered)}
	return []row{{
		name: "open", title: "open after a crash, no derived file",
		contestants: each(list, func(p peers.Peer) contestant { return &opening{peer: p} }),
		targets:     []target{{against: "nats async", figure: timeFigure, bound: 1 / 1.5}},
	}}
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
	var store peers.Store
	run, err = measure.Measure(func() (int64, *measure.Histogram, error) {
		store, err = o.peer.Open(o.image)
		return int64(place.size.openMessages), nil, err
	})
	if err != nil {
		return run, err
	}
	return run, store.Close()
}

// prepare fills a store and copies its files before it is closed.
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
	if err := fill(ctx, store, place.size.openMessages); err != nil {
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
