package actors_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// The kinds of findings, as they are counted.
type damageKind int

const (
	damagePanic      damageKind = iota
	damageWrong                 // a message that was not stored so, without an error
	damageBeyond                // lost beyond what was touched
	damageUnreported            // lost and not told of, by one call or another
	damageTwice                 // a sequence given again
	damageDisagree              // two calls, or two openings, that do not agree
	damageRefused               // Open, a store or a stop fails for no good reason
	damageKinds
)

var damageKindNames = [damageKinds]string{
	"panics", "wrong without an error", "lost beyond what was touched", "unreported", "given twice", "disagreements", "refused",
}

// A damageFinding is what is wrong with a case.
type damageFinding struct {
	kind damageKind
	text string
}

// What a load of a sequence comes to.
type damageOutcome byte

const (
	outcomeLive damageOutcome = 'm'
	outcomeGone damageOutcome = '.'
	outcomeLost damageOutcome = '!'
	outcomeEnd  damageOutcome = '$'
	outcomeBad  damageOutcome = '?' // wrong, or a strange error: told of already
)

// A damageLook is everything that a store says at one time.
type damageLook struct {
	outcome []damageOutcome // by sequence, from 1
	forward damageScan
	back    damageScan
	literal damageScan
	wild    damageScan

	lostBytes uint64
}

// A damageScan is what a scan gives, in ascending order.
type damageScan struct {
	live []uint64
	told []uint64 // sequences of its errors
	bare int      // errors that name no sequence
}

// A damageChecker asks one store after another of one case, and notes what is wrong.
type damageChecker struct {
	world    *damageWorld
	licence  *damageLicence
	stored   map[uint64]record // the world's, and what the case has stored
	added    map[uint64]bool   // what the case has stored
	top      uint64            // highest sequence that is asked for
	floor    uint64            // what is below was removed by a limit
	findings []damageFinding
}

// found notes what is wrong. Of much that is alike it keeps a part, but something of each kind.
func (c *damageChecker) found(kind damageKind, format string, args ...any) {
	if len(c.findings) < 100 || !slices.ContainsFunc(c.findings, func(f damageFinding) bool { return f.kind == kind }) {
		c.findings = append(c.findings, damageFinding{kind, fmt.Sprintf(format, args...)})
	}
}

// look asks for everything. order says what comes first: whoever comes first by damage finds it.
func (c *damageChecker) look(s *actors.Store, when string, order int) *damageLook {
	l := &damageLook{}
	parts := []func(){
		func() { l.outcome = c.loads(s, when) },
		func() { l.forward = c.scan(s, when+", forward", false, nil) },
		func() { l.back = c.scan(s, when+", backward", true, nil, actors.Reverse()) },
		func() {
			l.literal = c.scan(s, when+", literal", false, c.matchLiteral, actors.Literal(c.world.literal))
		},
		func() { l.wild = c.scan(s, when+", wildcard", false, c.matchWild, actors.Filter(c.world.wildcard)) },
	}
	for i := range parts {
		parts[(i+order)%len(parts)]()
	}
	c.agree(l, when)
	return l
}

func (c *damageChecker) matchLiteral(r *record) bool { return r.subject == c.world.literal }
func (c *damageChecker) matchWild(r *record) bool    { return c.world.matchWildcard(r.subject) }

// same reports whether a message is what was stored.
func (c *damageChecker) same(m actors.Message, when string) bool {
	want, known := c.stored[m.Sequence]
	got := recordOf(m)
	if known && got == want {
		return true
	}
	if c.licence.garbled[m.Sequence] && got.sequence == want.sequence && got.time.Equal(want.time) &&
		(got.subject+got.header+got.payload == want.subject+want.header+want.payload || want.header != "") {
		c.stored[m.Sequence] = got // and so it has to stay
		return true
	}
	if c.licence.asItWas && slices.Contains(c.world.cutOff[m.Sequence], got) {
		c.stored[m.Sequence] = got // and so it has to stay
		return true
	}
	c.found(damageWrong, "%s: message %d is not what was stored: subject %q, time %v, header %d bytes, payload %d bytes",
		when, m.Sequence, m.Subject, m.Time, len(m.HeaderBlock), len(m.Payload))
	return false
}

func (c *damageChecker) loads(s *actors.Store, when string) []damageOutcome {
	list := make([]damageOutcome, c.top)
	for sequence := uint64(1); sequence <= c.top; sequence++ {
		m, err := s.LoadMsg(context.Background(), sequence)
		list[sequence-1] = c.outcome(sequence, m, err, when)
	}
	return list
}

func (c *damageChecker) outcome(sequence uint64, m actors.Message, err error, when string) damageOutcome {
	var damage *blockio.CorruptionError
	switch {
	case err == nil && m.Sequence == sequence && c.same(m, when+", load"):
		return outcomeLive
	case err == nil:
		return outcomeBad
	case errors.Is(err, actors.ErrNotFound):
		return outcomeGone
	case errors.Is(err, actors.ErrEOF):
		return outcomeEnd
	case !errors.Is(err, actors.ErrCorrupt) || !errors.As(err, &damage):
		c.found(damageRefused, "%s: load of %d: %v", when, sequence, err)
		return outcomeBad
	case sequence < damage.Sequence || sequence > max(damage.Sequence, damage.Last):
		c.found(damageDisagree, "%s: load of %d: its error names another: %v", when, sequence, err)
	}
	return outcomeLost
}

// scan reads the messages that match.
func (c *damageChecker) scan(s *actors.Store, when string, reverse bool, match func(*record) bool, opts ...actors.ReadOption) (scan damageScan) {
	var order []uint64 // as they come
	for m, err := range s.Messages(context.Background(), opts...) {
		var damage *blockio.CorruptionError
		switch {
		case err == nil:
			same := c.same(m, when)
			if r := c.stored[m.Sequence]; same && match != nil && !match(&r) {
				c.found(damageWrong, "%s: message %d does not match", when, m.Sequence)
			}
			scan.live = append(scan.live, m.Sequence)
			order = append(order, m.Sequence)
		case !errors.Is(err, actors.ErrCorrupt) || !errors.As(err, &damage):
			c.found(damageRefused, "%s: %v", when, err)
		case damage.Sequence == 0:
			scan.bare++
		case damage.Last > damage.Sequence+1000:
			c.found(damageDisagree, "%s: an absurd stretch: %v", when, err)
		default:
			for sequence := damage.Sequence; sequence <= max(damage.Sequence, damage.Last); sequence++ {
				scan.told = append(scan.told, sequence)
			}
			order = append(order, damage.Sequence)
		}
	}
	if reverse {
		slices.Reverse(order)
	}
	if !strictlyAscending(order) {
		c.found(damageDisagree, "%s: out of order: %v", when, order)
	}
	slices.Sort(scan.live)
	slices.Sort(scan.told)
	if !strictlyAscending(scan.told) {
		c.found(damageDisagree, "%s: a loss is told twice: %v", when, scan.told)
	}
	return scan
}
