package read

import (
	"errors"
	"math"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/engine/subjects"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// part is the records of one block that are found in the same place: in the block's file, or in the
// memory of the block that is being written. Such a block can have one part of each.
type part struct {
	source *Source
	view   *engine.View // that has the block
	block  *engine.BlockView
	table  table
	reader *blockReader // nil when the part is in memory
	from   uint64       // the part accounts for the sequences from..to
	to     uint64

	inFile   indexTable // table is one of these
	inMemory tailTable
}

// splitAt returns where the part of a block in its file ends and the one in memory begins: in memory are
// the records of the table from first on, with sequences from boundary on. inMemory is false when the
// file has all of the block.
func splitAt(b *engine.BlockView) (records engine.Table, first int, boundary uint64, inMemory bool) {
	if b.Tail == nil {
		return records, 0, math.MaxUint64, false
	}
	// The engine drops the bytes before the table. Looked at in the same order, bytes that are found come
	// with their table, or the table is found to be gone.
	start, ok := b.Tail.Start()
	records, known := b.Tail.Table()
	if !known || !ok && records.Len() > 0 {
		return records, 0, math.MaxUint64, false
	}
	if first = records.SearchOffset(start); first == 0 {
		return records, 0, b.Tail.From(), true
	}
	if first == records.Len() {
		return records, 0, math.MaxUint64, false
	}
	return records, first, records.Sequence(first), true
}

// partsOf calls visit with the parts of a block that account for the sequences from..to, in ascending
// order or, with reverse, in descending order. names knows the numbers of live subjects; it may be nil.
// Each part in turn is in p, which is memory that a caller uses again.
func (s *Source) partsOf(p *part, view *engine.View, b *engine.BlockView, from, to uint64, names *subjects.Tree, reverse bool, visit func(*part) error) error {
	records, first, boundary, inMemory := splitAt(b)
	inFile := boundary > b.First && from < boundary
	memory := func() error {
		if !inMemory || to < boundary {
			return nil
		}
		*p = part{source: s, view: view, block: b, from: max(from, boundary), to: to}
		p.inMemory = tailTable{block: b, records: records, first: first, names: names}
		p.table = &p.inMemory
		return visit(p)
	}
	file := func() error {
		if !inFile {
			return nil
		}
		to := min(to, boundary-1)
		r, err := s.acquire(b, to)
		if err != nil {
			return err
		}
		defer r.block.Release()
		*p = part{source: s, view: view, block: b, reader: r, from: from, to: to, inFile: indexTable{r}}
		p.table = &p.inFile
		return visit(p)
	}
	if reverse {
		file, memory = memory, file
	}
	if err := file(); err != nil {
		return err
	}
	return memory()
}

// guard calls f, which looks at the part. When the index of the part turns out to be of no use, it is
// given up, and the caller begins again with a new one: see worthAnotherTry.
func (p *part) guard(f func() error) error {
	if p.reader == nil {
		return f()
	}
	err := blockio.Guard(f)
	if err != nil && unusable(err) {
		p.reader.discard(err)
	}
	return err
}

// bounds returns which records of a part have sequences from..to.
func (p *part) bounds(from, to uint64) (low, high int, err error) {
	if from > to {
		return 0, 0, nil
	}
	if low, err = p.table.search(max(from, p.from)); err != nil {
		return 0, 0, err
	}
	high = p.table.length()
	if to = min(to, p.to); to < math.MaxUint64 {
		high, err = p.table.search(to + 1)
	}
	return low, max(low, high), err
}

// live returns how many of the records low..high-1 are live.
func (p *part) live(low, high int) (uint64, error) {
	if low >= high {
		return 0, nil
	}
	first, err := p.table.sequence(low)
	if err != nil {
		return 0, err
	}
	last, err := p.table.sequence(high - 1)
	if err != nil {
		return 0, err
	}
	return last - first + 1 - p.block.DeletedWithin(first, last), nil
}

// members returns the live ones of the records low..high-1 that a set selects. The result is in memory,
// if that is large enough.
func (p *part) members(set *subject.Set, low, high int, memory bitset) (bitset, error) {
	members := memory.reset(p.table.length())
	if low >= high {
		return members, nil
	}
	if err := p.table.mark(set, low, high, members); err != nil {
		return members, err
	}
	if n, err := p.live(low, high); err != nil || n == uint64(high-low) {
		return members, err
	}
	return members, p.dropDeleted(low, high, members)
}

// dropDeleted takes out of the members the records low..high-1 whose messages are deleted.
func (p *part) dropDeleted(low, high int, members bitset) error {
	first, err := p.table.sequence(low)
	if err != nil {
		return err
	}
	last, err := p.table.sequence(high - 1)
	if err != nil {
		return err
	}
	p.block.EachDeleted(first, last, func(from, to uint64) {
		a, aErr := p.table.search(from)
		b, bErr := p.table.search(to + 1)
		if err = errors.Join(err, aErr, bErr); err == nil {
			members.clearRange(a, b)
		}
	})
	return err
}

// count returns how many live ones of the records low..high-1 a set selects.
func (p *part) count(set *subject.Set, low, high int, memory *bitset) (uint64, error) {
	n, err := p.live(low, high)
	if err != nil || n == 0 {
		return 0, err
	}
	if n == uint64(high-low) {
		return p.table.count(set, low, high)
	}
	*memory, err = p.members(set, low, high, *memory)
	return memory.count(), err
}

// next returns the first live one of the records low..high-1 that a set selects, or high.
func (p *part) next(set *subject.Set, low, high int) (int, error) {
	for {
		i, err := p.table.next(set, low, high)
		if err != nil || i >= high {
			return high, err
		}
		sequence, err := p.table.sequence(i)
		if err != nil || !p.block.Deleted(sequence) {
			return i, err
		}
		if low, err = p.table.search(p.block.LiveAfter(sequence)); err != nil {
			return high, err
		}
	}
}

// prev returns the last live one of the records low..high-1 that a set selects, or low-1.
func (p *part) prev(set *subject.Set, low, high int) (int, error) {
	for {
		i, err := p.table.prev(set, low, high)
		if err != nil || i < low {
			return low - 1, err
		}
		sequence, err := p.table.sequence(i)
		if err != nil || !p.block.Deleted(sequence) {
			return i, err
		}
		if high, err = p.table.search(p.block.LiveBefore(sequence) + 1); err != nil {
			return low - 1, err
		}
	}
}
