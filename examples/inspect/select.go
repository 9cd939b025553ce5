package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-d8b58eba/millrace/actors"
)

// selection is which messages of a stream are wanted, as flags say.
type selection struct {
	from, to     uint64
	since, until string
	subjects     []string
	most         uint64
}

func (s *selection) flags(c *cobra.Command) {
	c.Flags().Uint64Var(&s.from, "from", 0, "the first sequence")
	c.Flags().Uint64Var(&s.to, "to", 0, "the last sequence; 0 is the end")
	c.Flags().StringVar(&s.since, "since", "", "no message before: a time (2026-11-26T20:00:00Z), or for how long until now (90m)")
	c.Flags().StringVar(&s.until, "until", "", "no message from then on: as for --since")
	c.Flags().StringArrayVarP(&s.subjects, "subject", "s", nil, "a filter, with * and >; any number of them")
	c.Flags().Uint64VarP(&s.most, "limit", "n", 0, "no more than so many; 0 is all")
}

// timeOf reads a time, or for how long until now.
func timeOf(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return time.Now().Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: --%s=%s: it is no time like 2026-11-26T20:00:00Z, 2026-11-26, or duration like 90m", errUsage, flag, text)
}

// errEnough ends a walk, as nothing more is wanted.
var errEnough = errors.New("enough")

// walk calls use for each message that is wanted, in order, and damaged for each stretch of damage between them. An error of
// use ends it; errEnough is none.
func (s *selection) walk(ctx context.Context, store *actors.Store, use func(actors.Message) error, damaged func(error) error) error {
	since, err := timeOf("since", s.since)
	if err != nil {
		return err
	}
	until, err := timeOf("until", s.until)
	if err != nil {
		return err
	}
	options := []actors.ReadOption{actors.From(max(1, s.from))}
	if s.from == 0 && !since.IsZero() {
		options = []actors.ReadOption{actors.FromTime(since)}
	}
	for _, f := range filtersOf(s.subjects) {
		options = append(options, f)
	}
	last, used := s.to, uint64(0)
	if last == 0 {
		last = math.MaxUint64
	}
	for m, err := range store.Messages(ctx, options...) {
		if errors.Is(err, actors.ErrCorrupt) {
			if err := damaged(err); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if m.Sequence > last {
			return nil
		}
		if m.Sequence < s.from || m.Time.Before(since) || !until.IsZero() && !m.Time.Before(until) {
			continue // times need not be in the order of sequences
		}
		err := use(m)
		if used++; err == nil && s.most > 0 && used >= s.most {
			err = errEnough
		}
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
