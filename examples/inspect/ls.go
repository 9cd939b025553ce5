package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-d8b58eba/millrace/actors"
)

// listed is a line of ls.
type listed struct {
	Stream   string `json:"stream"` // its directory
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	First    uint64 `json:"first"`
	Last     uint64 `json:"last"`
	Subjects uint64 `json:"subjects"`
	Lost     uint64 `json:"lost"`
	Disk     uint64 `json:"disk"`
	Error    string `json:"error,omitempty"`
}

func (a *app) lsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls ROOT...",
		Short: "list the streams below directories",
		Args:  atLeastOne("ROOT"),
		RunE: func(c *cobra.Command, arguments []string) error {
			var dirs []string
			for _, root := range arguments {
				below, err := streamsBelow(c.Context(), root)
				if err != nil {
					return err
				}
				dirs = append(dirs, below...)
			}
			var rows [][]string
			var failed error
			for _, dir := range dirs {
				l := a.look(c.Context(), dir)
				if l.Error != "" || l.Lost > 0 {
					failed = errDamaged
				}
				if a.asJSON {
					if err := a.json(l); err != nil {
						return err
					}
					continue
				}
				row := []string{count(int64(l.Messages)), size(int64(l.Bytes)), count(int64(l.First)), count(int64(l.Last)), count(int64(l.Subjects)), size(int64(l.Disk))}
				if l.Error != "" {
					row = []string{"", "", "", "", "", ""}
				}
				what := shown(l.Stream)
				switch {
				case l.Error != "":
					what += "  " + a.paint(red, shown(l.Error))
				case l.Lost > 0:
					what += "  " + a.paint(red, count(int64(l.Lost))+" LOST through damage")
				}
				rows = append(rows, append(row, what))
			}
			if a.asJSON {
				return failed
			}
			if len(dirs) == 0 {
				return errors.Join(a.printf("no stream is below %s\n", shown(strings.Join(arguments, ", "))), failed)
			}
			return errors.Join(a.columns([]string{"messages", "bytes", "first", "last", "subjects", "on disk", "stream"}, rows), failed)
		},
	}
}

// look opens a stream to see what is in it. What is wrong with it stands in the result.
func (a *app) look(ctx context.Context, dir string) listed {
	l := listed{Stream: dir}
	err := a.read(ctx, dir, func(s *actors.Store) error {
		state, err := s.FastState(ctx)
		if err != nil {
			return err
		}
		usage, err := s.DiskUsage(ctx)
		l.Messages, l.Bytes, l.First, l.Last = state.Messages, state.Bytes, state.FirstSequence, state.LastSequence
		l.Subjects, l.Lost, l.Disk = state.Subjects, state.LostMessages, usage.Total()
		return err
	})
	if err != nil {
		l.Error = withoutPackages.Replace(err.Error())
	}
	return l
}

// mostDeep is how deep below a root streams are looked for: a server has jetstream/<account>/streams/<name>.
const mostDeep = 5

// streamsBelow returns the directories of streams below a root, sorted. What is in the directory of a stream is no other one.
func streamsBelow(ctx context.Context, root string) ([]string, error) {
	var found []string
	var walk func(dir string, deep int) error
	walk = func(dir string, deep int) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if isStream(dir) == nil {
			found = append(found, dir)
			return nil
		}
		if deep == 0 {
			return nil
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !e.IsDir() {
				continue
			}
			err := walk(filepath.Join(dir, e.Name()), deep-1)
			if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	}
	err := walk(root, mostDeep)
	sort.Strings(found)
	return found, err
}
