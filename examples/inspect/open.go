package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/actors"
)

// config returns how to open the stream in a directory.
func (a *app) config(dir string) (actors.Config, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return actors.Config{}, err
	}
	stat, err := os.Stat(dir)
	if err == nil && !stat.IsDir() {
		err = fmt.Errorf("%w: %s is a file, and not the directory of a stream", errUsage, dir)
	}
	if err != nil {
		return actors.Config{}, err
	}
	key, err := a.key(a.keyFile)
	if err != nil {
		return actors.Config{}, err
	}
	return actors.Config{
		Dir: filepath.Dir(dir), Name: filepath.Base(dir), Key: key,
		Logger: slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}, nil
}

// read opens a stream for reading only while use runs.
func (a *app) read(ctx context.Context, dir string, use func(*actors.Store) error) error {
	config, err := a.config(dir)
	if err != nil {
		return err
	}
	config.ReadOnly = true
	err = withStore(ctx, config, use)
	if errors.Is(err, fs.ErrNotExist) && config.Key == nil {
		return fmt.Errorf("no stream is in %s: %w", dir, err)
	}
	return err
}

// change opens a stream as its owner while use runs.
func (a *app) change(ctx context.Context, dir string, with func(*actors.Config), use func(*actors.Store) error) error {
	config, err := a.config(dir)
	if err != nil {
		return err
	}
	if err := isStream(dir); err != nil { // which would be made else
		return err
	}
	if with != nil {
		with(&config)
	}
	return withStore(ctx, config, use)
}

// isStream refuses a directory in which no stream is.
func isStream(dir string) error {
	for _, name := range []string{"meta.inf", "msgs"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("no stream is in %s: %w", dir, fs.ErrNotExist)
}

// withStore opens a stream, and stops it when use has returned.
func withStore(ctx context.Context, config actors.Config, use func(*actors.Store) error) error {
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	defer system.Shutdown()
	store, err := actors.Open(ctx, system, config)
	if err != nil {
		return err
	}
	err = use(store)
	return errors.Join(err, store.Stop(context.WithoutCancel(ctx)))
}
