package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/seed-d8b58eba/millrace/actors"
)

// subject is a line of subjects.
type subject struct {
	Subject  string `json:"subject"`
	Messages uint64 `json:"messages"`
	First    uint64 `json:"first"`
	Last     uint64 `json:"last"`
}

func (a *app) subjectsCommand() *cobra.Command {
	var by string
	var most int
	c := &cobra.Command{
		Use:   "subjects STREAM [FILTER...]",
		Short: "the subjects of a stream, each with its messages",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, arguments []string) error {
			var list []subject
			err := a.read(c.Context(), arguments[0], func(s *actors.Store) error {
				states, err := s.SubjectsState(c.Context(), filtersOf(arguments[1:])...)
				for name, state := range states {
					list = append(list, subject{name, state.Messages, state.First, state.Last})
				}
				return err
			})
			if err != nil {
				return err
			}
			order, ok := map[string]func(a, b subject) int{
				"subject":  func(a, b subject) int { return cmp.Compare(a.Subject, b.Subject) },
				"messages": func(a, b subject) int { return cmp.Compare(b.Messages, a.Messages) },
				"last":     func(a, b subject) int { return cmp.Compare(b.Last, a.Last) },
			}[by]
			if !ok {
				return fmt.Errorf("%w: --by=%s: it is subject, messages or last", errUsage, by)
			}
			slices.SortFunc(list, func(x, y subject) int { return cmp.Or(order(x, y), cmp.Compare(x.Subject, y.Subject)) })
			left := 0
			if most > 0 && len(list) > most {
				left, list = len(list)-most, list[:most]
			}
			return a.subjects(list, left)
		},
	}
	c.Flags().StringVar(&by, "by", "subject", "the order: subject, messages (most first) or last (latest first)")
	c.Flags().IntVarP(&most, "limit", "n", 0, "no more than so many; 0 is all")
	return c
}

func (a *app) subjects(list []subject, left int) error {
	if a.asJSON {
		for _, s := range list {
			if err := a.json(s); err != nil {
				return err
			}
		}
		return nil
	}
	rows := make([][]string, len(list))
	for i, s := range list {
		rows[i] = []string{fmt.Sprint(s.Messages), fmt.Sprint(s.First), fmt.Sprint(s.Last), shown(s.Subject)}
	}
	err := a.columns([]string{"messages", "first", "last", "subject"}, rows)
	if left > 0 {
		err = errors.Join(err, a.printf("and %d more\n", left))
	}
	return err
}

// filtersOf returns the filters of patterns, none for everything.
func filtersOf(patterns []string) []actors.Filters {
	if len(patterns) == 0 {
		return nil
	}
	return []actors.Filters{actors.Filter(patterns...)}
}
