package engine_test

import (
	"fmt"
	"slices"

	"github.com/seed-d8b58eba/millrace/engine"
)

// purging is a purge that the engine has accepted, and carries out in pieces.
type purging struct {
	sent
	command *engine.Purge
	last    uint64 // when it was accepted
	// victims, ascending, are fixed when it is accepted or, if some are to stay, when those are found.
	victims []uint64
	fixed   bool
	removed int
}

// purged is the reply that is due to one that is done, and how many events of the model led to it.
type purged struct {
	want  engine.Reply
	after int
}

// selected returns the sequences up to one that a purge removes.
func (m *model) selected(c *engine.Purge, last uint64) (matching []uint64) {
	all := c.Filter == nil || c.Filter.All()
	for _, e := range m.live {
		if e.sequence <= last && (all || c.Filter.Match([]byte(e.subject)) && e.subject != "") {
			matching = append(matching, e.sequence)
		}
	}
	if c.Keep > 0 {
		matching = matching[:max(0, len(matching)-int(min(c.Keep, 1<<20)))]
	}
	if c.Sequence > 1 {
		matching = slices.DeleteFunc(matching, func(sequence uint64) bool { return sequence >= c.Sequence })
	}
	return matching
}

// accepted reports whether the engine carries out a command in pieces.
func (mc *machine) accepted(c sent) bool {
	if !slices.ContainsFunc(mc.e.Purges(), func(p engine.Purging) bool { return p.Tag == c.tag }) {
		return false
	}
	p := &purging{sent: c, command: c.command.(*engine.Purge), last: mc.m.last}
	if p.command.Keep == 0 {
		p.victims, p.fixed = mc.m.selected(p.command, p.last), true
	}
	mc.purging = append(mc.purging, p)
	return true
}

// followPurges removes from the model what the engine has removed since in pieces: of what a purge selects the oldest
// that is still there.
func (mc *machine) followPurges() { mc.followPurgesTo(mc.e.Purges()) }

// followPurgesTo is followPurges up to a moment when so many were under way: the answer to one that has ended does not
// know of what a marker has added since.
func (mc *machine) followPurgesTo(underWay []engine.Purging) {
	if mc.e.Failed() != nil {
		return
	}
	mc.purging = slices.DeleteFunc(mc.purging, func(p *purging) bool {
		for _, now := range underWay {
			if now.Tag == p.tag {
				mc.followPurge(p, now.Keeps, now.Removed)
				return false
			}
		}
		replies := append(mc.e.Unsent(), mc.replies...)
		i := slices.IndexFunc(replies, func(r engine.Reply) bool { return r.Tag == p.tag })
		if i < 0 {
			mc.fail("%v has ended without a reply", p.tag)
			return true
		}
		r := replies[i]
		mc.followPurge(p, false, r.Count)
		if left := mc.stillThere(p.victims); len(left) > 0 && r.Err == nil {
			mc.fail("%v has ended, and not removed %v", p.tag, left)
		}
		r.Sequence = mc.m.last
		mc.purged[p.tag] = purged{r, len(mc.m.log)}
		return true
	})
}

func (mc *machine) followPurge(p *purging, keeps bool, removed int) {
	if !p.fixed && !keeps {
		p.victims, p.fixed = mc.m.selected(p.command, p.last), true
	}
	n := removed - p.removed
	p.removed = removed
	if n == 0 {
		return
	}
	there := mc.stillThere(p.victims)
	if len(there) < n {
		mc.fail("%v has removed %d messages of %v", p.tag, n, there)
		return
	}
	mc.m.add(event{removed: there[:n], last: mc.m.last, time: mc.m.time})
	mc.between = append(mc.between, mc.snapshot())
}

func (mc *machine) stillThere(sequences []uint64) (there []uint64) {
	for _, e := range mc.m.live {
		if _, found := slices.BinarySearch(sequences, e.sequence); found {
			there = append(there, e.sequence)
		}
	}
	return there
}

// answered takes the reply to a purge that was carried out in pieces.
func (mc *machine) answered(r engine.Reply) (found bool, err error) {
	p, found := mc.purged[r.Tag]
	if !found {
		return false, nil
	}
	delete(mc.purged, r.Tag)
	if p.want.Sequence != r.Sequence {
		return true, fmt.Errorf("%v: the last sequence is %d, want %d", r.Tag, r.Sequence, p.want.Sequence)
	}
	mc.ackedEvents = max(mc.ackedEvents, p.after)
	if r.Err == nil {
		mc.acked = mc.cap(max(mc.acked, r.Sequence))
	}
	return true, nil
}
