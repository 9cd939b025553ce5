package engine

import (
	"slices"

	"github.com/seed-d8b58eba/millrace/internal/msgheader"
	"github.com/seed-d8b58eba/millrace/internal/schedule"
)

// Fetch names a schedule that is due.
type Fetch struct {
	Subject  string
	Sequence uint64
	// Checked is the last sequence up to which it is known that later messages of the subject are produced ones.
	Checked uint64
}

// Fetched is what WorkFetch finds of a schedule, among what readers see.
type Fetched struct {
	Header []byte // of the schedule
	// Block and Payload are the header block and the payload that it produces: those of the last message of its
	// source if it has one and there is one, and otherwise its own.
	Block, Payload []byte
	// Later is the first message of the subject behind Fetch.Checked that no schedule has produced, 0 when there is
	// none. Newest is the last message of the subject that was looked at.
	Later, Newest uint64
	// Err is why it is not known. ErrNotFound tells that readers see no such message.
	Err error
}

// fetched takes what schedules produce. Those that were asked for and not answered are asked for again.
func (x *schedules) fetched(e *Engine, d Done) {
	asked := x.asked
	x.fetching, x.asked = 0, nil
	if e.stopped {
		return
	}
	if d.Err != nil || len(d.Fetched) == 0 {
		for _, s := range asked {
			x.putOff(e, s)
		}
		return
	}
	for i := range d.Fetched {
		x.took(e, asked[i], &d.Fetched[i])
	}
	x.queue = append(slices.Clone(asked[len(d.Fetched):]), x.queue...)
}

// took takes what one schedule produces.
func (x *schedules) took(e *Engine, s *scheduled, f *Fetched) {
	switch {
	case x.bySubject[s.subject] != s || x.bySequence[s.sequence] == s:
		return // replaced, or it has gone on meanwhile
	case f.Err != nil:
		x.putOff(e, s)
	case f.Later == 0:
		x.firing++
		e.Step(nil, &fire{x, s, f})
	case e.blockOf(f.Later) != nil:
		x.suspend(s, f.Later)
	default: // removed meanwhile
		s.checked = f.Later
		x.wait(s, s.due)
	}
}

const (
	// retryFire is how long after a failed attempt to fire the next one comes; each takes twice as long as the one
	// before it, up to longestRetry.
	retryFire    = int64(1e9)
	longestRetry = 6
)

// putOff has a schedule fire later that could not be read, unless its message is gone.
func (x *schedules) putOff(e *Engine, s *scheduled) {
	switch {
	case x.bySubject[s.subject] != s || x.bySequence[s.sequence] == s:
	case e.blockOf(s.sequence) == nil:
		x.drop(s)
	default:
		x.wait(s, e.now+retryFire<<min(s.failed, longestRetry))
		s.failed++
	}
}

// fire is the command by which a schedule fires. It has no reply.
type fire struct {
	of    *schedules
	entry *scheduled
	found *Fetched
}

// Size implements Command.
func (c *fire) Size() (pieces, bytes int) { return 1, len(c.found.Block) + len(c.found.Payload) }

func (c *fire) clone() Command { return c } // nobody else has its bytes

func (*fire) subjectAhead() string { return "" }

func (c *fire) apply(e *Engine, _ any) bool {
	x, s := c.of, c.entry
	if x != e.schedules {
		return true // turned off, or a truncation has come between
	}
	done := true
	switch {
	case x.bySubject[s.subject] != s || x.bySequence[s.sequence] == s: // replaced, or it has gone on meanwhile
	case e.blockOf(s.sequence) == nil:
		x.drop(s)
	case s.later != 0: // stored since it was asked for
		x.wait(s, s.due)
	default:
		s.checked = c.found.Newest
		done = c.produce(e)
	}
	if done {
		x.firing--
	}
	return done
}

// produce stores what the schedule produces. It reports false when something has to be looked up for that.
func (c *fire) produce(e *Engine) bool {
	x, s := c.of, c.entry
	p, ok := c.plan(e)
	if !ok {
		e.counts[countPassedOver]++
		x.drop(s)
		return true
	}
	size := e.recordSize(&p.Message)
	if e.checkHoldable(int64(size)) != nil || e.checkSize(&p.Message) != nil || e.checkSequence(0, Precondition{}, 1) != nil {
		e.counts[countPassedOver]++
		c.passOver(p)
		return true
	}
	before, ready, err := e.perReady(p.Subject, 1)
	if ready && !e.tablesReady(1, uint64(size)) {
		return false
	}
	var r rollup
	if ready {
		r, ready, err = e.prepareRollup(p.kind, &p.Message)
	}
	if ready && !p.repeats {
		ready, err = e.prepareEnd(s.subject, &r)
	}
	switch {
	case !ready && err != nil:
		x.putOff(e, s)
		return true
	case !ready:
		return false
	}
	if r.kind == RollupNone {
		e.storeOne(nil, &p.Message, e.stampNow(), size, before)
	} else {
		e.storeRollup(nil, &p.Message, e.stampNow(), size, &r)
	}
	e.counts[countFired]++
	return true
}

// produced is the message that a schedule produces.
type produced struct {
	Message
	kind    Rollup
	repeats bool
	next    int64 // when it is due next, if it repeats
}

// plan makes the message. It reports false when the schedule is none, which a raw message may be.
func (c *fire) plan(e *Engine) (p produced, ok bool) {
	s := c.entry
	var f msgheader.Fields
	f.Read(c.found.Header)
	rule, err := schedule.Parse(string(f.Schedule), s.zone)
	if err != nil || checkSchedule(s.subject, &f) != nil {
		return p, false
	}
	next := msgheader.NextPurge
	if p.repeats = rule.Repeats(); p.repeats {
		p.next, p.repeats = rule.Again(s.due, e.now)
	}
	if p.repeats {
		next = string(rule.AppendTime(nil, p.next))
	}
	if len(f.ScheduleRollup) > 0 {
		p.kind = RollupSubject
	}
	p.Subject, p.Payload = string(f.ScheduleTarget), c.found.Payload
	p.Header = msgheader.AppendProduced(nil, c.found.Block, &msgheader.Produced{
		Scheduler: s.subject, Next: next, TTL: f.ScheduleTTL, Rollup: f.ScheduleRollup,
	})
	return p, true
}

// passOver goes on without a message that the stream can never take: it is too large.
func (c *fire) passOver(p produced) {
	if x, s := c.of, c.entry; p.repeats {
		s.due = p.next
		x.wait(s, s.due)
	} else {
		x.drop(s)
	}
}
