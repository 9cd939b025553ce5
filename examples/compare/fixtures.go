package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

// fixtures are the stores that several runs and rows of a group read. They are filled at the first
// use, closed as after an ordinary stop, and removed when the suite goes on to another group.
type fixtures struct {
	made map[string]fixture
}

// fixture is a filled store that nobody has open.
type fixture struct {
	dir    string
	remove func() error
	firsts []uint64 // the sequence of the first message of each block
}

// fixture returns the store that peer made of a shape. Stores of peers with the same name and shape are
// the same.
func (w workplace) fixture(ctx context.Context, peer peers.Peer, s shape) (fixture, error) {
	key := peer.Name + " " + s.name
	if made, ok := w.kept.made[key]; ok {
		return made, nil
	}
	dir, remove, err := w.freshDir()
	if err != nil {
		return fixture{}, err
	}
	made := fixture{dir: dir, remove: remove}
	w.kept.made[key] = made // so that it is removed, whatever happens
	if err := fillClosed(ctx, peer, dir, s); err != nil {
		return fixture{}, fmt.Errorf("fill with %s: %w", s.name, err)
	}
	if made.firsts, err = peers.FirstSequences(peer.StreamDir(dir)); err != nil {
		return fixture{}, err
	}
	w.kept.made[key] = made
	return made, nil
}

// fillClosed opens a store, fills it and closes it.
func fillClosed(ctx context.Context, peer peers.Peer, dir string, s shape) error {
	store, err := peers.OpenAs[peers.ScanStore](peer, dir)
	if err != nil {
		return err
	}
	return errors.Join(fillIndexed(ctx, peer, store, dir, s), store.Close())
}

// fillIndexed fills an open store, and waits for the indexes that it makes of its blocks.
func fillIndexed(ctx context.Context, peer peers.Peer, store peers.ScanStore, dir string, s shape) error {
	if err := s.fill(ctx, store); err != nil || peer.AwaitIndexes == nil {
		return err
	}
	return peer.AwaitIndexes(ctx, dir)
}

// clear removes the stores.
func (f *fixtures) clear() error {
	var errs []error
	for _, made := range f.made {
		errs = append(errs, made.remove())
	}
	clear(f.made)
	return errors.Join(errs...)
}

// withFixture opens a fixture's store, measures the work on it and closes it. Opening and closing are
// not counted.
func (w workplace) withFixture(ctx context.Context, peer peers.Peer, s shape,
	work func(fixture, peers.QueryStore) (measure.Run, error)) (run measure.Run, err error) {
	made, err := w.fixture(ctx, peer, s)
	if err != nil {
		return run, err
	}
	w.settle()
	return made.open(peer, work)
}

// withColdFixture is withFixture when the files have to come from the disk. What a store reads when it
// opens, it reads from the disk; what that brings into the page cache is dropped as well, as far as
// the store does not have it mapped.
func (w workplace) withColdFixture(ctx context.Context, peer peers.Peer, s shape,
	work func(fixture, peers.QueryStore) (measure.Run, error)) (run measure.Run, err error) {
	made, err := w.fixture(ctx, peer, s)
	if err != nil {
		return run, err
	}
	if err := dropPages(made.dir); err != nil {
		return run, err
	}
	return made.open(peer, func(made fixture, store peers.QueryStore) (measure.Run, error) {
		if err := dropPages(made.dir); err != nil {
			return measure.Run{}, err
		}
		return work(made, store)
	})
}

func (made fixture) open(peer peers.Peer,
	work func(fixture, peers.QueryStore) (measure.Run, error)) (run measure.Run, err error) {
	store, err := peers.OpenAs[peers.QueryStore](peer, made.dir)
	if err != nil {
		return run, err
	}
	run, err = work(made, store)
	return run, errors.Join(err, store.Close())
}
