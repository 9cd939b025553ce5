// Command jetstream opens a folder of streams that Millrace left behind with a real nats-server, and
// compares what the server says with what Millrace reads: for each stream the number of messages,
// bytes, first and last sequence, and each message's sequence, time, subject, header block and
// payload.
//
//	go run . -streams ../../data
//
// Both work on copies; the folder itself is only read.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "jetstream:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("jetstream", flag.ContinueOnError)
	streams := flags.String("streams", "../../data", "the folder that holds one folder for each stream")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "jetstream-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	return verify(ctx, *streams, scratch, out)
}

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
