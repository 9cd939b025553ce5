package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-d8b58eba/millrace/actors"
)

func (a *app) tailCommand() *cobra.Command {
	var subjects []string
	var most int
	var follow bool
	var every time.Duration
	c := &cobra.Command{
		Use:   "tail STREAM",
		Short: "write the last messages, and with -f those that come",
		Long: `tail writes the last messages of a stream. With -f it looks at the files again whenever they have changed, and writes
what has come, also beside a running owner, until it is interrupted. What comes and goes between two looks is not seen.`,
		Args: exactly("STREAM"),
		RunE: func(c *cobra.Command, arguments []string) error {
			if most < 0 || every < 10*time.Millisecond {
				return fmt.Errorf("%w: -n is at least 0, and --every at least 10ms", errUsage)
			}
			t := &tailing{app: a, dir: arguments[0], subjects: subjects}
			if err := t.last(c.Context(), most); err != nil || !follow {
				return err
			}
			return t.follow(c.Context(), every)
		},
	}
	c.Flags().StringArrayVarP(&subjects, "subject", "s", nil, "a filter, with * and >; any number of them")
	c.Flags().IntVarP(&most, "lines", "n", 10, "how many messages")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what comes")
	c.Flags().DurationVar(&every, "every", 500*time.Millisecond, "how often to look whether something has come")
	return c
}

// tailing is one tail.
type tailing struct {
	app      *app
	dir      string
	subjects []string
	seen     uint64 // the last sequence that was looked at
}

// last writes the last messages.
func (t *tailing) last(ctx context.Context, most int) error {
	return t.app.read(ctx, t.dir, func(s *actors.Store) error {
		state, err := s.FastState(ctx)
		if err != nil {
			return err
		}
		t.seen = state.LastSequence
		options := []actors.ReadOption{actors.Reverse(), actors.PassDamage()}
		for _, f := range filtersOf(t.subjects) {
			options = append(options, f)
		}
		var last []actors.Message
		for m, err := range s.Messages(ctx, options...) {
			if err != nil {
				return err
			}
			if len(last) == most {
				break
			}
			last = append(last, m)
		}
		for _, m := range slices.Backward(last) {
			if err := t.app.message(m, false); err != nil {
				return err
			}
		}
		return nil
	})
}

// follow writes what comes, until the context ends.
func (t *tailing) follow(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	before := ""
	for {
		now, err := fingerprint(filepath.Join(t.dir, "msgs"))
		if err == nil && now != before {
			err = t.more(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			before = now
		case errors.Is(err, actors.ErrChanged), errors.Is(err, fs.ErrNotExist): // just now; look again
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// more writes what has come.
func (t *tailing) more(ctx context.Context) error {
	return t.app.read(ctx, t.dir, func(s *actors.Store) error {
		state, err := s.FastState(ctx)
		if err != nil {
			return err
		}
		wanted := selection{from: t.seen + 1, to: state.LastSequence, subjects: t.subjects}
		if state.LastSequence < wanted.from {
			t.seen = state.LastSequence // it was cut
			return nil
		}
		err = wanted.walk(ctx, s, func(m actors.Message) error {
			t.seen = m.Sequence
			return t.app.message(m, false)
		}, func(error) error { return nil })
		if err == nil {
			t.seen = state.LastSequence
		}
		return err
	})
}

// fingerprint is one text as long as no file in a directory has changed.
func fingerprint(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&b, e.Name(), info.Size(), info.ModTime().UnixNano())
	}
	return b.String(), nil
}
