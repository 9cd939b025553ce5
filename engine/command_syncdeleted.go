package engine

import (
	"cmp"
	"slices"
	"sort"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// SyncDeleted removes the messages that another copy of the stream does not have any more: all live ones whose
// sequences are in Ranges. The ranges may come in any order, and overlap; one that ends before it begins names
// nothing, and sequences above the last one or without a live message are passed over. The reply counts the
// removed messages.
//
// It costs time in proportion to the ranges, the blocks and the messages that go, whatever the ranges span. What
// goes from the head of the stream with whole blocks takes one record, like a Compact. The others take a
// tombstone each, and go in steps of at most some 65,536 messages, each in a group of its own: a crash leaves the
// lowest so many of the messages removed.
type SyncDeleted struct {
	Ranges []SequenceRange

	ordered bool   // Ranges are ascending, and do not touch
	begun   bool   // a step was carried out
	removed uint64 // messages so far
	from    uint64 // messages of lower sequences are done with
}

// What bounds a step of a SyncDeleted. Tests lower it.
var (
	// syncMessages is how many messages a step removes, but for those that one block has more.
	syncMessages = uint64(1 << 16)
	// syncRecords is how many messages the blocks have that a step looks into, if it is more than one.
	syncRecords = uint64(1 << 18)
	// syncEvicted is syncMessages where MaxMsgsPer has evicted messages, which are looked for by subject.
	syncEvicted = uint64(1 << 12)
	syncBlocks  = 64
)

// Size implements Command.
func (c *SyncDeleted) Size() (pieces, bytes int) { return 1, 16 * len(c.Ranges) }

func (c *SyncDeleted) clone() Command {
	own := *c
	own.Ranges = slices.Clone(c.Ranges)
	return &own
}

func (*SyncDeleted) subjectAhead() string { return "" }

func (c *SyncDeleted) apply(e *Engine, tag any) bool {
	if !c.ordered {
		c.Ranges, c.ordered = orderedRanges(c.Ranges), true
	}
	if c.begun && e.current.staged() {
		return false // the step before is still gathering
	}
	more, ready, err := c.step(e)
	switch {
	case err != nil:
		e.replyInOrder(Reply{Tag: tag, Sequence: e.last(), Count: int(c.removed), Err: err})
	case !ready || more:
		return false
	default:
		e.replyInOrder(Reply{Tag: tag, Sequence: e.last(), Count: int(c.removed)})
	}
	return true
}

// refusal returns what a command that waits is answered with when the engine fails: one that has removed messages
// already does not know what became of them.
func (p *parked) refusal(refusal, unknown error) error {
	if c, ok := p.command.(*SyncDeleted); ok && c.begun {
		return unknown
	}
	return refusal
}

// step removes as much as one group is to have. It reports whether there is more, or that something has to be
// read first; then it has changed nothing.
func (c *SyncDeleted) step(e *Engine) (more, ready bool, err error) {
	if e.counts[countMessages] == 0 || len(c.Ranges) == 0 {
		return false, true, nil
	}
	if settled, err := e.perSettled(); !settled {
		return false, false, err
	}
	below := c.firstKept(e)
	if below > e.last() {
		c.count(e.purgeAll(e.last(), NoticeSyncDeleted))
		return false, true, nil
	}
	var head compaction
	outcome := gatheredAll
	whole, from := e.head().last < below, c.from
	if whole {
		from = max(from, below)
		head, outcome = e.prepareCompaction(below)
	}
	list, next, state := c.gather(e, from)
	outcome = max(outcome, state)
	var dead []match
	if outcome == gatheredAll {
		dead, outcome = e.evictedOfAll(list)
	}
	switch outcome {
	case gatheredSome:
		return false, false, nil
	case unreadableBlock:
		return false, false, e.findError()
	}
	if whole {
		c.count(e.compactNow(&head, NoticeSyncDeleted))
	}
	if len(list) > 0 {
		c.remove(e, list, dead)
	}
	c.from, e.finds = next, nil
	return next <= e.last(), true, nil
}

func (c *SyncDeleted) count(removed int) {
	c.removed += uint64(removed)
	c.begun = true
}

// firstKept returns the lowest sequence of a live message that is to stay, or one above the last when none is.
func (c *SyncDeleted) firstKept(e *Engine) uint64 {
	for _, b := range e.blocks {
		if b.msgs == 0 {
			continue
		}
		for _, live := range b.liveWithin(b.firstLive, b.last) {
			i := c.search(live.First)
			switch {
			case i == len(c.Ranges) || live.First < c.Ranges[i].First:
				return live.First
			case c.Ranges[i].Last < live.Last:
				return c.Ranges[i].Last + 1
			}
		}
	}
	return e.last() + 1
}

// search returns the index of the first range that does not end before a sequence.
func (c *SyncDeleted) search(sequence uint64) int {
	return sort.Search(len(c.Ranges), func(i int) bool { return c.Ranges[i].Last >= sequence })
}

// namedIn returns how many live messages of a block are to go, from a sequence on, and the first and the last of
// them.
func (c *SyncDeleted) namedIn(b *block, from uint64) (n, first, last uint64) {
	from = max(from, b.firstLive)
	for i := c.search(from); i < len(c.Ranges) && c.Ranges[i].First <= b.last; i++ {
		for _, live := range b.liveWithin(max(from, c.Ranges[i].First), min(b.last, c.Ranges[i].Last)) {
			if n == 0 {
				first = live.First
			}
			n, last = n+live.Last-live.First+1, live.Last
		}
	}
	return n, first, last
}

// gather returns the records of the messages from a sequence on that the step removes, and the sequence from which on
// the next step looks.
func (c *SyncDeleted) gather(e *Engine, from uint64) (list []match, next uint64, outcome gathered) {
	everything := subject.Everything()
	most := syncMessages
	if e.holdsEvicted() {
		most = min(most, syncEvicted)
	}
	messages, records, blocks := uint64(0), uint64(0), 0
	for _, b := range e.blocks {
		if b.msgs == 0 || b.last < from {
			continue
		}
		n, first, last := c.namedIn(b, from)
		if n == 0 {
			continue
		}
		messages, records, blocks = messages+n, records+b.msgs, blocks+1
		if blocks > 1 && (messages > most || records > syncRecords || blocks > syncBlocks) {
			return list, first, outcome
		}
		part, state := e.gather(&everything, first, last, false)
		list, outcome = append(list, c.named(part)...), max(outcome, state)
	}
	return list, e.last() + 1, outcome
}

// named returns those of some records that are to go.
func (c *SyncDeleted) named(list []match) []match {
	return slices.DeleteFunc(list, func(m match) bool {
		sequence := m.sequence()
		i := c.search(sequence)
		return i == len(c.Ranges) || sequence < c.Ranges[i].First
	})
}

// remove removes the messages of a step, and writes again that others of their subjects are removed.
func (c *SyncDeleted) remove(e *Engine, list, dead []match) {
	graves := make([]Tombstone, 0, len(list)+len(dead))
	for i := range dead {
		graves = append(graves, dead[i].tombstone())
	}
	e.protectHead()
	e.notices.as = NoticeSyncDeleted
	for i := range list {
		m := &list[i]
		graves = append(graves, m.tombstone())
		e.removeAt(m.block, m.table, m.index, countRemovedRequest)
	}
	e.notices.as = 0
	c.count(len(list))
	e.removed()
	e.writeRemovals(0, graves)
}

// evictedOfAll returns the records of messages that MaxMsgsPer has evicted, of the subjects of those that are
// about to go: see evictedOf.
func (e *Engine) evictedOfAll(list []match) (dead []match, outcome gathered) {
	if !e.holdsEvicted() || len(list) == 0 {
		return nil, gatheredAll
	}
	var patterns []subject.Pattern
	seen := make(map[uint32]bool)
	for i := range list {
		id := list[i].table.subjectOf(e.subjects, list[i].index)
		if id != noSubject && !seen[id] && e.per.evicted.has(id) {
			seen[id] = true
			patterns = append(patterns, subject.Literal(string(e.subjects.AppendName(nil, id))))
		}
	}
	if len(patterns) == 0 {
		return nil, gatheredAll
	}
	set := subject.NewSet(patterns...)
	all, outcome := e.gather(&set, 1, list[len(list)-1].sequence(), true)
	return slices.DeleteFunc(all, func(m match) bool { return m.live() }), outcome
}

// orderedRanges returns ranges ascending, and as few as name the same sequences.
func orderedRanges(ranges []SequenceRange) []SequenceRange {
	ordered := !slices.ContainsFunc(ranges, func(r SequenceRange) bool { return r.First > r.Last })
	for i := 1; i < len(ranges) && ordered; i++ {
		ordered = ranges[i].First > ranges[i-1].Last && ranges[i].First-1 > ranges[i-1].Last
	}
	if ordered {
		return ranges
	}
	list := slices.DeleteFunc(slices.Clone(ranges), func(r SequenceRange) bool { return r.First > r.Last })
	slices.SortFunc(list, func(a, b SequenceRange) int { return cmp.Compare(a.First, b.First) })
	merged := list[:0]
	for _, r := range list {
		if n := len(merged); n > 0 && (r.First <= merged[n-1].Last || r.First-1 == merged[n-1].Last) {
			merged[n-1].Last = max(merged[n-1].Last, r.Last)
			continue
		}
		merged = append(merged, r)
	}
	return merged
}
