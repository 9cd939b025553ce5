package engine

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// A command that removes by subject first gathers the records that its filter selects: from the tables
// in memory, and for the rest of the blocks from what the shell finds in their indexes (WorkFind). Until
// it has all, nothing has changed, and the commands behind it wait; blocks that no record of the subjects
// can be in are left out.

// match is a record that a filter has selected. Its message may be removed already.
type match struct {
	block *block
	table *Table
	index int
}

func (m *match) sequence() uint64 { return m.table.Sequence(m.index) }
func (m *match) live() bool       { return m.block.live(m.sequence()) }

func (m *match) tombstone() Tombstone {
	return Tombstone{m.sequence(), m.table.slot(m.index).time}
}

// find is what is known of the records in the file of a block that a filter selects.
type find struct {
	work  WorkID // that looks
	table *Table
	err   error
	done  bool
}

// findKey names a find of the command that waits: in so many bytes of a block, which may grow while it waits.
type findKey struct {
	kind   WorkKind
	block  uint32
	size   int64
	to     uint64 // the highest sequence that is asked for, 0 for any
	filter string // see filterText; a command may look for several subjects
}

// filterText is a text that two filters have in common only if they select the same.
func filterText(filter *subject.Set) string {
	if filter == nil {
		return ""
	}
	var text strings.Builder
	for _, p := range filter.Patterns() {
		fmt.Fprintf(&text, "%t %q ", p.Exact(), p.String())
	}
	return text.String()
}

// gathered is how far gathering has come.
type gathered uint8

const (
	gatheredAll gathered = iota
	gatheredSome
	unreadableBlock
)

// gather returns the records from low to high that a filter selects, ascending, once all of them are
// known. dead asks for those of removed messages, too.
func (e *Engine) gather(filter *subject.Set, low, high uint64, dead bool) ([]match, gathered) {
	g := gatherer{e: e, filter: filter, ids: make(map[uint32]bool)}
	var blocks []*block
	outcome := gatheredAll
	for _, b := range e.blocks {
		if b.firstMsg == 0 || b.last < low || b.firstMsg > high || !dead && b.msgs == 0 {
			continue
		}
		blocks = append(blocks, b)
		_, state := g.onDisk(b, low, high, dead, &e.finds)
		outcome = max(outcome, state)
	}
	if outcome != gatheredAll {
		return nil, outcome // what is in memory is gone through once, when all is known
	}
	var list []match
	for _, b := range blocks {
		list, outcome = g.in(b, list, low, high, dead, &e.finds)
		if outcome != gatheredAll {
			return nil, outcome
		}
	}
	return list, outcome
}

// in adds to a list the selected records of a block. finds are those of whoever asks.
func (g *gatherer) in(b *block, list []match, low, high uint64, dead bool, finds *map[findKey]*find) ([]match, gathered) {
	t, state := g.onDisk(b, low, high, dead, finds)
	if state != gatheredAll {
		return list, state
	}
	from := b.earliest(low, dead)
	if t != nil {
		list = g.add(list, b, t, from, high, dead)
	}
	if b.appended != nil {
		list = g.add(list, b, b.appended, from, high, dead)
	}
	return list, gatheredAll
}

// onDisk returns a table with at least the selected records from low to high that the file of a block has and its memory
// has not; nil when there can be none.
func (g *gatherer) onDisk(b *block, low, high uint64, dead bool, finds *map[findKey]*find) (*Table, gathered) {
	if b.earliest(low, dead) >= b.tailFrom || b.scannedSize == 0 {
		return nil, gatheredAll
	}
	if b.last <= high {
		high = 0
	}
	return g.e.onDisk(b, g.filter, high, finds)
}

// earliest returns from which sequence on the block can have messages at or above one; dead asks for removed ones, too.
func (b *block) earliest(low uint64, dead bool) uint64 {
	if dead {
		return max(low, b.firstMsg)
	}
	return max(low, b.firstMsg, b.firstLive)
}

// onDisk returns a table with at least the records in the file of a block, up to a sequence (0: all of them), that a
// filter selects.
func (e *Engine) onDisk(b *block, filter *subject.Set, to uint64, finds *map[findKey]*find) (*Table, gathered) {
	if b.scanned != nil {
		b.used = e.steady
		return b.scanned, gatheredAll
	}
	return e.findIn(finds, WorkFind, b, to, filter)
}

// find returns what the shell has found in the file of a block for the command that waits, and asks it to look when
// it has not.
func (e *Engine) find(kind WorkKind, b *block, filter *subject.Set) (*Table, gathered) {
	return e.findIn(&e.finds, kind, b, 0, filter)
}

// findIn is find for whoever keeps finds.
func (e *Engine) findIn(finds *map[findKey]*find, kind WorkKind, b *block, to uint64, filter *subject.Set) (*Table, gathered) {
	key := findKey{kind, b.id, b.scannedSize, to, filterText(filter)}
	f, asked := (*finds)[key]
	switch {
	case !asked:
		if *finds == nil {
			*finds = make(map[findKey]*find)
		}
		id := e.schedule(kind, b.id, b.scannedSize)
		(*finds)[key] = &find{work: id}
		w := &e.work[len(e.work)-1]
		w.Filter, w.Sequence = filter, to
		e.pending[id] = *w
	case f.err != nil:
		return nil, unreadableBlock
	case f.done:
		return f.table, gatheredAll
	}
	return nil, gatheredSome
}

// found takes what the shell has found in a block. What an earlier command had asked for, and did not wait
// for, is of no use to this one.
func (e *Engine) found(w Work, d Done) {
	key := findKey{w.Kind, w.Block, w.Size, w.Sequence, filterText(w.Filter)}
	take := func(finds map[findKey]*find) {
		if f := finds[key]; f != nil && f.work == w.ID {
			if w.Kind == WorkSubjects && d.Err == nil {
				d.Table.names.lookUpAll(e.subjects) // while the shell looks into the next block
			}
			f.table, f.err, f.done = d.Table, d.Err, d.Err == nil
		}
	}
	take(e.finds)
	for _, p := range e.underWay() {
		take(p.finds)
	}
	if e.serving() && !e.stopped && !looking(e.finds) {
		e.unpark()
	}
}

// looking reports whether the shell is still looking for some of what was asked for, and has failed to find none:
// until then it is of no use to try again.
func looking(finds map[findKey]*find) (some bool) {
	for _, f := range finds {
		if f.err != nil {
			return false
		}
		some = some || !f.done
	}
	return some
}

// findError returns why a block could not be looked through.
func (e *Engine) findError() error { return cmp.Or(findError(e.finds), ErrUnreadable) }

// findError returns why the first block of some could not be looked through, or nil if none could not.
func findError(finds map[findKey]*find) (err error) {
	lowest := uint32(math.MaxUint32)
	for key, f := range finds {
		if f.err != nil && key.block < lowest {
			lowest, err = key.block, fmt.Errorf("%w: block %d: %w", ErrUnreadable, key.block, f.err)
		}
	}
	return err
}

// gatherer selects records from tables.
type gatherer struct {
	e      *Engine
	filter *subject.Set
	ids    map[uint32]bool // of subjects of the index: whether the filter selects them
	name   []byte
}

// add appends the selected records of a table. Where a table was scanned, the messages of the sequences
// that the block has in memory are not taken from it.
func (g *gatherer) add(list []match, b *block, t *Table, from, to uint64, dead bool) []match {
	from, to = b.within(t, from, to)
	selects := g.selects(t)
	for i := t.Search(from); i < t.n && t.Sequence(i) <= to; i++ {
		if (dead || b.live(t.Sequence(i))) && selects(t.Subject(i)) {
			list = append(list, match{b, t, i})
		}
	}
	return list
}

// within returns which of the sequences from..to are those that a table of the block is asked for.
func (b *block) within(t *Table, from, to uint64) (uint64, uint64) {
	if t == b.appended {
		return max(from, b.tailFrom), to
	}
	return from, min(to, b.tailFrom-1)
}

// selects returns a function that reports whether the subject with a number of the table is selected.
func (g *gatherer) selects(t *Table) func(number uint32) bool {
	if g.filter.All() {
		return func(uint32) bool { return true }
	}
	if name, exact := g.filter.Exact(); exact && t.names == nil {
		id, known := g.e.subjects.Lookup(name)
		return func(number uint32) bool { return known && number == id }
	}
	if t.names == nil {
		return g.selectsID
	}
	known := make([]bool, len(t.names.list))
	for i := range t.names.list {
		known[i] = g.filter.Match([]byte(t.names.list[i].name))
	}
	return func(number uint32) bool { return number != noSubject && known[number] }
}

func (g *gatherer) selectsID(id uint32) bool {
	if id == noSubject || !g.e.subjects.Known(id) {
		return false // of a subject whose messages were all removed for good
	}
	selected, known := g.ids[id]
	if !known {
		g.name = g.e.subjects.AppendName(g.name[:0], id)
		selected = g.filter.Match(g.name)
		g.ids[id] = selected
	}
	return selected
}
