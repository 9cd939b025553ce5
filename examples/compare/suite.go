package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sync"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
)

// allRows are the rows in the order of the table.
func allRows(s size) []row {
	var rows []row
	for _, family := range [][]row{
		durableRows(), offeredRows(), bufferedRows(), scanRows(), openRows(), loadRows(s), filterRows(s), queryRows(s),
		fullRows(), largeRows(), firstRows(), manyRows(s), keptRows(), snapshotRows(), removalRows(s), indexRows(s), heapRows(s), ttlRows(s), stateRows(s), raftRows(s), collectorRows(),
	} {
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
func (s suite) run(ctx context.Context) (outcomes []outcome, err error) {
	s.place.kept = &fixtures{made: map[string]fixture{}}
	defer func() { err = errors.Join(err, s.place.kept.clear()) }()
	group := ""
	for _, r := range allRows(s.place.size) {
		if s.rows != nil && !s.rows.MatchString(r.name) {
			continue
		}
		r.contestants = s.choose(r.contestants)
		if len(r.contestants) == 0 {
			continue
		}
		if r.group() != group {
			if err := s.place.kept.clear(); err != nil {
				return outcomes, err
			}
			group = r.group()
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
	for turn := range r.turns(s.runs) {
		runs, err := s.takeTurn(ctx, r)
		if err != nil {
			return done, err
		}
		for i, c := range r.contestants {
			done.lines[i].contestant = c.name()
			done.lines[i].runs = append(done.lines[i].runs, runs[i])
		}
		if err := s.logTurn(r, turn+1, runs); err != nil {
			return done, err
		}
	}
	return done, nil
}

// takeTurn has each contestant run once.
func (s suite) takeTurn(ctx context.Context, r row) ([]measure.Run, error) {
	runs, errs := make([]measure.Run, len(r.contestants)), make([]error, len(r.contestants))
	var crew sync.WaitGroup
	for i, c := range r.contestants {
		crew.Go(func() {
			if errs[i] = ctx.Err(); errs[i] == nil {
				runs[i], errs[i] = c.run(ctx, s.place)
			}
			if errs[i] != nil {
				errs[i] = fmt.Errorf("%s: %w", c.name(), errs[i])
			}
		})
		if r.together {
			continue
		}
		if crew.Wait(); errs[i] != nil {
			break
		}
	}
	crew.Wait()
	return runs, errors.Join(errs...)
}

func (s suite) logTurn(r row, turn int, runs []measure.Run) error {
	for i, c := range r.contestants {
		if _, err := fmt.Fprintln(s.log, rawLine(r, turn, c.name(), runs[i])); err != nil {
			return err
		}
	}
	return nil
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
