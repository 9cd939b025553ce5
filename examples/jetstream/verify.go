package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// verify compares every stream below the folder streams, and says how each did. It works in scratch.
func verify(ctx context.Context, streams, scratch string, out io.Writer) error {
	names, err := streamNames(streams)
	if err != nil {
		return err
	}
	serverDir, millraceDir := filepath.Join(scratch, "server"), filepath.Join(scratch, "millrace")
	for _, name := range names {
		source := filepath.Join(streams, name)
		if err := errors.Join(oracle.Place(serverDir, name, source),
			oracle.CopyStream(filepath.Join(millraceDir, name), source)); err != nil {
			return err
		}
	}
	server, err := oracle.Start(serverDir)
	if err != nil {
		return err
	}
	defer server.Stop()

	var failures []error
	for _, name := range names {
		err := interop.OpenMillrace(ctx, millraceDir, name, func(reading interop.Reading) error {
			compared, err := interop.Compare(ctx, server, name, reading)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(out, "%s: nats-server %s and Millrace agree: %d messages (sequences %d to %d)\n",
				name, oracle.Version(), compared, reading.First, reading.Last)
			return err
		})
		if err != nil {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// streamNames are the folders that look like streams.
func streamNames(dir string) ([]string, error) {
	metas, err := filepath.Glob(filepath.Join(dir, "*", "meta.inf"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, meta := range metas {
		names = append(names, filepath.Base(filepath.Dir(meta)))
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no stream in %s", dir)
	}
	return names, nil
}
