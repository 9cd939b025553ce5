package engine_test

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// life is what the header of a message says of how long it lives.
func (e entry) life() msgheader.Life { return msgheader.LifeOf([]byte(e.header)) }

// aged reports whether a message has reached MaxAge at a time.
func (m *model) aged(e entry, now, time int64) bool {
	forEver := m.limits.MsgTTL != engine.TTLOff && e.life().TTL == msgheader.Never
	return m.limits.MaxAge > 0 && !forEver && time <= now-int64(m.limits.MaxAge)
}

// ended reports whether the TTL of a message has come.
func (m *model) ttlOver(e entry, now int64) bool {
	return m.limits.MsgTTL == engine.TTLOn && msgheader.Due(e.time, e.life().TTL) <= now
}

// due returns the messages that have reached MaxAge by their own times, or their TTL.
func (m *model) due(now int64) (sequences []uint64) {
	for _, e := range m.live {
		if m.aged(e, now, e.time) || m.ttlOver(e, now) {
			sequences = append(sequences, e.sequence)
		}
	}
	return sequences
}

// mayGo reports whether a message may have gone: by its TTL, or by MaxAge at its own time, which has come, or while
// that is ahead of the clock at one of those around it. Which these are the model does not know.
func (m *model) mayGo(e entry, now int64) bool {
	at := e.time
	if at > now {
		at = math.MaxInt64
		for _, other := range m.live {
			at = min(at, other.time)
		}
		for _, ev := range m.log {
			for _, other := range ev.messages {
				at = min(at, other.time)
			}
		}
	}
	return m.aged(e, now, at) || m.ttlOver(e, now)
}

func (m *model) marks() bool { return m.limits.MsgTTL != engine.TTLOff && m.limits.MarkerTTL > 0 }

func (m *model) index(sequence uint64) int {
	return slices.IndexFunc(m.live, func(e entry) bool { return e.sequence == sequence })
}

// age removes messages for their age or by their TTL, as one, and stores the markers of subjects that had no other
// message. The engine may be late with that, but not early.
func (m *model) age(sequences []uint64, now int64) bool {
	ev := event{removed: slices.Clone(sequences), last: m.last, time: m.time}
	slices.Sort(ev.removed)
	counts := map[string]int{}
	for _, e := range m.live {
		counts[e.subject]++
	}
	for _, sequence := range sequences {
		i := m.index(sequence)
		if i < 0 || !m.mayGo(m.live[i], now) {
			return false
		}
		e := m.live[i]
		counts[e.subject]--
		if !m.marks() || e.subject == "" || counts[e.subject] > 0 || e.life().Marker {
			continue
		}
		header := string(msgheader.AppendMarker(nil, int64(m.limits.MarkerTTL/time.Second)))
		marker := entry{ev.last + 1, 0, e.subject, header, ""}
		if m.limits.MaxBytes > 0 && marker.size() > int(m.limits.MaxBytes) {
			continue
		}
		if len(ev.messages) == 0 {
			ev.time = m.later(now)()
		}
		marker.time, ev.last = ev.time, ev.last+1
		ev.messages = append(ev.messages, marker)
	}
	m.add(ev)
	return true
}

// expireAll removes everything that is too old, as an open does. Where there are markers it does not.
func (m *model) expireAll(now int64) {
	var sequences []uint64
	for _, e := range m.live {
		if m.aged(e, now, e.time) {
			sequences = append(sequences, e.sequence)
		}
	}
	if len(sequences) > 0 && !m.marks() {
		m.add(event{removed: sequences, last: m.last, time: m.time})
	}
}

// expireGone removes what the engine has removed that may go, while the stream was opened.
func (m *model) expireGone(s *shell, now int64) {
	if m.marks() {
		return
	}
	for _, e := range slices.Clone(m.live) {
		holds := s.e.Holds(e.sequence)
		if s.left != nil {
			holds = s.left[e.sequence]
		}
		if !holds {
			m.age([]uint64{e.sequence}, now)
		}
	}
}

// expireLike removes what an engine has removed since it was opened. Some of that may have gone by the opening.
func (m *model) expireLike(s *shell) {
	m.stamp = m.time
	for _, group := range s.expired {
		m.ageLike(group)
	}
}

// ageLike removes what has gone as one, as far as it is there.
func (m *model) ageLike(group expired) {
	left := slices.DeleteFunc(slices.Clone(group.sequences), func(sequence uint64) bool { return m.index(sequence) < 0 })
	if len(left) > 0 {
		m.age(left, group.now)
	}
}

// followExpiry applies to the model what has gone for its age or by its TTL.
func (mc *machine) followExpiry() {
	if !mc.following {
		return // the engine is a new one
	}
	for _, group := range mc.expired {
		mc.followPurgesTo(group.purges)
		if !mc.m.age(group.sequences, group.now) {
			mc.fail("messages %v were removed for their age, and are not due", group.sequences)
		}
		mc.between = append(mc.between, mc.snapshot()) // the next one may have waited until this was published
	}
	mc.expired = nil
}

// expiredBefore removes from the model what an earlier engine has removed, and of which the disk has kept that.
func (mc *machine) expiredBefore(groups []expired) {
	for _, group := range groups {
		kept := slices.ContainsFunc(group.sequences, func(sequence uint64) bool {
			again := slices.ContainsFunc(mc.expired, func(g expired) bool { return slices.Contains(g.sequences, sequence) })
			return mc.m.index(sequence) >= 0 && !mc.e.Holds(sequence) && !again
		})
		if kept {
			mc.m.ageLike(group)
		}
	}
}

// followFromHere has the model follow what goes from now on.
func (s *shell) followFromHere() { s.following, s.expired = true, nil }

// noteFound notes what the opening has found, once the engine serves: some of that goes at once, for its age, or since
// a marker needs its room.
func (s *shell) noteFound() {
	if s.e.Opening() || s.found != nil {
		return
	}
	s.found = []entry{}
	for _, id := range s.disk.blocks() {
		walk(id, s.disk.current[id], func(_ int64, r record) {
			if r.kind == 'm' && s.e.Holds(r.sequence) {
				s.found = append(s.found, entry{r.sequence, r.time, r.subject, string(r.header), string(r.payload)})
			}
		})
	}
	slices.SortStableFunc(s.found, func(a, b entry) int { return cmp.Compare(a.sequence, b.sequence) })
}

// expired is messages that have gone as one, and when.
type expired struct {
	now       int64
	sequences []uint64
	purges    []engine.Purging // how far these were then
}

// traceExpiry notes what goes for its age or by its TTL from now on: what goes as one in one group.
func (s *shell) traceExpiry() {
	s.following, s.expired = false, nil
	together := false
	s.e.TraceExpiry(func(sequence uint64) {
		switch {
		case sequence == 0:
			if together = !together; together {
				s.expired = append(s.expired, expired{now: s.now, purges: s.e.Purges()})
			} else if n := len(s.expired) - 1; len(s.expired[n].sequences) == 0 {
				s.expired = s.expired[:n]
			}
		case together:
			n := len(s.expired) - 1
			s.expired[n].sequences = append(s.expired[n].sequences, sequence)
		default:
			s.expired = append(s.expired, expired{s.now, []uint64{sequence}, s.e.Purges()})
		}
	})
}

// lifetimes are values of the header Nats-TTL.
var lifetimes = []string{"1", "2s", "3", "1m", "never", "never", "0"}

func withTTL(header []byte, ttl string) []byte {
	if len(header) == 0 {
		return []byte("NATS/1.0\r\nNats-TTL: " + ttl + "\r\n\r\n")
	}
	return []byte(strings.TrimSuffix(string(header), "\r\n") + "Nats-TTL: " + ttl + "\r\n\r\n")
}

// expireWaiting lets the time pass that an engine takes to remove what is due: where a table is missing, or another
// removal waits, that is a while more.
func (s *shell) expireWaiting() {
	for range 8 {
		at, ok := s.e.NextTick()
		if !ok || at > s.now+int64(250*time.Millisecond) {
			return
		}
		s.tick(max(at, s.now))
		s.settle()
	}
}
