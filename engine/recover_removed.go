package engine

import (
	"iter"
	"slices"
)

// HadRemoved tells of removals that the block named before it was damaged, and names no more: messages with tombstones,
// and all below floor.
func (s *Scan) HadRemoved(tombstones []Tombstone, floor uint64) {
	named := make(map[uint64]struct{}, len(s.tombstones))
	for _, t := range s.tombstones {
		named[t.Sequence] = struct{}{}
	}
	for _, t := range tombstones {
		if _, ok := named[t.Sequence]; !ok {
			s.hadRemoved = append(s.hadRemoved, t)
		}
	}
	if floor > s.floor {
		s.hadFloor = floor
	}
}

// NamesLess reports whether the block named removals that it names no more.
func (s *Scan) NamesLess() bool { return len(s.hadRemoved) > 0 || s.hadFloor > 0 }

// RemoveAgain has the removals carried out that the blocks named before they were damaged. All blocks were added. What
// tells of them may be about to go: as for Keep, tombstones are durable before the files of Config.Derived are removed.
func (r *Recovery) RemoveAgain() {
	if r.hadFloor > r.e.floor.first {
		r.StartedAt(r.hadFloor)
	}
	var again removedAgain
	for _, t := range r.hadRemoved {
		if !r.Tombstoned(t.Sequence) {
			r.tombstoned[t.Sequence] = struct{}{}
			again = append(again, t.Sequence)
		}
	}
	r.hadRemoved, r.hadFloor = nil, 0
	slices.Sort(again)
	r.again = again
	for _, b := range r.e.blocks {
		if first, _ := slices.BinarySearch(again, b.firstMsg); b.msgs > 0 && first < len(again) && again[first] <= b.last {
			r.Keep(Kept{Block: b.id, First: 1, Last: maxSequence, Deleted: again})
		}
	}
}

// removedAgain is the sequences of messages that are removed again, ascending.
type removedAgain []uint64

// Contains implements Sequences.
func (l removedAgain) Contains(sequence uint64) bool {
	_, found := slices.BinarySearch(l, sequence)
	return found
}

// Ranges implements Sequences.
func (l removedAgain) Ranges() iter.Seq2[uint64, uint64] {
	return func(yield func(first, last uint64) bool) {
		for _, sequence := range l {
			if !yield(sequence, sequence) {
				return
			}
		}
	}
}
