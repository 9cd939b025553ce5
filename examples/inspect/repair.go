package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/seed-d8b58eba/millrace/actors"
)

func (a *app) repairCommand() *cobra.Command {
	var really, recreate bool
	c := &cobra.Command{
		Use:   "repair STREAM",
		Short: "say what a repair would do; with --write, do it",
		Long: `repair has a stream recovered, as its owner does at the next open, and everything that is damaged in it noted as lost, so
that it is counted, and a backup goes on without it. Without --write it changes nothing, and says what is damaged.

What a repair cuts off, a torn tail for example, is kept in lost+found in the stream's directory. A damaged block stays as it
is, so that verify goes on to tell of it. Messages that are lost stay lost: a repair brings nothing back. The stream must not
be open anywhere.`,
		Args: exactly("STREAM"),
		RunE: func(c *cobra.Command, arguments []string) error {
			if !really {
				return a.wouldRepair(c, arguments[0])
			}
			return a.repair(c, arguments[0], recreate)
		},
	}
	c.Flags().BoolVar(&really, "write", false, "repair the stream, and do not only say what that would do")
	c.Flags().BoolVar(&recreate, "recreate-meta", false, "with --write: make a new configuration, without limits, if it is lost")
	return c
}

// wouldRepair says what is wrong.
func (a *app) wouldRepair(c *cobra.Command, dir string) error {
	err := a.read(c.Context(), dir, func(s *actors.Store) error {
		_, err := a.verify(c.Context(), s, dir)
		return err
	})
	if errors.Is(err, errDamaged) && !a.asJSON {
		return errors.Join(err, a.printf("nothing was changed; inspect repair --write %s notes these as lost, and keeps what it cuts off in lost+found\n", shown(dir)))
	}
	return err
}

func (a *app) repair(c *cobra.Command, dir string, recreate bool) error {
	ctx := c.Context()
	before, err := setAside(dir)
	if err != nil {
		return err
	}
	var state actors.State
	err = a.change(ctx, dir, func(config *actors.Config) { config.RecreateMeta = recreate }, func(s *actors.Store) error {
		// Whoever reads a damaged message finds out what is lost, and the store writes that down.
		told := a.progress("repair " + shown(dir))
		read := int64(0)
		for _, err := range s.Messages(ctx, actors.PassDamage()) {
			if err != nil {
				return err
			}
			read++
			told.at(read, int64(s.Stats().Messages), count)
		}
		if err := s.Flush(ctx); err != nil {
			return err
		}
		state, err = s.FastState(ctx)
		return err
	})
	if errors.Is(err, actors.ErrMetaLost) && !recreate {
		return fmt.Errorf("%w; --recreate-meta makes a new configuration, without limits", err)
	}
	if err != nil {
		return err
	}
	after, err := setAside(dir)
	if err != nil {
		return err
	}
	kept := after[min(len(before), len(after)):]
	if a.asJSON {
		return a.json(map[string]any{"stream": dir, "messages": state.Messages, "lost": state.LostMessages, "set_aside": kept})
	}
	if err := a.printf("%s: %d messages; %d are noted as lost\n", shown(dir), state.Messages, state.LostMessages); err != nil {
		return err
	}
	for _, name := range kept {
		if err := a.printf("kept: %s\n", shown(name)); err != nil {
			return err
		}
	}
	return nil
}

// setAside returns what is in the lost+found of a stream, which only grows, in the order of its names.
func setAside(dir string) (names []string, err error) {
	for _, folder := range []string{"lost+found", filepath.Join("msgs", "lost+found")} {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("what recovery has set aside: %w", err)
		}
		for _, e := range entries {
			names = append(names, filepath.Join(folder, e.Name()))
		}
	}
	return names, nil
}
