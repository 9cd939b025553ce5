package engine_test

import (
	"math"
	"slices"
)

// due returns the messages that have reached MaxAge by their own times.
func (m *model) due(now int64) (sequences []uint64) {
	for _, e := range m.live {
		if m.limits.MaxAge > 0 && e.time <= now-int64(m.limits.MaxAge) {
			sequences = append(sequences, e.sequence)
		}
	}
	return sequences
}

// mayGo reports whether MaxAge may remove a message: at its own time, which has come, or while that is ahead
// of the clock at one of those around it. Which these are the model does not know.
func (m *model) mayGo(e entry, now int64) bool {
	if m.limits.MaxAge <= 0 {
		return false
	}
	time := e.time
	if time > now {
		time = math.MaxInt64
		for _, other := range m.live {
			time = min(time, other.time)
		}
		for _, ev := range m.log {
			for _, other := range ev.messages {
				time = min(time, other.time)
			}
		}
	}
	return time <= now-int64(m.limits.MaxAge)
}

// age removes a message for its age. The engine may be late with that, but not early.
func (m *model) age(sequence uint64, now int64) bool {
	i := slices.IndexFunc(m.live, func(e entry) bool { return e.sequence == sequence })
	if i < 0 || !m.mayGo(m.live[i], now) {
		return false
	}
	m.add(event{removed: []uint64{sequence}, last: m.last, time: m.time})
	return true
}

// expireAll removes everything that is due.
func (m *model) expireAll(now int64) {
	if sequences := m.due(now); len(sequences) > 0 {
		m.add(event{removed: sequences, last: m.last, time: m.time})
	}
}

// expireAhead removes messages that are ahead of the clock, and that the engine has removed.
func (m *model) expireAhead(s *shell, now int64) {
	for _, e := range slices.Clone(m.live) {
		if e.time > now && !s.e.Holds(e.sequence) {
			m.age(e.sequence, now)
		}
	}
}

// expireGone removes what the engine has removed that may go.
func (m *model) expireGone(s *shell, now int64) {
	for _, e := range slices.Clone(m.live) {
		if !s.e.Holds(e.sequence) {
			m.age(e.sequence, now)
		}
	}
}

// followExpiry applies to the model what MaxAge has removed.
func (mc *machine) followExpiry() {
	for _, sequence := range mc.expired {
		if !mc.m.age(sequence, mc.now) {
			mc.fail("message %d was removed for its age, and is not due", sequence)
		}
	}
	mc.expired = mc.expired[:0]
}

// traceExpiry has the engine tell from now on what MaxAge removes.
func (mc *machine) traceExpiry() {
	mc.expired = nil
	mc.e.TraceExpiry(func(sequence uint64) { mc.expired = append(mc.expired, sequence) })
}
