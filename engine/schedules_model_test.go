package engine_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
	"github.com/seed-d8b58eba/millrace/internal/schedule"
)

// scheduled is a message of the model, and what it knows of it if it is a schedule.
type scheduled struct {
	sequence      uint64
	time          int64
	subject, text string
	next          string // what a produced message says
	produced      bool
	rule          *schedule.Schedule // nil when it is no schedule, or one that does not count any more
	due           int64
	fired         bool // there is a message of it
	source        bool
}

// scheduler does schedules in the most obvious way: it looks at all messages whenever time passes.
type scheduler struct {
	list []scheduled
	last uint64
	time int64 // of the last message
	off  bool
	per  bool // a subject has one message
}

func (m *scheduler) store(e scheduled, now int64) {
	m.last++
	m.time = max(m.time, now)
	e.sequence, e.time = m.last, m.time
	if e.rule != nil {
		e.due, _ = e.rule.Next(e.time)
	}
	if e.rule != nil || m.per {
		m.purge(e.subject)
	}
	m.list = append(m.list, e)
}

func (m *scheduler) purge(subject string) {
	m.list = slices.DeleteFunc(m.list, func(e scheduled) bool { return e.subject == subject })
}

// blocked reports whether a later message of the subject suspends a schedule.
func (m *scheduler) blocked(s *scheduled) bool {
	return slices.ContainsFunc(m.list, func(e scheduled) bool {
		return e.subject == s.subject && e.sequence > s.sequence && !e.produced
	})
}

// pass fires what is due at a time.
func (m *scheduler) pass(now int64) {
	for i := 0; i < len(m.list) && !m.off; i++ {
		s := &m.list[i]
		if s.rule == nil || s.due > now || m.blocked(s) {
			continue
		}
		p := scheduled{subject: "out." + s.subject, text: s.text, next: msgheader.NextPurge, produced: true}
		if s.source {
			for _, e := range m.list {
				if e.subject == "in" {
					p.text = e.text
				}
			}
		}
		if s.rule.Repeats() {
			s.due, _ = s.rule.Again(s.due, now)
			s.fired = true
			p.next = string(s.rule.AppendTime(nil, s.due))
		} else {
			m.purge(s.subject)
		}
		m.store(p, now)
		i = -1 // the list has changed
	}
	slices.SortFunc(m.list, func(a, b scheduled) int { return cmp.Compare(a.sequence, b.sequence) })
}

// find does what looking through the log does: of a schedule of which there is no message nobody knows when it was
// due last, and the stream has lived until its last message.
func (m *scheduler) find(now int64) {
	for i := range m.list {
		if s := &m.list[i]; s.rule != nil && !s.fired {
			s.due, _ = s.rule.Next(s.time)
			if lived := min(m.time, now) - 2*second; s.rule.Repeats() && s.due < lived {
				s.due, _ = s.rule.Again(s.due, lived)
			}
		}
	}
}

func (m *scheduler) texts() (list []string) {
	for _, e := range m.list {
		list = append(list, fmt.Sprintf("%d %d %s %q %s", e.sequence, (e.time-start)/millisecond, e.subject, e.text, e.next))
	}
	return list
}

func (s *shell) texts() (list []string) {
	for _, sequence := range s.live() {
		r, _ := s.read(sequence)
		next, _ := msgheader.Find(r.header, msgheader.ScheduleNext)
		list = append(list, fmt.Sprintf("%d %d %s %q %s", sequence, (r.time-start)/millisecond, r.subject, r.payload, next))
	}
	return list
}

// TestSchedulesAgreeWithTheModel: stores, removals, restarts and crashes come in the middle of seconds, and schedules
// are due on full ones.
func TestSchedulesAgreeWithTheModel(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	rapid.Check(t, func(t *rapid.T) {
		cfg := testConfig()
		withSchedules(&cfg)
		cfg.BlockSize = rapid.SampledFrom([]int64{700, 4 << 10}).Draw(t, "block size")
		m := &scheduler{per: rapid.Bool().Draw(t, "one of a subject")}
		if m.per {
			cfg.Limits.MaxMsgsPer = 1
		}
		s := newShell(cfg, newDisk(), engine.NewPublished(), start+second/2)
		s.mostFetched = rapid.IntRange(1, 3).Draw(t, "most fetched")
		s.run(s.now)
		steps := rapid.IntRange(1, 25).Draw(t, "steps")
		for range steps {
			actOnSchedules(t, s, m)
			m.pass(s.now)
			seconds := rapid.IntRange(0, 4).Draw(t, "seconds") * rapid.IntRange(0, 2).Draw(t, "faster")
			until := s.now + int64(seconds+1)*second
			for at := s.now + second/2; at < until; at += second {
				m.pass(at)
			}
			s.run(until)
			require.Equal(t, m.texts(), s.texts())
			require.NoError(t, s.e.CheckInvariants())
		}
	})
}

// actOnSchedules takes one step.
func actOnSchedules(t *rapid.T, s *shell, m *scheduler) {
	name := rapid.SampledFrom([]string{"s0", "s1", "s2"}).Draw(t, "subject")
	text := fmt.Sprint("text ", m.last+1, strings.Repeat(".", rapid.IntRange(0, 200).Draw(t, "more")))
	put := func(e scheduled, c engine.Message) {
		c.Subject, c.Payload, e.text = e.subject, []byte(text), text
		succeed(t, s, sent{"store", &engine.Store{Message: c}})
		m.store(e, s.now)
	}
	switch rapid.IntRange(0, 10).Draw(t, "act") {
	case 0, 1, 2:
		pattern := rapid.SampledFrom([]string{"@every 1s", "@every 2s", "@every 3s", "*/2 * * * * *", "@at"}).Draw(t, "pattern")
		if pattern == "@at" && !m.off {
			pattern = at(max(0, (s.now-start)/second+int64(rapid.IntRange(-3, 5).Draw(t, "at"))))
		} else if pattern == "@at" {
			return
		}
		rule, err := schedule.Parse(pattern, nil)
		require.NoError(t, err)
		e := scheduled{subject: name, rule: &rule, source: rapid.Bool().Draw(t, "source")}
		h := []string{msgheader.Schedule, pattern, msgheader.ScheduleTarget, "out." + name}
		if e.source {
			h = append(h, msgheader.ScheduleSource, "in")
		}
		if m.off {
			return // it would not take the place of others
		}
		put(e, engine.Message{Header: headers(h...)})
	case 3:
		put(scheduled{subject: name}, engine.Message{})
	case 4:
		succeed(t, s, rawWith(name, text, msgheader.Scheduler, "x"))
		m.store(scheduled{subject: name, produced: true, text: text}, s.now)
	case 5:
		put(scheduled{subject: "in"}, engine.Message{})
	case 6, 7:
		var own []uint64
		for _, e := range m.list {
			if e.subject[0] == 's' {
				own = append(own, e.sequence)
			}
		}
		if len(own) > 0 {
			sequence := rapid.SampledFrom(own).Draw(t, "sequence")
			succeed(t, s, removal(sequence))
			m.list = slices.DeleteFunc(m.list, func(e scheduled) bool { return e.sequence == sequence })
		}
	case 8:
		succeed(t, s, sent{"purge", &engine.Purge{Filter: only(name)}})
		m.purge(name)
	case 9:
		succeed(t, s, sent{"switch", &engine.SetSchedules{On: m.off}})
		m.off = !m.off
		s.cfg.Schedules = !m.off
		m.find(s.now)
	default:
		if rapid.Bool().Draw(t, "crash") {
			s.disk = s.disk.crash(dropAll)
		}
		s.now += int64(rapid.IntRange(0, 9).Draw(t, "closed for")) * second
		s.reopen()
		m.find(s.now)
		s.run(s.now)
	}
}

func succeed(t *rapid.T, s *shell, c sent) {
	for _, r := range s.do(c) {
		require.NoError(t, r.Err)
	}
}
