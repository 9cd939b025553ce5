package main

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/seed-d8b58eba/millrace/actors"
)

func (a *app) dumpCommand() *cobra.Command {
	var s selection
	var raw, parsed bool
	c := &cobra.Command{
		Use:   "dump STREAM",
		Short: "write messages, by sequence, subject and time; with --json all that is in them",
		Args:  exactly("STREAM"),
		RunE: func(c *cobra.Command, arguments []string) error {
			if raw && (a.asJSON || parsed) {
				return fmt.Errorf("%w: --raw beside --json", errUsage)
			}
			return a.messages(c, arguments[0], &s, func(m actors.Message) error {
				if raw {
					_, err := a.out.Write(append(m.Payload, '\n'))
					return err
				}
				return a.message(m, parsed)
			})
		},
	}
	s.flags(c)
	c.Flags().BoolVar(&raw, "raw", false, "write payloads alone, each and a line feed")
	c.Flags().BoolVar(&parsed, "parse", false, "with --json: a payload that is JSON is part of the line, as it is")
	return c
}

// messages opens a stream and hands out what is wanted of it. Damage between is told, and is the error in the end.
func (a *app) messages(c *cobra.Command, dir string, s *selection, use func(actors.Message) error) error {
	var damage error
	err := a.read(c.Context(), dir, func(store *actors.Store) error {
		return s.walk(c.Context(), store, use, func(err error) error {
			damage = errDamaged
			_, failed := fmt.Fprintln(a.err, "damaged:", shown(withoutPackages.Replace(err.Error())))
			return failed
		})
	})
	return errors.Join(err, damage)
}

// errNothing: no message matched. The exit code is that of grep.
var errNothing = errors.New("no message matches")

func (a *app) grepCommand() *cobra.Command {
	var s selection
	var fold, invert, onlyCount, everywhere bool
	c := &cobra.Command{
		Use:   "grep PATTERN STREAM",
		Short: "write messages whose payload matches a regular expression",
		Args:  exactly("PATTERN", "STREAM"),
		RunE: func(c *cobra.Command, arguments []string) error {
			pattern := arguments[0]
			if fold {
				pattern = "(?i)" + pattern
			}
			r, err := regexp.Compile(pattern)
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			found, most := uint64(0), s.most
			s.most = 0 // it is of those that match
			err = a.messages(c, arguments[1], &s, func(m actors.Message) error {
				matches := r.Match(m.Payload) || everywhere && (r.MatchString(m.Subject) || r.Match(m.HeaderBlock))
				if matches == invert {
					return nil
				}
				if found++; !onlyCount {
					if err := a.message(m, false); err != nil {
						return err
					}
				}
				if most > 0 && found >= most {
					return errEnough
				}
				return nil
			})
			if onlyCount {
				err = errors.Join(err, a.printf("%d\n", found))
			}
			if err == nil && found == 0 {
				return errNothing
			}
			return err
		},
	}
	s.flags(c)
	c.Flags().BoolVarP(&fold, "ignore-case", "i", false, "upper and lower case are the same")
	c.Flags().BoolVarP(&invert, "invert-match", "v", false, "those that do not match")
	c.Flags().BoolVarP(&onlyCount, "count", "c", false, "write how many there are")
	c.Flags().BoolVarP(&everywhere, "all", "a", false, "look into subjects and headers as well")
	return c
}
