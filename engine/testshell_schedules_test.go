package engine_test

import (
	"errors"
	"slices"
	"time"
	_ "time/tzdata" // the zones of the tests, wherever they run

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// serveSchedules answers work for schedules.
func (s *shell) serveSchedules(w engine.Work, done *engine.Done) {
	done.Zones = make(map[string]*time.Location)
	switch w.Kind {
	case engine.WorkZone:
		done.Zones[w.Zone], _ = time.LoadLocation(w.Zone)
	case engine.WorkFetch:
		for _, f := range w.Fetch[:min(len(w.Fetch), max(s.mostFetched, 1))] {
			done.Fetched = append(done.Fetched, s.fetch(f))
		}
	case engine.WorkSchedules:
		walk(w.Block, s.upTo(w), func(_ int64, r record) {
			var f msgheader.Fields
			f.Read(r.header)
			if r.kind != 'm' || f.Schedule == nil && f.Scheduler == nil {
				return
			}
			done.Scheduled = append(done.Scheduled, engine.ScheduleRecord{Sequence: r.sequence, Time: r.time, Subject: r.subject, Header: slices.Clone(r.header)})
			if name := string(f.ScheduleTimeZone); name != "" {
				done.Zones[name], _ = time.LoadLocation(name)
			}
		})
	}
}

// fetch looks for what a schedule produces among the messages that a reader finds.
func (s *shell) fetch(f engine.Fetch) (found engine.Fetched) {
	last := func(subject string) (last uint64) {
		for _, sequence := range s.live() {
			if r, _ := s.read(sequence); r.subject == subject {
				last = sequence
			}
		}
		return last
	}
	own, ok := s.read(f.Sequence)
	if !ok {
		return engine.Fetched{Err: errors.New("not there")}
	}
	found.Newest = last(f.Subject)
	for _, sequence := range s.live() {
		r, _ := s.read(sequence)
		_, produced := msgheader.Find(r.header, msgheader.Scheduler)
		if r.subject == f.Subject && sequence > f.Checked && !produced && found.Later == 0 {
			found.Later = sequence
		}
	}
	found.Header = slices.Clone(own.header)
	source, _ := msgheader.Find(own.header, msgheader.ScheduleSource)
	if at := last(string(source)); at > 0 && len(source) > 0 {
		own, _ = s.read(at)
	}
	found.Block, found.Payload = slices.Clone(own.header), slices.Clone(own.payload)
	return found
}
