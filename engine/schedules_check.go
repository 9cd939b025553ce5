package engine

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// badHeader is the error for a header that cannot have its value.
func badHeader(name string, value []byte, why string) error {
	const most = 64
	if len(value) > most {
		return fmt.Errorf("%w: %s %q... %s", ErrBadHeader, name, value[:most], why)
	}
	return fmt.Errorf("%w: %s %q %s", ErrBadHeader, name, value, why)
}

// checkSchedule refuses what a schedule cannot be, but for its pattern and its zone.
func checkSchedule(name string, f *msgheader.Fields) error {
	target, source := f.ScheduleTarget, f.ScheduleSource
	switch {
	case name == "":
		return fmt.Errorf("%w: %s in a message without a subject", ErrBadHeader, msgheader.Schedule)
	case len(target) == 0:
		return fmt.Errorf("%w: %s without %s", ErrBadHeader, msgheader.Schedule, msgheader.ScheduleTarget)
	case !literal(target):
		return badHeader(msgheader.ScheduleTarget, target, "is no subject to store to")
	case string(target) == name:
		return badHeader(msgheader.ScheduleTarget, target, "is the subject of the schedule")
	case len(source) > 0 && !literal(source):
		return badHeader(msgheader.ScheduleSource, source, "is no subject of one message")
	case len(source) > 0 && (string(source) == name || bytes.Equal(source, target)):
		return badHeader(msgheader.ScheduleSource, source, "is the subject of the schedule, or its target")
	}
	if _, err := msgheader.ParseTTL(f.ScheduleTTL); err != nil {
		return badHeader(msgheader.ScheduleTTL, f.ScheduleTTL, "is no time to live")
	}
	if kind, err := msgheader.ParseRollup(f.ScheduleRollup); err != nil || kind == msgheader.RollupAll {
		return badHeader(msgheader.ScheduleRollup, f.ScheduleRollup, "is not "+msgheader.RollupSub)
	}
	return nil
}

// literal reports whether a text is a subject that one can store to: not empty in any part, and no pattern.
func literal(text []byte) bool {
	if bytes.ContainsAny(text, " \t\r\n\f\x00") {
		return false
	}
	for part := range bytes.SplitSeq(text, []byte{'.'}) {
		if len(part) == 0 || string(part) == "*" || string(part) == ">" {
			return false
		}
	}
	return true
}

// isSchedule reports whether a message is a schedule, or claims to be.
func (e *Engine) isSchedule(m *Message) bool {
	if e.schedules == nil || len(m.Header) == 0 {
		return false
	}
	_, is := msgheader.Find(m.Header, msgheader.Schedule)
	return is
}

// admitSchedule refuses a schedule that cannot be one, and a message that claims to be produced by one. The zone is
// known. It returns the subject of the schedule that the message ends, "" when it ends none.
func (e *Engine) admitSchedule(m *Message) (ends string, err error) {
	if e.schedules == nil || len(m.Header) == 0 {
		return "", nil
	}
	var f msgheader.Fields
	f.Read(m.Header)
	if f.Schedule != nil {
		rule, _, err := e.schedules.ruleOf(m.Subject, &f)
		if err != nil {
			return "", err
		}
		if _, ok := rule.Next(e.now); !ok {
			return "", badHeader(msgheader.Schedule, f.Schedule, "is never due")
		}
	}
	switch {
	case len(f.Scheduler) == 0 && len(f.ScheduleNext) == 0:
		return "", nil
	case string(f.ScheduleNext) != msgheader.NextPurge:
		return "", badHeader(msgheader.ScheduleNext, f.ScheduleNext, "is for schedules alone, but for "+msgheader.NextPurge)
	case !literal(f.Scheduler) || string(f.Scheduler) == m.Subject:
		return "", badHeader(msgheader.Scheduler, f.Scheduler, "is no other subject")
	}
	if s := e.schedules.bySubject[string(f.Scheduler)]; s != nil && e.blockOf(s.sequence) != nil {
		return s.subject, nil
	}
	return "", nil
}

// schedulesReady is zoneReady and admitSchedule for the messages of a batch. None of them may end a schedule: what
// that takes the place of may be in the batch.
func (c *StoreBatch) schedulesReady(e *Engine) (ready bool, err error) {
	if e.schedules == nil {
		return true, nil
	}
	for i := range c.Messages {
		m := &c.Messages[i]
		if !e.zoneReady(m) {
			return false, nil
		}
		ends, err := e.admitSchedule(m)
		if err == nil && ends != "" {
			err = fmt.Errorf("%w: it ends schedule %q", ErrRollupInBatch, ends)
		}
		if err != nil {
			return false, fmt.Errorf("message %d of the batch: %w", i, err)
		}
	}
	return true, nil
}

// prepareEnd adds the messages of a schedule's subject to what a message takes the place of that ends it.
func (e *Engine) prepareEnd(name string, r *rollup) (ready bool, err error) {
	if r.kind == RollupAll {
		return true, nil
	}
	if settled, err := e.perSettled(); !settled {
		return false, err
	}
	live, dead, outcome := e.gatherSubject(name)
	switch outcome {
	case gatheredSome:
		return false, nil
	case unreadableBlock:
		return false, e.findError()
	}
	r.kind = RollupSubject
	r.live, r.dead = inSequence(r.live, live), inSequence(r.dead, dead)
	return true, nil
}

// inSequence joins matches.
func inSequence(a, b []match) []match {
	list := append(a, b...)
	slices.SortFunc(list, func(a, b match) int { return cmp.Compare(a.sequence(), b.sequence()) })
	return list
}

// rollupOfSchedule returns what a schedule takes the place of: the messages of its subject, whatever its header
// says, as on a nats-server. So an older one does not come back when it is removed.
func rollupOfSchedule(m *Message) (Rollup, error) {
	if m.Rollup == RollupAll {
		return RollupNone, fmt.Errorf("%w: a schedule takes the place of its subject's messages alone", ErrBadHeader)
	}
	value, _ := msgheader.Find(m.Header, msgheader.Rollup)
	if kind, err := msgheader.ParseRollup(value); err != nil || kind == msgheader.RollupAll {
		return RollupNone, badHeader(msgheader.Rollup, value, "is not "+msgheader.RollupSub)
	}
	return RollupSubject, nil
}

const (
	// longestZone is the length from which on a name is that of no zone, in bytes.
	longestZone = 128
	// mostZones bounds the zones that are kept. There are some 600.
	mostZones = 1024
)

// zoneReady reports whether the zone that a schedule names is known, or known not to be one. It asks for it.
func (e *Engine) zoneReady(m *Message) bool {
	x := e.schedules
	if !e.isSchedule(m) {
		return true
	}
	name, _ := msgheader.Find(m.Header, msgheader.ScheduleTimeZone)
	if len(name) == 0 || len(name) > longestZone {
		return true
	}
	if _, known := x.zones[string(name)]; known {
		return true
	}
	if x.zoning == 0 {
		x.zoning = e.schedule(WorkZone, 0, 0)
		w := &e.work[len(e.work)-1]
		w.Zone = string(name)
		e.pending[w.ID] = *w
	}
	return false
}

// tookZone takes a zone that was looked for, nil when there is none of that name.
func (x *schedules) tookZone(name string, zone *time.Location) {
	x.zoning = 0
	if len(x.zones) >= mostZones {
		clear(x.zones)
	}
	x.zones[name] = zone
}
