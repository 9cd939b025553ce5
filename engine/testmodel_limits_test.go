package engine_test

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
)

// thin applies MaxMsgsPer to what is there.
func (m *model) thin() {
	for _, name := range subjectNames {
		m.enforcePer(name)
	}
}

// changeLimits adds a change of the limits to the log. What is gone by then stays away, whatever the time.
func (m *model) changeLimits(limits engine.Limits, opened bool) {
	ev := event{last: m.last, time: m.time, limits: &limits, opened: opened}
	live := make(map[uint64]bool)
	for _, e := range m.live {
		live[e.sequence] = true
	}
	for _, other := range m.log {
		for _, e := range other.messages {
			if !live[e.sequence] {
				ev.removed = append(ev.removed, e.sequence)
			}
		}
	}
	m.add(ev)
}

// reopen applies limits the way an open does: MaxMsgsPer comes first.
func (m *model) reopen(limits engine.Limits) {
	m.limits = limits
	m.thin()
	m.enforce()
}

// change gives one command to the engine and runs it until that is answered. No time passes.
func (s *shell) change(limits engine.Limits) error {
	s.step(sent{"limits", &engine.SetLimits{Limits: limits}})
	for range 10_000 {
		s.turn()
		for i, r := range s.replies {
			if r.Tag == "limits" {
				s.replies = append(s.replies[:i:i], s.replies[i+1:]...)
				return r.Err
			}
		}
		s.runAny()
		if s.e.Failed() != nil {
			return s.e.Failed()
		}
	}
	return fmt.Errorf("limits %+v: no answer", limits)
}

// setLimits changes limits as one does who stores them: stored is called in between.
func (s *shell) setLimits(next engine.Limits, stored func()) error {
	if old := s.cfg.Limits; old.Brings(next) {
		if err := s.change(old.Join(next)); err != nil {
			return err
		}
	}
	s.cfg.Limits = next
	stored()
	return s.change(next)
}

// openedInstead reports whether a crash came while a change of limits, which were stored already, was carried out, and
// the open has applied them to what was left: MaxMsgsPer first, under which more may stay than by the change. What
// readers saw go from the head of the stream has gone.
func (mc *machine) openedInstead(s *shell, events int) bool {
	if !mc.changing || s.pub.First() < mc.pub.First() || events != len(mc.m.log) || mc.m.log[events-1].limits == nil {
		return false
	}
	least, most := mc.m.prefix(events, mc.first), mc.m.clone()
	most.log[events-1].opened = true
	most = most.prefix(events, mc.first)
	least.expireAll(s.now)
	least.expireLike(s)
	got := newModel(mc.cfg.Limits, 0)
	got.last, got.time = least.last, least.time
	for _, e := range most.live {
		if _, live := s.read(e.sequence); live {
			got.live = append(got.live, e)
		}
	}
	for _, e := range least.live {
		if _, live := s.read(e.sequence); !live {
			return false
		}
	}
	return comparePrefix(s, got) == nil
}

// setLimits changes the limits of both.
func (mc *machine) setLimits(next engine.Limits) error {
	if err := mc.quiesce(); err != nil || mc.m.ended || mc.e.Failed() != nil {
		return err
	}
	onReady, onCommit := mc.onReady, mc.onCommit
	mc.onReady, mc.onCommit, mc.changing = nil, nil, true
	old := mc.cfg.Limits
	durable := old.Brings(next)
	err := mc.shell.setLimits(next, func() {
		if durable {
			mc.m.changeLimits(old.Join(next), false) // under which it has gone that has expired meanwhile
		}
		mc.followExpiry()
		mc.m.changeLimits(next, false)
		if durable || mc.cfg.Level == engine.SyncAlways {
			mc.seenEvents = len(mc.m.log)
		}
	})
	mc.onReady, mc.onCommit, mc.changing = onReady, onCommit, false
	if err != nil {
		return fmt.Errorf("change of limits: %w", err)
	}
	mc.followExpiry()
	mc.shown, mc.between = mc.snapshot(), nil
	mc.committing = mc.shown // a commit may be out that began while nobody looked
	return mc.quiesce()
}

// reopenWith is a restart with other limits, as the shell does it.
func (mc *machine) reopenWith(next engine.Limits) error {
	if err := mc.quiesce(); err != nil || mc.e.Failed() != nil {
		return err
	}
	if !mc.cfg.Limits.Brings(next) {
		mc.cfg.Limits = next
		mc.m.changeLimits(next, true)
		return mc.reopen()
	}
	if err := mc.reopen(); err != nil {
		return err
	}
	return mc.setLimits(next)
}

func drawLimits(t *rapid.T) engine.Limits {
	limits := engine.Limits{
		MaxMsgs:       rapid.SampledFrom([]int64{0, 1, 3, 10}).Draw(t, "max messages"),
		MaxBytes:      rapid.SampledFrom([]int64{0, 0, 200, 1000, 3000}).Draw(t, "max bytes"),
		MaxAge:        rapid.SampledFrom([]time.Duration{0, time.Second, 3 * time.Second}).Draw(t, "max age"),
		MaxMsgsPer:    rapid.SampledFrom([]int64{0, 0, 1, 2, 3}).Draw(t, "max messages of a subject"),
		DiscardNewPer: rapid.Bool().Draw(t, "discard new of a subject"),
		MaxMsgSize:    rapid.SampledFrom([]int{0, 0, 600}).Draw(t, "max message size"),
		Discard:       rapid.SampledFrom([]engine.DiscardPolicy{engine.DiscardOld, engine.DiscardOld, engine.DiscardNew}).Draw(t, "discard"),
	}
	drawTTLs(t, &limits)
	return limits
}

// drawTTLs decides whether the TTLs of messages mean something.
func drawTTLs(t *rapid.T, l *engine.Limits) {
	if l.MsgTTL = rapid.SampledFrom([]engine.TTLMode{engine.TTLOff, engine.TTLOn}).Draw(t, "TTLs"); l.MsgTTL == engine.TTLOn {
		l.MarkerTTL = rapid.SampledFrom([]time.Duration{0, 0, 2 * time.Second}).Draw(t, "markers")
	}
}
