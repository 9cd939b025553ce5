package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-d8b58eba/millrace/engine/wheel"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
	"github.com/seed-d8b58eba/millrace/internal/schedule"
)

// A message with the header Nats-Schedule is a schedule: when it is due, a message is produced, on the subject in
// Nats-Schedule-Target. There is one of a subject, the newest. It counts while its message is there and no later one
// of its subject is but those that schedules have produced.
//
// What is produced says in its headers which schedule it is of, and when that is due next. So the log has with the
// message that the schedule has fired, in one record, and a crash leaves both or neither. One that is due once goes
// in the frame of what it produces.
//
// A schedule that is due takes three steps: it is put in the queue of the run (advance); what it produces is asked
// for (handOut), as that is in the files; and it fires, as a command among the others (fire in schedules_fire.go).

// schedules is the schedules of a stream that has them turned on.
type schedules struct {
	bySubject  map[string]*scheduled
	bySequence map[uint64]*scheduled // those that are in the wheel
	suspended  map[uint64]*scheduled // those that do not count, by the later message of the subject
	wheel      wheel.Wheel
	swept      int // how many there were after the last sweep

	ran      int64        // when the last run began
	queue    []*scheduled // of the run: what is still to be asked for, by sequence
	asked    []*scheduled // what WorkFetch is out for
	fetching WorkID       // 0 when none is out
	firing   int          // commands that were not carried out yet

	zones  map[string]*time.Location // nil for names of none
	zoning WorkID                    // looks for one, 0 when none does
	scan   scheduleScan
}

// scheduled is one schedule.
type scheduled struct {
	subject  string
	sequence uint64
	due      int64 // when it fires next
	at       int64 // its place in the wheel, if it is there: later than due when it could not fire
	failed   int   // attempts to fire
	zone     *time.Location
	later    uint64 // the last message of the subject that was stored since the shell has looked, 0 when none was
	checked  uint64 // up to here all later messages of the subject are produced ones
	blocker  uint64 // the message that suspends it, 0 when none does
}

// scheduleDistance is the least time between two runs, in nanoseconds.
const scheduleDistance = int64(250e6)

func newSchedules(cfg *Config) *schedules {
	if !cfg.Schedules {
		return nil
	}
	return &schedules{
		bySubject: make(map[string]*scheduled), bySequence: make(map[uint64]*scheduled), suspended: make(map[uint64]*scheduled),
		zones: make(map[string]*time.Location), ran: -never,
	}
}

// stored takes account of a message that was stored.
func (x *schedules) stored(e *Engine, m *Message, sequence uint64, time int64) {
	var f msgheader.Fields
	f.Read(m.Header)
	if f.Schedule != nil && x.register(e, m.Subject, sequence, time, &f) {
		return
	}
	if s := x.bySubject[m.Subject]; s != nil && len(f.Scheduler) == 0 {
		s.later = sequence
	}
	if r, ok := firedBy(sequence, &f); ok {
		x.proceed(string(f.Scheduler), r)
	}
}

// register registers the schedule of a message, if it is a valid one. It takes the place of the one that the
// subject had.
func (x *schedules) register(e *Engine, subject string, sequence uint64, time int64, f *msgheader.Fields) bool {
	rule, zone, err := x.ruleOf(subject, f)
	if err != nil {
		return false
	}
	due, ok := rule.Next(time)
	if !ok {
		return false
	}
	if n := len(x.bySubject); n > 2*x.swept+mostUnswept {
		x.sweep(e)
	}
	if old := x.bySubject[subject]; old != nil {
		x.drop(old)
	}
	s := &scheduled{subject: strings.Clone(subject), sequence: sequence, due: due, zone: zone, checked: sequence}
	x.bySubject[s.subject] = s
	x.wait(s, due)
	return true
}

// fired is what a produced message says of its schedule.
type fired struct {
	sequence uint64 // of the produced message
	next     int64  // when the schedule is due next
	done     bool   // it is not
}

// firedBy returns what a message says of the schedule that has produced it.
func firedBy(sequence uint64, f *msgheader.Fields) (r fired, ok bool) {
	if len(f.Scheduler) == 0 || len(f.ScheduleNext) == 0 {
		return fired{}, false
	}
	next, done, err := msgheader.ParseNext(f.ScheduleNext)
	return fired{sequence, next, done}, err == nil
}

// proceed has a schedule go on as a produced message says.
func (x *schedules) proceed(subject string, r fired) {
	s := x.bySubject[subject]
	switch {
	case s == nil:
		x.scan.note(subject, r)
	case r.sequence < s.sequence: // of the schedule that this one has replaced
	case r.done:
		x.drop(s)
	default:
		x.leave(s)
		s.due, s.failed = r.next, 0
		x.wait(s, s.due)
	}
}

// wait puts a schedule in the wheel.
func (x *schedules) wait(s *scheduled, at int64) {
	s.at = at
	x.wheel.Add(s.sequence, at)
	x.bySequence[s.sequence] = s
}

// leave takes a schedule out of the wheel, and ends its suspension.
func (x *schedules) leave(s *scheduled) {
	if x.bySequence[s.sequence] == s {
		x.wheel.Remove(s.sequence, s.at)
		delete(x.bySequence, s.sequence)
	}
	if s.blocker != 0 {
		delete(x.suspended, s.blocker)
		s.blocker = 0
	}
}

// drop forgets a schedule. Where the run still has it, that passes over it.
func (x *schedules) drop(s *scheduled) {
	x.leave(s)
	if x.bySubject[s.subject] == s {
		delete(x.bySubject, s.subject)
	}
}

// suspend leaves a schedule out until a later message of its subject is removed.
func (x *schedules) suspend(s *scheduled, blocker uint64) {
	x.leave(s)
	s.blocker = blocker
	x.suspended[blocker] = s
}

// removed takes account of a message that was removed: the schedule that it has suspended may count again. That of
// the message itself is dropped when it is due, or in a sweep.
func (x *schedules) removed(sequence uint64) {
	if s := x.suspended[sequence]; s != nil {
		x.leave(s)
		x.wait(s, s.due)
	}
}

// mostUnswept is how many schedules are not worth a sweep.
const mostUnswept = 64

// sweep drops the schedules whose messages are gone. It comes when there are twice as many as after the last one,
// so it costs little, and what is gone takes no more memory than what is not.
func (x *schedules) sweep(e *Engine) {
	for _, s := range x.bySubject {
		if e.blockOf(s.sequence) == nil {
			x.drop(s)
		}
	}
	x.swept = len(x.bySubject)
}

// running reports whether a run is under way.
func (x *schedules) running() bool { return len(x.queue) > 0 || x.fetching != 0 || x.firing > 0 }

// next returns when something is to be done, or never.
func (x *schedules) next(e *Engine) int64 {
	at := never
	if x.scan.retry != 0 {
		at = e.when(x.scan.retry)
	}
	if due, ok := x.wheel.Next(); ok && !x.running() {
		at = min(at, max(due, x.ran+scheduleDistance))
	}
	return at
}

// advance begins a run when a schedule is due.
func (x *schedules) advance(e *Engine) {
	if !e.serving() || x.running() || e.now < x.ran+scheduleDistance {
		return
	}
	x.wheel.Expire(e.now, func(sequence uint64, _ int64) bool {
		x.queue = append(x.queue, x.bySequence[sequence])
		return true
	})
	if len(x.queue) == 0 {
		return
	}
	x.ran = e.now
	for _, s := range x.queue {
		delete(x.bySequence, s.sequence)
	}
	slices.SortFunc(x.queue, func(a, b *scheduled) int { return cmp.Compare(a.sequence, b.sequence) })
}

// mostFetched bounds the schedules that are asked for at a time.
const mostFetched = 64

// handOut asks for what the next schedules of the run produce, unless others are on their way. It asks for those
// that readers see: the shell looks for them as readers do.
func (x *schedules) handOut(e *Engine) {
	if e.truncating != nil || e.stopped {
		return
	}
	x.scan.goOn(e)
	if x.fetching != 0 || x.firing > 0 {
		return
	}
	n := 0
	for x.asked = x.asked[:0]; n < len(x.queue) && len(x.asked) < mostFetched; n++ {
		s := x.queue[n]
		switch {
		case x.bySubject[s.subject] != s || x.bySequence[s.sequence] == s: // replaced, or it has gone on meanwhile
			continue
		case e.blockOf(s.sequence) == nil:
			x.drop(s)
			continue
		case s.later != 0 && e.blockOf(s.later) != nil:
			x.suspend(s, s.later)
			continue
		}
		if max(s.sequence, s.later) > e.pub.Last() {
			break
		}
		s.later = 0 // readers see whether there is another one
		x.asked = append(x.asked, s)
	}
	if x.queue = shift(x.queue, n); len(x.asked) == 0 {
		return
	}
	list := make([]Fetch, len(x.asked))
	for i, s := range x.asked {
		list[i] = Fetch{s.subject, s.sequence, s.checked}
	}
	x.fetching = e.schedule(WorkFetch, 0, 0)
	e.work[len(e.work)-1].Fetch = list
}

// ruleOf returns the rule by which the schedule of a message is due, and its zone. The error says which header
// has which value that it cannot have.
func (x *schedules) ruleOf(name string, f *msgheader.Fields) (rule schedule.Schedule, zone *time.Location, err error) {
	if f.ScheduleTimeZone != nil {
		if zone = x.zones[string(f.ScheduleTimeZone)]; zone == nil {
			return rule, nil, badHeader(msgheader.ScheduleTimeZone, f.ScheduleTimeZone, "is no time zone that this system knows")
		}
	}
	if err := checkSchedule(name, f); err != nil {
		return rule, nil, err
	}
	if rule, err = schedule.Parse(string(f.Schedule), zone); err != nil {
		err = badHeader(msgheader.Schedule, f.Schedule, err.Error())
	}
	return rule, zone, err
}

// tookSchedules takes the completion of work for schedules.
func (e *Engine) tookSchedules(w Work, d Done) {
	switch x := e.schedules; {
	case x == nil: // turned off meanwhile
	case w.ID == x.fetching:
		x.fetched(e, d)
	case w.ID == x.scan.work:
		x.foundSchedules(e, d)
	case w.ID == x.zoning:
		x.tookZone(w.Zone, d.Zones[w.Zone])
	}
	e.goOn()
}

// check returns what is wrong with the schedules, or nil.
func (x *schedules) check() error {
	if x == nil {
		return nil
	}
	if x.wheel.Len() != len(x.bySequence) {
		return fmt.Errorf("%d schedules in the wheel, %d of them known", x.wheel.Len(), len(x.bySequence))
	}
	for sequence, s := range x.bySequence {
		if s.sequence != sequence || x.bySubject[s.subject] != s || s.blocker != 0 {
			return fmt.Errorf("schedule %d in the wheel is %+v", sequence, *s)
		}
	}
	for sequence, s := range x.suspended {
		if s.blocker != sequence || x.bySubject[s.subject] != s {
			return fmt.Errorf("schedule %d, suspended by %d, is %+v", s.sequence, sequence, *s)
		}
	}
	waiting := len(x.queue) + len(x.asked) + x.firing // perhaps of schedules that were replaced
	if n := len(x.bySubject) - len(x.bySequence) - len(x.suspended); n > waiting {
		return fmt.Errorf("%d schedules are nowhere, at most %d are in a run", n, waiting)
	}
	return nil
}
