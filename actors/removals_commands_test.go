package actors_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/seed-d8b58eba/millrace/actors"
)

// removalsCommand is a command of a script of removals.
type removalsCommand struct {
	text    string
	request any
	apply   func(s stock) (stock, outcome)
	erases  uint64 // the sequence whose bytes are to go, 0 for none
	erasing string // the token of these bytes, live or removed before
	// alone: what comes before it has been answered, and what comes after it waits.
	alone bool
	// limits: a crash while it is carried out may leave a part of it.
	limits bool
	// restart, settle: it is no command, but a stop and another opening; or a wait for what goes on beside.
	restart, settle bool
}

// removalsDraw draws commands for the state that a stream is in once those before have been carried out.
type removalsDraw struct {
	random *rand.Rand
	tokens int
	// end has it draw mostly what removes and truncates about the end.
	end bool
}

var removalsSubjects = []string{"k.0", "k.1", "k.2", "k.3", "one"}

// message makes a message that no other one of the script equals, and a name for its bytes. A name is never a part of another.
func (d *removalsDraw) message(subjects ...string) (m stocked, header actors.Header, payload []byte) {
	d.tokens++
	m.subject, m.token = pickOf(d.random, subjects...), fmt.Sprintf("<%d>", d.tokens)
	if d.random.IntN(3) == 0 {
		header = actors.Header{"Id": {m.token}}
	}
	block, _ := header.AppendBlock(nil)
	if header == nil {
		block = nil
	}
	payload = []byte(m.token + strings.Repeat("x", pickOf(d.random, 0, 30, 300, 600, 900, 1400)))
	m.size = actors.RecordSize(len(m.subject), len(block), len(payload))
	return m, header, payload
}

func pickOf[T any](random *rand.Rand, choices ...T) T { return choices[random.IntN(len(choices))] }

// sequence draws one about the messages that are there: often a live one.
func (d *removalsDraw) sequence(s stock) uint64 {
	if d.end && d.random.IntN(8) > 0 {
		return max(s.last+1, 6) - d.random.Uint64N(6)
	}
	if len(s.live) > 0 && d.random.IntN(4) > 0 {
		return s.live[d.random.IntN(len(s.live))].sequence
	}
	from := max(s.first(), 3) - 2
	return from + d.random.Uint64N(s.last+3-min(from, s.last))
}

func (d *removalsDraw) command(s stock, tag any) removalsCommand {
	random := d.random
	k := random.IntN(100)
	if d.end && random.IntN(2) == 0 {
		k = pickOf(random, 44, 46, 60, 84, 84)
	}
	switch {
	case k < 6:
		m, header, payload := d.message("")
		raw := actors.RawMessage{Payload: payload, StampNow: true}
		raw.HeaderBlock, _ = header.AppendBlock(nil)
		return removalsCommand{text: fmt.Sprintf("store raw %s of %d", m.token, m.size), request: &actors.StoreRawRequest{Message: raw, Tag: tag},
			apply: func(s stock) (stock, outcome) { return s.store(nil, 0, m) }}
	case k < 36:
		m, header, payload := d.message(removalsSubjects...)
		r := &actors.StoreRequest{Subject: m.subject, Header: header, Payload: payload, Tag: tag}
		text := fmt.Sprintf("store %q %s of %d", m.subject, m.token, m.size)
		kind := pickOf(random, append(make([]actors.RollupKind, 14), actors.RollupSubject, actors.RollupSubject, actors.RollupAll)...)
		if kind != 0 {
			r.Options = append(r.Options, actors.Rollup(kind))
			text += fmt.Sprint(" in place of ", kind)
		}
		if random.IntN(8) == 0 {
			last := s.last + uint64(random.IntN(2))
			r.ExpectLast = &last
			text += fmt.Sprint(" behind ", last)
		}
		return removalsCommand{text: text, request: r, apply: func(s stock) (stock, outcome) { return s.store(r.ExpectLast, kind, m) }}
	case k < 43:
		var list []stocked
		var batch []actors.BatchMessage
		for range 2 + random.IntN(5) {
			m, header, payload := d.message(removalsSubjects...)
			list = append(list, m)
			batch = append(batch, actors.BatchMessage{Subject: m.subject, Header: header, Payload: payload})
		}
		return removalsCommand{text: fmt.Sprint("batch ", list), request: &actors.StoreBatchRequest{Messages: batch, Tag: tag},
			apply: func(s stock) (stock, outcome) { return s.store(nil, 0, list...) }}
	case k < 45:
		count := pickOf(random, uint64(1), 3, 5000)
		return removalsCommand{text: fmt.Sprint("skip ", count), request: &actors.SkipRequest{Count: count, Tag: tag},
			apply: func(s stock) (stock, outcome) { return s.skip(count) }}
	case k < 63:
		sequence := d.sequence(s)
		return removalsCommand{text: fmt.Sprint("remove ", sequence), request: &actors.RemoveRequest{Sequence: sequence, Tag: tag},
			apply: func(s stock) (stock, outcome) { return s.remove(sequence) }}
	case k < 71:
		sequence := d.sequence(s)
		return removalsCommand{text: fmt.Sprint("erase ", sequence), request: &actors.EraseRequest{Sequence: sequence, Tag: tag}, erases: sequence,
			apply: func(s stock) (stock, outcome) { return s.remove(sequence) }}
	case k < 79:
		return d.purge(s, tag)
	case k < 83:
		sequence := d.sequence(s)
		return removalsCommand{text: fmt.Sprint("compact ", sequence), request: &actors.CompactRequest{Sequence: sequence, Tag: tag},
			apply: func(s stock) (stock, outcome) { return s.compact(sequence) }}
	case k < 88:
		sequence := d.sequence(s)
		switch random.IntN(6) {
		case 0:
			sequence = 0
		case 1, 2:
			sequence = s.last - min(s.last, uint64(random.IntN(4)))
		}
		return removalsCommand{text: fmt.Sprint("truncate ", sequence), request: &actors.TruncateRequest{Sequence: sequence, Tag: tag},
			apply: func(s stock) (stock, outcome) { return s.truncate(sequence) }}
	case k < 93:
		messages, bytes, per := pickOf(random, int64(0), 0, -1, 3, 12, 30), pickOf(random, int64(0), 0, -1, 3000, 12_000), pickOf(random, int64(0), 0, -1, 1, 2, 4)
		c := actors.Config{Name: "ORDERS", MaxMsgs: messages, MaxBytes: bytes, MaxMsgsPer: per}
		return removalsCommand{text: fmt.Sprint("limits ", messages, bytes, per), request: &actors.UpdateConfigRequest{Config: c, Tag: tag}, alone: true, limits: true,
			apply: func(s stock) (stock, outcome) { return s.limit(messages, bytes, per) }}
	case k < 97:
		return removalsCommand{text: "settle", alone: true, settle: true}
	default:
		return removalsCommand{text: "restart", alone: true, restart: true}
	}
}

func (d *removalsDraw) purge(s stock, tag any) removalsCommand {
	r := &actors.PurgeRequest{Tag: tag}
	below, keep := uint64(0), uint64(0)
	if d.random.IntN(2) == 0 {
		below = d.sequence(s)
	}
	if d.random.IntN(2) == 0 {
		keep = uint64(d.random.IntN(4))
	}
	var match func(subject string) bool
	name := "all"
	switch d.random.IntN(5) {
	case 0:
		if below > 1 && keep > 0 {
			keep = 0
		}
	case 1:
		name, match = "k.*", func(subject string) bool { return strings.HasPrefix(subject, "k.") }
	default:
		name = pickOf(d.random, "k.0", "k.1", "k.2", "one")
		match = func(subject string) bool { return subject == name }
	}
	if match != nil {
		r.Filters = []actors.Filters{actors.Filter(name)}
	}
	r.Below, r.Keep = below, keep
	return removalsCommand{text: fmt.Sprint("purge ", name, " below ", below, " keep ", keep), request: r,
		apply: func(s stock) (stock, outcome) { return s.purge(match, below, keep) }}
}
