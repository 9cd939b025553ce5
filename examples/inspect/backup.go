package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/seed-d8b58eba/millrace/actors"
)

// The forms of archives.
const (
	formSnapshot = "snapshot" // the tar of nats-server 2.14
	formArchive  = "archive"  // the messages, as of 2.15
)

func (a *app) backupCommand() *cobra.Command {
	var form string
	var consumers, force bool
	c := &cobra.Command{
		Use:   "backup STREAM FILE",
		Short: "write a stream as it is at one instant into one file, or with - to the output",
		Args:  exactly("STREAM", "FILE"),
		RunE: func(c *cobra.Command, arguments []string) error {
			if form != formSnapshot && form != formArchive {
				return fmt.Errorf("%w: --form=%s: it is snapshot or archive", errUsage, form)
			}
			if consumers && form == formArchive {
				return fmt.Errorf("%w: --consumers: an archive has none", errUsage)
			}
			b := &backup{app: a, form: form, consumers: consumers}
			take := func(w io.Writer) error {
				return a.read(c.Context(), arguments[0], func(s *actors.Store) error { return b.take(c.Context(), s, w) })
			}
			if arguments[1] == "-" {
				return take(a.out)
			}
			if err := intoFile(arguments[1], force, take); err != nil {
				return err
			}
			if a.asJSON {
				return a.json(map[string]any{"file": arguments[1], "messages": b.messages, "size": b.size, "form": form})
			}
			return a.printf("%s: %d messages, %s\n", shown(arguments[1]), b.messages, size(b.size))
		},
	}
	c.Flags().StringVar(&form, "form", formSnapshot, "snapshot (a nats-server 2.14's and ours) or archive (a nats-server 2.15's)")
	c.Flags().BoolVar(&consumers, "consumers", false, "take the consumers of a nats-server along")
	c.Flags().BoolVar(&force, "force", false, "replace a file of that name")
	return c
}

type backup struct {
	app       *app
	form      string
	consumers bool

	messages uint64
	size     int64
}

func (b *backup) take(ctx context.Context, s *actors.Store, w io.Writer) error {
	told := b.app.progress("backup " + shown(s.Name()))
	progress := func(p actors.SnapshotProgress) { told.at(int64(p.Messages), int64(p.OfMessages), count) }
	if b.form == formArchive {
		info, err := s.Backup(ctx, w, actors.BackupOptions{Progress: progress})
		b.messages, b.size = info.Messages, info.Size
		return err
	}
	info, err := s.Snapshot(ctx, w, actors.SnapshotOptions{Consumers: b.consumers, Progress: progress})
	b.messages, b.size = info.Messages, info.Size
	return err
}

// intoFile has a file written, which gets its name when all of it is durable.
func intoFile(path string, force bool, write func(io.Writer) error) (err error) {
	if _, err := os.Lstat(path); err == nil && !force {
		return fmt.Errorf("%s is there already: --force replaces it", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".partial-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return errors.Join(f.Close(), syncDir(filepath.Dir(path)))
}

// syncDir makes a name durable, where directories can be opened.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, os.ErrInvalid) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
