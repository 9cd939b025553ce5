package actors_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed-d8b58eba/millrace/actors"
)

func strictlyAscending(list []uint64) bool {
	for i := 1; i < len(list); i++ {
		if list[i] <= list[i-1] {
			return false
		}
	}
	return true
}

// with returns the sequences that have an outcome.
func (l *damageLook) with(outcome damageOutcome) (list []uint64) {
	for i, o := range l.outcome {
		if o == outcome {
			list = append(list, uint64(i+1))
		}
	}
	return list
}

// first is the first sequence that is live, or one behind all.
func (l *damageLook) first() uint64 {
	return uint64(1 + slices.IndexFunc(append(slices.Clone(l.outcome), outcomeLive), func(o damageOutcome) bool { return o == outcomeLive }))
}

// agree: loads and scans have found the same. What a limit has removed is no longer told of, lost or not.
func (c *damageChecker) agree(l *damageLook, when string) {
	live, first := l.with(outcomeLive), uint64(0)
	if c.world.limited() {
		first = l.first()
	}
	lost := notBelow(l.with(outcomeLost), first)
	for _, s := range []struct {
		name  string
		scan  *damageScan
		match func(*record) bool
	}{{"forward", &l.forward, nil}, {"backward", &l.back, nil}, {"literal", &l.literal, c.matchLiteral}, {"wildcard", &l.wild, c.matchWild}} {
		want, told := live, notBelow(s.scan.told, first)
		if s.match != nil {
			want = c.matching(live, s.match)
		}
		if !slices.Equal(want, s.scan.live) {
			c.found(damageDisagree, "%s, %s: gives %v, by loads it is %v", when, s.name, s.scan.live, want)
		}
		if s.match == nil {
			if !slices.Equal(lost, told) {
				c.found(damageUnreported, "%s, %s: tells of %v, loads of %v: %s", when, s.name, s.scan.told, lost, l.outcome)
			}
			continue
		}
		if extra := without(told, lost); len(extra) > 0 {
			c.found(damageDisagree, "%s, %s: tells of %v, loads do not", when, s.name, extra)
		}
		if missing := without(c.matching(lost, s.match), told); len(missing) > 0 {
			c.found(damageUnreported, "%s, %s: does not tell of %v", when, s.name, missing)
		}
	}
	if l.forward.bare != l.back.bare {
		c.found(damageDisagree, "%s: damage without sequences: %d forward, %d backward", when, l.forward.bare, l.back.bare)
	}
}

func (c *damageChecker) matching(list []uint64, match func(*record) bool) (some []uint64) {
	for _, sequence := range list {
		if r, known := c.stored[sequence]; known && match(&r) {
			some = append(some, sequence)
		}
	}
	return some
}

// notBelow returns what of a sorted list is not below a sequence.
func notBelow(list []uint64, sequence uint64) []uint64 {
	at, _ := slices.BinarySearch(list, sequence)
	return list[at:]
}

// without returns what of a sorted list another has not.
func without(list, other []uint64) (rest []uint64) {
	for _, sequence := range list {
		if _, found := slices.BinarySearch(other, sequence); !found {
			rest = append(rest, sequence)
		}
	}
	return rest
}

// judge compares what a store has with what it should have.
func (c *damageChecker) judge(s *actors.Store, l *damageLook, when string) {
	stats := s.Stats()
	reported := stats.LostBytes > 0 || stats.LostMessages > 0
	first := l.first()
	// What is lost in a block that has an index counts for a limit until it is found.
	full := c.world.limit() > 0 && len(l.with(outcomeLive))+len(c.licence.lose) >= c.world.limit()
	for sequence := uint64(1); sequence <= c.top; sequence++ {
		outcome := l.outcome[sequence-1]
		should := c.world.live[sequence] || c.added[sequence]
		lost := c.licence.lose[sequence]
		switch {
		case outcome == outcomeBad || should && outcome == outcomeLive || !should && outcome != outcomeLive && outcome != outcomeLost:
		case outcome == outcomeLive:
			switch {
			case !c.licence.back[sequence]:
				c.found(damageWrong, "%s: %d was removed and is back", when, sequence)
			case !c.licence.quiet[sequence] && !reported:
				c.found(damageUnreported, "%s: %d was removed and is back, and nothing tells of damage", when, sequence)
			}
		case c.added[sequence] && !c.licence.nameless:
			c.found(damageBeyond, "%s: %d was stored since, and is %q", when, sequence, outcome)
		case outcome == outcomeLost:
			if !lost && !c.licence.tell[sequence] && !c.licence.silent[sequence] {
				c.found(damageBeyond, "%s: %d is called lost and was not touched", when, sequence)
			}
		case c.licence.silent[sequence]:
		case sequence < c.floor || sequence < first && full: // the limit made room
		case sequence < first && lost && c.world.limited(): // it counts, and cannot be told from what the limit removed
		case lost:
			c.found(damageUnreported, "%s: %d is lost, and its load says %q", when, sequence, outcome)
		default:
			c.found(damageBeyond, "%s: %d is gone and was not touched: %q", when, sequence, outcome)
		}
	}
}

// state: the numbers are those of what was found.
func (c *damageChecker) state(s *actors.Store, l *damageLook, when string) {
	ctx := context.Background()
	state, err := s.State(ctx)
	if err != nil {
		c.found(damageRefused, "%s: state: %v", when, err)
		return
	}
	live := l.with(outcomeLive)
	var bytes uint64
	subjects, before := make(map[string]bool), make(map[string]bool) // with what was garbled, and as they were
	for _, sequence := range live {
		r := c.stored[sequence]
		bytes += uint64(r.size())
		was := r
		if c.licence.garbled[sequence] {
			was = c.world.stored[sequence]
		}
		if r.subject != "" {
			subjects[r.subject] = true
		}
		if was.subject != "" {
			before[was.subject] = true
		}
	}
	if int(state.Subjects) == len(before) { // what was written of the blocks beside them has the subjects as they were
		subjects = before
	}
	first := l.first()
	if len(live) == 0 {
		first = min(state.LastSequence, 1) * (state.LastSequence + 1) // 0 for a stream that looks new
	}
	var ranges []actors.SequenceRange
	deleted := uint64(0)
	for sequence := max(first, 1); sequence <= state.LastSequence && sequence <= c.top; sequence++ {
		if l.outcome[sequence-1] == outcomeLive {
			continue
		}
		deleted++
		if n := len(ranges); n > 0 && ranges[n-1].Last == sequence-1 {
			ranges[n-1].Last = sequence
		} else {
			ranges = append(ranges, actors.SequenceRange{First: sequence, Last: sequence})
		}
	}
	for _, n := range []struct {
		what      string
		got, want uint64
	}{
		{"messages", state.Messages, uint64(len(live))}, {"bytes", state.Bytes, bytes}, {"first", state.FirstSequence, first},
		{"deleted", state.Deleted, deleted}, {"subjects", state.Subjects, uint64(len(subjects))},
	} {
		if n.got != n.want {
			c.found(damageDisagree, "%s: state: %s are %d, by loads %d", when, n.what, n.got, n.want)
		}
	}
	if !slices.Equal(state.DeletedRanges, ranges) {
		c.found(damageDisagree, "%s: state: deleted are %v, by loads %v", when, state.DeletedRanges, ranges)
	}
	if state.LastSequence < c.lastKnown() && !c.licence.reuse {
		c.found(damageTwice, "%s: state: the last sequence is %d, and %d was acknowledged", when, state.LastSequence, c.lastKnown())
	}
	c.lostCount(s.Stats().LostMessages, l, when)
	for _, f := range []struct {
		filter actors.Filters
		match  func(*record) bool
		want   int
	}{{actors.Literal(c.world.literal), c.matchLiteral, len(l.literal.live)}, {actors.Filter(c.world.wildcard), c.matchWild, len(l.wild.live)}} {
		total, _, err := s.NumPending(ctx, 1, f.filter)
		if err != nil || total != uint64(f.want) && total != uint64(f.want+c.garbledAway(live, f.match)) {
			c.found(damageDisagree, "%s: %d of a filter are pending, by the scan %d (%v)", when, total, f.want, err)
		}
	}
}

// garbledAway returns how many of the live messages matched before their parts were divided in another way, less those that
// do so since.
func (c *damageChecker) garbledAway(live []uint64, match func(*record) bool) (n int) {
	for _, sequence := range live {
		now, was := c.stored[sequence], c.world.stored[sequence]
		switch {
		case !c.licence.garbled[sequence]:
		case match(&was) && !match(&now):
			n++
		case match(&now) && !match(&was):
			n--
		}
	}
	return n
}

// lastKnown is the highest sequence that was acknowledged.
func (c *damageChecker) lastKnown() uint64 {
	last := c.world.last
	for sequence := range c.stored {
		last = max(last, sequence)
	}
	return last
}

// lostCount: each lost sequence is counted. What a limit has removed since can no longer be asked for.
func (c *damageChecker) lostCount(got uint64, l *damageLook, when string) {
	least := uint64(len(l.with(outcomeLost)))
	most, first := least, l.first()
	for sequence := uint64(1); sequence < first && sequence <= c.top; sequence++ {
		touched := c.licence.lose[sequence] || c.licence.tell[sequence]
		if !touched || l.outcome[sequence-1] == outcomeLost {
			continue
		}
		most++
		if c.licence.lose[sequence] && !c.licence.silent[sequence] && !c.world.limited() {
			least++
		}
	}
	if got < least || got > most {
		kind := damageDisagree
		if got < least {
			kind = damageUnreported
		}
		c.found(kind, "%s: LostMessages is %d, want %d to %d", when, got, least, most)
	}
}

// more stores one more message and loads it.
func (c *damageChecker) more(s *actors.Store, when string) {
	ctx := context.Background()
	m := record{subject: "a.1", payload: "one more, " + when}
	if c.world.config.MaxMsgsPer > 0 { // it takes no room of others
		m.subject = fmt.Sprintf("more.%d", len(c.added))
	}
	if c.world.frames == nil {
		m.subject = c.world.literal
	}
	ack, err := s.StoreMsg(ctx, m.subject, nil, []byte(m.payload))
	if err != nil {
		c.found(damageRefused, "%s: one more: %v", when, err)
		return
	}
	m.sequence, m.time = ack.Sequence, ack.Time
	if last := c.lastKnown(); ack.Sequence <= last && !c.licence.reuse {
		c.found(damageTwice, "%s: one more has %d, and %d was acknowledged", when, ack.Sequence, last)
	}
	if ack.Sequence > c.top {
		c.found(damageBeyond, "%s: one more has %d, the last was %d", when, ack.Sequence, c.lastKnown())
		return
	}
	c.stored[ack.Sequence], c.added[ack.Sequence] = m, true
	if c.world.limited() {
		state, _ := s.FastState(ctx) // the context does not end
		c.floor = max(c.floor, state.FirstSequence)
	}
	got, err := s.LoadMsg(ctx, ack.Sequence)
	if c.outcome(ack.Sequence, got, err, when+", one more") != outcomeLive {
		c.found(damageBeyond, "%s: one more has %d, and its load says %v", when, ack.Sequence, err)
	}
}

// equal: two openings, or two passes, found the same. What is below the first of the second may have been
// removed by limits.
func (c *damageChecker) equal(one, two *damageLook, when string) {
	first := two.first()
	for i, o := range one.outcome {
		sequence := uint64(i + 1)
		if sequence < first && c.world.limited() || o == outcomeEnd || o == two.outcome[i] {
			continue
		}
		if c.licence.later && c.licence.tell[sequence] && o == outcomeGone && two.outcome[i] == outcomeLost {
			continue
		}
		c.found(damageDisagree, "%s: %d was %q, and is %q now", when, sequence, o, two.outcome[i])
	}
}

// equalBytes: what the same lost messages had is as much as it was. A limit forgets of what it passes.
func (c *damageChecker) equalBytes(one, two *damageLook, when string) {
	lost := two.with(outcomeLost)
	if !c.world.limited() && len(lost) > 0 && slices.Equal(one.with(outcomeLost), lost) && one.lostBytes != two.lostBytes {
		c.found(damageDisagree, "%s: %d bytes were lost, and %d are now", when, one.lostBytes, two.lostBytes)
	}
}
