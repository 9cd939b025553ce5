package engine

import (
	"slices"
	"sort"
)

// Tombstoned reports whether a tombstone names a sequence, or it is below a floor, in any of the blocks that
// were added.
func (r *Recovery) Tombstoned(sequence uint64) bool {
	if sequence < r.e.floor.first {
		return true
	}
	if r.tombstoned == nil {
		r.tombstoned = make(map[uint64]struct{}, len(r.pending))
		for _, t := range r.pending {
			r.tombstoned[t.Sequence] = struct{}{}
		}
	}
	_, ok := r.tombstoned[sequence]
	return ok
}

// First returns the sequence of the first message of the blocks that were added, before tombstones and
// limits are applied: what follows the last sequence when there is none, 0 when nothing shows a sequence.
func (r *Recovery) First() uint64 {
	for _, b := range r.e.blocks {
		if b.firstMsg > 0 {
			return b.firstMsg
		}
	}
	if last := r.e.last(); last > 0 {
		return last + 1
	}
	return 0
}

// Room returns between which sequences messages of a block can lie: behind low, and before high, 0 when no
// block with messages follows.
func (r *Recovery) Room(id uint32) (low, high uint64) {
	for _, b := range r.e.blocks {
		switch {
		case b.id < id:
			low = max(low, b.last)
		case b.id > id && b.firstMsg > 0:
			return low, b.firstMsg
		}
	}
	return low, 0
}

// SubjectCount returns how many messages of a subject the blocks that were added have.
func (r *Recovery) SubjectCount(subject string) uint64 {
	info, _ := r.e.subjects.Tree().Get(subject)
	return info.Count
}

// Last returns the highest sequence that the blocks which were added account for.
func (r *Recovery) Last() uint64 { return max(r.e.last(), r.atLeast) }

// foundLost is the damage in a block, as its scan has found it.
type foundLost struct {
	block       uint32
	sequences   []uint64
	head, end   bool   // see Scan.Around
	last        uint64 // the highest sequence of a message or skip of the block, 0 when it has none
	shown       uint64 // the highest sequence that the block shows, with those that its tombstones name
	bytes       uint64 // of the damaged stretches
	unreadable  bool   // see Scan.Unreadable
	unnamedHead uint64
	unnamed     uint64
	nothing     bool // no record of the block verifies
}

func foundIn(s *Scan) foundLost {
	return foundLost{
		block: s.id, sequences: s.lost, head: s.lostHead, end: s.lostEnd, last: s.lastRecord, shown: s.last,
		bytes: uint64(s.lostBytes), unreadable: s.unreadable, unnamedHead: uint64(s.unnamedHead), unnamed: uint64(s.unnamed),
		nothing: !s.had && s.lastRecord == 0 && s.markCRC == 0 && len(s.tombstones) == 0 && s.floor == 0,
	}
}

// mostUnnamed bounds how many sequences between two blocks are taken for lost because one of them begins or
// ends with damage: with more, some of them were never stored.
const mostUnnamed = 1 << 16

// Began tells which sequence the stream began with, as far as anybody knows.
func (r *Recovery) Began(sequence uint64) { r.began = sequence }

// HasFloor reports whether a floor says up to where messages were removed from the head of the stream.
func (r *Recovery) HasFloor() bool { return r.e.floor.first > 0 }

// Settle tells which sequences the damage that was added has cost, once all blocks were added. A damaged
// record is not believed to be of a sequence that other blocks leave no room for: the file may be a copy of
// another block. Damage that reaches the edge of its block has cost what is missing to the next block, too,
// and behind the last message what something else shows to have been used. Damage to messages that tombstones
// name has cost nothing: a crash can leave it where one was being erased.
func (r *Recovery) Settle() {
	found := r.found
	r.found = nil
	told := make(map[uint32]uint64) // bytes that are known to be lost with messages of a block
	for _, l := range r.e.lost {
		told[l.Block] += l.Bytes
	}
	others := r.besides(found)
	for i, f := range found {
		if r.removedBefore(&f) {
			continue
		}
		// What was told before is not counted again: it was of the same stretches.
		bytes := f.bytes - min(told[f.block], f.bytes)
		// When all of its damage was told of, so was what it has cost. What is missing beside it now has gone since:
		// messages that limits or age have removed, with a block that had nothing else.
		known := f.bytes > 0 && told[f.block] >= f.bytes
		low, high := r.Room(f.block)
		begin, end := low+1, high-1 // of what the block may have had
		if low == 0 && r.began > 0 {
			begin = max(r.began, r.e.floor.first)
		} else if low == 0 {
			begin = 0
		}
		if high == 0 {
			end = r.Last()
			if n := len(f.sequences); n > 0 { // as the next recovery will see it
				end = max(end, f.sequences[n-1])
			}
			end = max(end, behind(found[i+1:])) // as the next recovery will see that, too
		}
		lose := func(first, last uint64) {
			if f.last == 0 { // as above, a copy of another block
				first = max(first, begin)
			}
			if first = max(first, low+1); high > 0 {
				last = min(last, high-1)
			}
			if first <= last {
				if r.Lose(LostRange{SequenceRange{first, last}, f.block, bytes}) > 0 {
					bytes = 0 // all of them are of the first
				}
			}
		}
		unnamed := func(first, last uint64) {
			if !known && 0 < first && first <= last && last-first < mostUnnamed {
				lose(first, last)
			}
		}
		first, last := r.edges(f)
		if f.showsNone() {
			if begin+others[i] <= end {
				end -= others[i]
			}
			unnamed(begin, end)
		}
		if f.head && first > 0 {
			unnamed(begin, first-1)
		}
		if f.end && last > 0 {
			unnamed(last+1, end)
		}
		if f.unreadable {
			r.settleUnreadable(&f, first, last, low, high, lose)
		}
		for _, sequence := range f.sequences {
			lose(sequence, sequence)
		}
		if told[f.block] == 0 && bytes > 0 {
			r.e.counts[countLostBytes] += bytes
			r.loose[f.block] = bytes
		}
	}
}

// showsNone reports whether no message or skip of the block is there, and it may have had more than its damage names.
func (f *foundLost) showsNone() bool {
	return f.last == 0 && (f.nothing || f.head || f.end)
}

// besides returns for each damaged block how many of those behind it have nothing either, not even a name, and the same room.
// Each is told of with one that is missing there, so that the next recovery knows the damage in each of them for old.
func (r *Recovery) besides(found []foundLost) []uint64 {
	others := make([]uint64, len(found))
	low, high := uint64(0), uint64(0)
	for i := len(found) - 1; i >= 0; i-- {
		from, to := r.Room(found[i].block)
		if i < len(found)-1 && from == low && to == high && found[i+1].showsNone() && len(found[i+1].sequences) == 0 {
			others[i] = others[i+1] + 1
		}
		low, high = from, to
	}
	return others
}

// behind returns the sequence before the first that the damage in later blocks names, 0 when it names none.
func behind(later []foundLost) uint64 {
	for _, f := range later {
		if len(f.sequences) > 0 {
			return f.sequences[0] - 1
		}
	}
	return 0
}

// removedBefore reports whether the damage in a block is of messages alone that tombstones name.
func (r *Recovery) removedBefore(f *foundLost) bool {
	return !f.head && !f.end && len(f.sequences) > 0 &&
		!slices.ContainsFunc(f.sequences, func(sequence uint64) bool { return !r.Tombstoned(sequence) })
}

// settleUnreadable tells which sequences beyond first..last, which a block with unreadable parts shows, these have
// cost at the beginning of the stream and at its end. The messages around are low and high, 0 for none.
func (r *Recovery) settleUnreadable(f *foundLost, first, last, low, high uint64, lose func(first, last uint64)) {
	// Nothing was before the first block, or was removed from its head; or readers have seen the first sequence.
	start := max(r.e.cfg.FirstSequence, r.first, r.e.floor.first, 1)
	whole := r.first > 0 || (f.block == 1 || r.e.floor.first > 0) && !r.e.cfg.Limits.evicts()
	if f.unnamedHead > 0 && low == 0 && whole && first > start {
		lose(max(start, first+1-min(first, f.unnamedHead)), first-1)
	}
	shown := max(low, f.shown)
	if high > 0 || shown == 0 && r.first == 0 {
		return
	}
	if shown == 0 {
		shown = start - 1
	}
	if f.unnamed > 0 {
		lose(shown+1, shown+f.unnamed) // they must not be used again
	}
	// A block behind it has no messages, and says what the last sequence was taken for.
	if shown, end := max(shown, last), r.e.last(); f.end && end > shown && end-shown <= mostUnnamed {
		lose(shown+1, end)
	}
}

// edges returns the first and the last sequence that a damaged block shows, 0 when it shows none.
func (r *Recovery) edges(f foundLost) (first, last uint64) {
	if n := len(f.sequences); n > 0 {
		first, last = f.sequences[0], f.sequences[n-1]
	}
	for _, b := range r.e.blocks {
		if b.id == f.block && b.msgs > 0 && (first == 0 || b.firstMsg < first) {
			first = b.firstMsg
		}
	}
	return first, max(last, f.last)
}

// Lose notes messages as lost that no block has. All blocks were added. Those that are live, removed by a
// tombstone, or known to be lost are passed over; the bytes are of all. It returns how many were not.
func (r *Recovery) Lose(lost LostRange) (messages uint64) {
	e := r.e
	bytes := lost.Bytes + r.loose[lost.Block]
	for _, part := range r.unaccounted(lost.SequenceRange) {
		messages += part.Last - part.First + 1
		r.addLost(LostRange{part, lost.Block, bytes})
		bytes = 0
	}
	e.counts[countLostMessages] += messages
	if messages > 0 {
		e.counts[countLostBytes] += lost.Bytes
		delete(r.loose, lost.Block)
		r.AtLeast(lost.Last)
	}
	return messages
}

// addLost is Engine.addLost while no reader has been shown the list: what goes on from its end, as nearly all
// does, is appended in place, so that very many ranges take no time in the square of their number.
func (r *Recovery) addLost(lost LostRange) {
	e := r.e
	if n := len(e.lost); n > 0 && e.lost[n-1].Last >= lost.First {
		e.addLost(lost)
		return
	}
	e.lost = e.lost.join(lost)
	e.lostChanged = true
}

// unaccounted returns the parts of a range that are neither live nor known to be lost, nor named by a
// tombstone, nor below a floor.
func (r *Recovery) unaccounted(within SequenceRange) []SequenceRange {
	parts := []SequenceRange{within}
	cut := func(first, last uint64) {
		for i := len(parts) - 1; i >= 0; i-- {
			p := parts[i]
			if p.Last < first || p.First > last {
				continue
			}
			var left []SequenceRange
			if p.First < first {
				left = append(left, SequenceRange{p.First, first - 1})
			}
			if p.Last > last {
				left = append(left, SequenceRange{last + 1, p.Last})
			}
			parts = slices.Replace(parts, i, i+1, left...)
		}
	}
	if first := r.e.floor.first; first > 1 {
		cut(1, first-1) // removed
	}
	for i := r.e.lost.search(within.First); i < len(r.e.lost) && r.e.lost[i].First <= within.Last; i++ {
		cut(r.e.lost[i].First, r.e.lost[i].Last)
	}
	blocks := r.e.blocks
	i := sort.Search(len(blocks), func(i int) bool { return blocks[i].last >= within.First })
	for ; i < len(blocks) && blocks[i].firstMsg <= within.Last; i++ {
		if b := blocks[i]; b.msgs > 0 {
			for _, live := range b.liveWithin(max(within.First, b.firstMsg), min(within.Last, b.last)) {
				cut(live.First, live.Last)
			}
		}
	}
	if len(parts) == 0 {
		return nil
	}
	if n := within.Last - within.First; n < uint64(len(r.pending)) {
		for sequence := within.First; sequence <= within.Last; sequence++ {
			if r.Tombstoned(sequence) {
				cut(sequence, sequence)
			}
		}
		return parts
	}
	for _, t := range r.pending {
		cut(t.Sequence, t.Sequence)
	}
	for _, sequence := range r.again {
		cut(sequence, sequence)
	}
	return parts
}

// Lost returns what is lost, ascending and disjoint.
func (r *Recovery) Lost() []LostRange { return r.e.Lost() }
