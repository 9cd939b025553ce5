package engine

import (
	"time"

	"github.com/seed-d8b58eba/millrace/engine/stamps"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
	"github.com/seed-d8b58eba/millrace/internal/schedule"
)

// ScheduleRecord is a message that WorkSchedules finds, removed or not: a schedule, or one that a schedule has
// produced.
type ScheduleRecord struct {
	Sequence uint64
	Time     int64
	Subject  string
	Header   []byte
}

// scheduleScan finds the schedules in the log when they are turned on: in one block after the other, from the newest
// on. Stores go on meanwhile, and schedules that were found fire: what is behind them is known by then.
type scheduleScan struct {
	begun, done bool
	limit       uint64 // the last message that it looks at: later ones were taken account of when they were stored
	lived       int64  // until then the stream is known to have lived
	blocks      []uint32
	work        WorkID // 0 when none is out
	failed      int    // attempts to read the last of the blocks
	retry       int64  // when the next one comes, or 0
	// records has what the newest message says that a schedule has produced, by its subject.
	records map[string]fired
}

const (
	// mostScheduleScans is how often a block is tried that cannot be read. Its messages could not be read either.
	mostScheduleScans = 3
	// livedBy is how long after it is due a schedule has fired for certain, if the stream has gone on, in nanoseconds.
	livedBy = int64(2e9)
)

// goOn looks at the next block.
func (x *scheduleScan) goOn(e *Engine) {
	if !x.begun && e.indexing.begun {
		x.begin(e)
	}
	if x.done || !x.begun || x.work != 0 || e.steady < x.retry || e.durability.written.sequence < x.limit {
		return
	}
	x.retry = 0
	for n := len(x.blocks); n > 0; n-- {
		if b := e.blockNumbered(x.blocks[n-1]); b != nil && b.msgs > 0 {
			x.blocks = x.blocks[:n]
			size := b.size
			if end := e.durability.written.end; end.Block == b.id {
				size = end.Offset
			}
			x.work = e.schedule(WorkSchedules, b.id, size)
			return
		}
	}
	*x = scheduleScan{begun: true, done: true}
}

// begin notes what there is to look at.
func (x *scheduleScan) begin(e *Engine) {
	*x = scheduleScan{begun: true, limit: e.last(), lived: min(e.lastTime, e.now) - livedBy, records: make(map[string]fired)}
	for _, b := range e.blocks {
		if b.msgs > 0 {
			x.blocks = append(x.blocks, b.id)
		}
	}
}

// note notes what a produced message says of a schedule that is not known yet.
func (x *scheduleScan) note(subject string, r fired) {
	if old, known := x.records[subject]; x.begun && !x.done && (!known || old.sequence < r.sequence) {
		x.records[subject] = r
	}
}

// foundSchedules takes what was found in a block.
func (x *schedules) foundSchedules(e *Engine, d Done) {
	scan := &x.scan
	scan.work = 0
	if d.Err != nil {
		if scan.failed++; scan.failed < mostScheduleScans {
			scan.retry = e.steady + retryLoad
			return
		}
	}
	scan.failed = 0
	scan.blocks = scan.blocks[:len(scan.blocks)-1]
	for i := len(d.Scheduled) - 1; i >= 0; i-- {
		if r := &d.Scheduled[i]; r.Sequence <= scan.limit {
			x.foundSchedule(e, r, d.Zones)
		}
	}
}

// foundSchedule takes one message. All newer ones were taken before.
func (x *schedules) foundSchedule(e *Engine, r *ScheduleRecord, zones map[string]*time.Location) {
	var f msgheader.Fields
	f.Read(r.Header)
	if fired, ok := firedBy(r.Sequence, &f); ok {
		// Of a subject that has no message no schedule will be found.
		if id, known := e.subjects.Lookup(string(f.Scheduler)); known && e.subjects.Known(id) {
			x.scan.note(string(f.Scheduler), fired)
		}
	}
	if f.Schedule == nil || x.bySubject[r.Subject] != nil || e.blockOf(r.Sequence) == nil {
		return
	}
	if name := string(f.ScheduleTimeZone); name != "" && zones[name] != nil {
		x.zones[name] = zones[name]
	}
	if !x.register(e, r.Subject, r.Sequence, r.Time, &f) {
		return
	}
	s := x.bySubject[r.Subject]
	due := x.scan.since(s, &f)
	if fired, known := x.scan.records[r.Subject]; known && fired.sequence > r.Sequence {
		if due = fired.next; fired.done {
			x.drop(s)
			return
		}
	}
	x.leave(s)
	s.due = notAhead(s, &f, due, e.now)
	x.wait(s, s.due)
	delete(x.scan.records, r.Subject)
}

// repeating returns the rule of a schedule that was registered, if it repeats.
func repeating(s *scheduled, f *msgheader.Fields) (rule schedule.Schedule, ok bool) {
	rule, err := schedule.Parse(string(f.Schedule), s.zone)
	return rule, err == nil && rule.Repeats()
}

// since returns when a schedule is due next of which no message says so. One that has repeated while the stream lived
// has fired then, and what it has produced was removed.
func (x *scheduleScan) since(s *scheduled, f *msgheader.Fields) int64 {
	if rule, ok := repeating(s, f); ok && s.due < x.lived {
		if due, ok := rule.Again(s.due, x.lived); ok {
			return due
		}
	}
	return s.due
}

// notAhead returns when a schedule is due of which messages say next. Where the clock was far ahead when they were
// stored, it goes by the clock as it is now.
func notAhead(s *scheduled, f *msgheader.Fields, next, now int64) int64 {
	if next <= stamps.Later(now, stamps.MaxAhead) {
		return next
	}
	if rule, ok := repeating(s, f); ok {
		if latest, ok := rule.Next(stamps.Later(now, stamps.MaxAhead)); ok && next > latest {
			if due, ok := rule.Next(now); ok {
				return due
			}
		}
	}
	return next
}

// schedulesWentBack moves the times of schedules along with a clock that was set back. When it was far ahead, what is
// due is found anew: those that have fired meanwhile are due far ahead, too.
func (e *Engine) schedulesWentBack(now int64) {
	x := e.schedules
	if x == nil {
		return
	}
	if e.now > stamps.Later(now, stamps.MaxAhead) {
		x = newSchedules(&e.cfg)
		e.schedules = x
	}
	x.ran = min(x.ran, now)
}
