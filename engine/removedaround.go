package engine

import "sort"

// Tombstones of a block that goes, or is written anew, stay while they are of use to others: those that name a
// message which another file may hold. Beside damage they are, too, where no file holds the message: what is missing
// around damage is lost unless something says that it was removed.

// spans returns which sequences tombstones may name that are of use for a block: first to last, none with a first of 0.
func (e *Engine) spans(i int) (first, last uint64) {
	b := e.blocks[i]
	if !b.damaged {
		return b.firstMsg, b.last
	}
	first, last = 1, maxSequence
	if i > 0 {
		first = e.blocks[i-1].last + 1
	}
	for _, next := range e.blocks[i+1:] {
		if next.firstMsg > 0 {
			last = next.firstMsg - 1
			break
		}
	}
	return first, last
}

// namesAnother returns a function that reports whether a tombstone of a sequence is of use to another block than b.
func (e *Engine) namesAnother(b *block) func(sequence uint64) bool {
	type span struct{ first, last uint64 }
	var others []span
	end := uint64(0) // of what the spans so far have: those beside damage overlap
	for i, other := range e.blocks {
		if other == b {
			continue
		}
		if first, last := e.spans(i); first > 0 && last > end {
			others = append(others, span{max(first, end+1), last})
			end = last
		}
	}
	return func(sequence uint64) bool {
		i := sort.Search(len(others), func(i int) bool { return others[i].last >= sequence })
		return i < len(others) && others[i].first <= sequence
	}
}
