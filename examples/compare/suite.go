package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
)

// allRows are the rows in the order of the table.
func allRows() []row {
	var rows []row
	for _, family := range [][]row{durableRows(), bufferedRows(), scanRows(), openRows()} {
		rows = append(rows, family...)
	}
	return rows
}

// line is what one contestant of a row did.
type line struct {
	contestant string
	runs       []measure.Run
}

// outcome is a row with what its contestants did.
type outcome struct {
	row   row
	lines []line
}

// suite is a choice of rows and how often to run them.
type suite struct {
	rows   *regexp.Regexp // nil: all
	stores *regexp.Regexp // nil: all
	runs   int
	place  workplace
	log    io.Writer // gets a line for each run
}

// run does the rows one after the other. Within a row the contestants take turns, run by run, so
// that what else happens on the machine meets all of them.
func (s suite) run(ctx context.Context) ([]outcome, error) {
	var outcomes []outcome
	for _, r := range allRows() {
		if s.rows != nil && !s.rows.MatchString(r.name) {
			continue
		}
		r.contestants = s.choose(r.contestants)
		if len(r.contestants) == 0 {
			continue
		}
		done, err := s.runRow(ctx, r)
		if err != nil {
			return outcomes, fmt.Errorf("row %s: %w", r.name, err)
		}
		outcomes = append(outcomes, done)
	}
	if len(outcomes) == 0 {
		return nil, errors.New("no row or no store has such a name")
	}
	return outcomes, nil
}

// choose keeps the contestants that the suite is to run.
func (s suite) choose(all []contestant) []contestant {
	var chosen []contestant
	for _, c := range all {
		if s.stores == nil || s.stores.MatchString(c.name()) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}

func (s suite) runRow(ctx context.Context, r row) (done outcome, err error) {
	done = outcome{row: r, lines: make([]line, len(r.contestants))}
	defer func() {
		for _, c := range r.contestants {
			err = errors.Join(err, c.close())
		}
	}()
	for turn := range s.runs {
		for i, c := range r.contestants {
			if err := ctx.Err(); err != nil {
				return done, err
			}
			run, err := c.run(ctx, s.place)
			if err != nil {
				return done, fmt.Errorf("%s: %w", c.name(), err)
			}
			done.lines[i].contestant = c.name()
			done.lines[i].runs = append(done.lines[i].runs, run)
			if _, err := fmt.Fprintln(s.log, rawLine(r, turn+1, c.name(), run)); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// find returns the summary of the contestant with the given name.
func (o outcome) find(name string) (measure.Summary, bool) {
	for _, l := range o.lines {
		if l.contestant == name {
			return measure.Summarize(l.runs), true
		}
	}
	return measure.Summary{}, false
}
