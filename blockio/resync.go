package blockio

import (
	"encoding/binary"
)

const (
	// resyncBudget bounds, in bytes hashed, what the search for the next valid
	// record may spend on candidates that turn out to be none, over a whole
	// scan. Real blocks use next to nothing of it; a block made to look like
	// records at every byte is given up after a fraction of a second.
	resyncBudget = 1 << 30

	// candidateCost is the least that trying a candidate counts.
	candidateCost = 512

	// proofTries is how many records are looked at for one that shows where the
	// damaged record ended.
	proofTries = 64

	// trustedGap is how far ahead of the last sequence the sequence field of a
	// damaged record may be for its length field to be believed.
	trustedGap = 1 << 20
)

// A walker finds records in the bytes of one block, damaged or not. It is a
// value: a copy looks ahead without moving the original.
type walker struct {
	key  *RecordCodec
	data []byte
	// end is where the zeros begin that reach to the end of data. The last
	// record may lie a little across it: a checksum can end in zeros.
	end    int
	last   uint64 // highest sequence of a message or skip so far
	budget int
}

func newWalker(key *RecordCodec, data []byte) walker {
	return walker{key: key, data: data, end: trimZeros(data), budget: resyncBudget}
}

// trimZeros returns the length of data without the zeros at its end.
func trimZeros(data []byte) int {
	n := len(data)
	for n >= 8 && binary.LittleEndian.Uint64(data[n-8:]) == 0 {
		n -= 8
	}
	for n > 0 && data[n-1] == 0 {
		n--
	}
	return n
}

func allZero(data []byte) bool { return trimZeros(data) == 0 }

// note keeps the highest sequence. It is false for a record that every reader
// of the format ignores: a message or skip that does not go forward.
func (w *walker) note(r *Record) bool {
	switch r.Kind {
	case KindMessage, KindSkip, KindErased:
		if r.Sequence <= w.last {
			return false
		}
		w.last = r.Sequence
		return true
	default:
		return true
	}
}

// next returns the first record after the damage at from that can be believed to
// be one, ending at limit at the latest. from is where a record should start.
//
// A payload can hold bytes that are a valid record of the same block (the key
// is public), so what is left of the damaged record is asked first:
//   - a record right where its length field points settles it;
//   - so does a record before which the bytes are one whole record, or the end of
//     the data after such: it was the length field that broke;
//   - else a record counts if it is not inside of what a credible length claims.
func (w *walker) next(from, limit int, r *Record) (int, bool) {
	size, trusted := w.claim(from)
	inside := from
	if size > 0 {
		target := w.target(from, size, limit)
		if target < limit && w.key.decode(w.data[target:limit], r) == nil && w.plausible(r) {
			return target, true
		}
		if trusted || w.landsOnEnd(target) {
			inside = target
		}
	}
	if _, ok := w.wholeToEnd(from); ok {
		return 0, false
	}
	first := -1
	for at, tries := from+1, 0; tries < proofTries; at, tries = at+1, tries+1 {
		var ok bool
		if at, ok = w.search(at, limit, r); !ok {
			break
		}
		if w.whole(from, at) {
			return at, true
		}
		if first < 0 && at >= inside {
			first = at
		}
	}
	if first < 0 {
		return w.search(max(inside, from+1), limit, r)
	}
	return first, w.key.decode(w.data[first:limit], r) == nil
}

// target is where the record at from ends by its length field; or, when a bit of
// that was cleared and so points into the record, where it really does.
func (w *walker) target(from, size, limit int) int {
	for bit := 1; bit <= MaxRecordSize; bit <<= 1 {
		to := from + size + bit
		if size&bit != 0 || to > limit {
			continue
		}
		follows := limit-to >= EmptyRecordSize && w.lengthField(to) > 0 && w.candidate(w.data[to:], w.lengthField(to))
		if (follows || w.landsOnEnd(to)) && w.whole(from, to) {
			return to
		}
	}
	return from + size
}

// claim reads the length field at from: the size is 0 when it cannot be one,
// and trusted is true when the rest of the head looks like a record as well.
func (w *walker) claim(from int) (size int, trusted bool) {
	if len(w.data)-from < headSize {
		return 0, false
	}
	head := w.data[from:]
	size, _, _, err := frame(head[:headSize:headSize])
	if err != nil && size == 0 {
		return w.lengthField(from), false
	}
	if err == errSubjectLength {
		return size, false
	}
	sequence := binary.LittleEndian.Uint64(head[4:])
	if sequence&tombstoneBit != 0 {
		return size, sequence&erasedBit == 0 && size == EmptyRecordSize
	}
	sequence &^= erasedBit
	return size, sequence > w.last && (w.last == 0 || sequence-w.last <= trustedGap)
}

// lengthField is the length at from if a record can have it, else 0.
func (w *walker) lengthField(from int) int {
	size := int(binary.LittleEndian.Uint32(w.data[from:]) &^ headerFlag)
	if size < EmptyRecordSize || size > MaxRecordSize {
		return 0
	}
	return size
}

// landsOnEnd reports whether a record that ends at that offset would be the last. The
// last bytes of its checksum may be zeros.
func (w *walker) landsOnEnd(at int) bool {
	return at >= w.end && at < w.end+checksumSize && at <= len(w.data)
}

// whole reports whether the bytes from..to are one intact record, but for its length
// field, which the checksum does not cover.
func (w *walker) whole(from, to int) bool {
	size := to - from
	if size < EmptyRecordSize || size > MaxRecordSize || to > len(w.data) {
		return false
	}
	record := w.data[from:to]
	header := binary.LittleEndian.Uint32(record)&headerFlag != 0
	subjectLength := int(binary.LittleEndian.Uint16(record[20:]))
	overhead := EmptyRecordSize
	if header {
		overhead += 4
	}
	if subjectLength > size-overhead || !w.spend(size) {
		return false
	}
	return w.key.sum(record, subjectLength, header) == storedSum(record)
}

// wholeToEnd reports whether all that is left from there on is one record with a bad
// length, and where that ends.
func (w *walker) wholeToEnd(from int) (to int, ok bool) {
	for to := w.end; to < w.end+checksumSize; to++ {
		if w.whole(from, to) {
			return to, true
		}
	}
	return 0, false
}

func (w *walker) spend(size int) bool {
	w.budget -= max(size, candidateCost)
	return w.budget >= 0
}

// plausible reports whether the record can stand here: messages and skips go forward.
func (w *walker) plausible(r *Record) bool {
	switch r.Kind {
	case KindMessage, KindSkip, KindErased:
		return r.Sequence > w.last
	default:
		return true
	}
}

// search finds the first valid, plausible record at from or after that ends at
// limit or before.
func (w *walker) search(from, limit int, r *Record) (int, bool) {
	data := w.data[:limit]
	for at := from; limit-at >= EmptyRecordSize; at++ {
		// The length first, as it turns away nearly everything.
		size := int(binary.LittleEndian.Uint32(data[at:]) &^ headerFlag)
		if size < EmptyRecordSize || size > limit-at || size > MaxRecordSize {
			continue
		}
		if !w.candidate(data[at:], size) {
			continue
		}
		if !w.spend(size) {
			return 0, false
		}
		if w.key.decode(data[at:], r) == nil && w.plausible(r) {
			return at, true
		}
	}
	return 0, false
}

// candidate is the rest of what can be asked of a record without hashing it.
func (w *walker) candidate(head []byte, size int) bool {
	if int(binary.LittleEndian.Uint16(head[20:])) > size-EmptyRecordSize {
		return false
	}
	sequence := binary.LittleEndian.Uint64(head[4:])
	if sequence&tombstoneBit != 0 {
		return sequence&erasedBit == 0 && size == EmptyRecordSize
	}
	return sequence&^erasedBit > w.last
}
