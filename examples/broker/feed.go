package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/actors"
)

// headerEventID carries the id of an event. JetStream drops a message whose id it has seen of late, so
// that every round of the week has ids of its own.
const headerEventID = "Nats-Msg-Id"

// A feed hands out the week again and again to any number of publishers. An event's number counts
// from 0 over all rounds; its id names the run too, by the sequence after which the run began.
type feed struct {
	week   *week
	base   uint64 // the last sequence before this run
	limit  uint64 // how many events there are at most
	next   atomic.Uint64
	ending atomic.Bool
}

func newFeed(w *week, base, limit uint64) *feed {
	return &feed{week: w, base: base, limit: limit}
}

// take returns the number of the next event, or false when there is none.
func (f *feed) take() (uint64, bool) {
	if f.ending.Load() {
		return 0, false
	}
	number := f.next.Add(1) - 1
	return number, number < f.limit
}

// end lets no further event go out.
func (f *feed) end() { f.ending.Store(true) }

// event returns what number stands for.
func (f *feed) event(number uint64) quake {
	return f.week.quakes[number%uint64(len(f.week.quakes))]
}

// id is the event's id in this run: <USGS id>/<base>/<round>.
func (f *feed) id(number uint64) string {
	return fmt.Sprintf("%s/%d/%d", f.event(number).id, f.base, number/uint64(len(f.week.quakes)))
}

func (f *feed) header(number uint64) actors.Header {
	return actors.Header{headerEventID: {f.id(number)}}
}

// parseID takes an id apart: which quake of the week it is, after which sequence its run began, and its
// number in that run.
func (w *week) parseID(id string) (index int, base, number uint64, err error) {
	parts := strings.Split(id, "/")
	if len(parts) != 3 {
		return 0, 0, 0, fmt.Errorf("id %q has %d parts, want 3", id, len(parts))
	}
	index, known := w.byID[parts[0]]
	if !known {
		return 0, 0, 0, fmt.Errorf("id %q names no event of the week", id)
	}
	if base, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return 0, 0, 0, fmt.Errorf("id %q: %w", id, err)
	}
	round, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("id %q: %w", id, err)
	}
	return index, base, round*uint64(len(w.quakes)) + uint64(index), nil
}
