package blockio

import "encoding/binary"

const (
	// searchBudget bounds, in bytes hashed, what the search for the next valid
	// record may spend on candidates that turn out to be none, over a whole
	// scan. Real blocks use next to nothing of it; a block made to look like
	// records at every byte is given up after a fraction of a second.
	searchBudget = 1 << 30

	// proofBudget bounds, in bytes hashed over a whole scan, the tries to show
	// that a damaged record is intact but for its length.
	proofBudget = 1 << 30

	// candidateCost is the least that trying a candidate counts.
	candidateCost = 512

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
	firm   bool   // the limit of the search is the end of a frame, also where the data ends
	spent  *spending
	chains *chains
	// unreadable are the parts of data that are not what the file has.
	unreadable []SectorRange
}

// lookAhead returns a copy of the walker that finds chains beside it: what the original makes of the block is the same whether
// somebody looked ahead or not.
func (w *walker) lookAhead() walker {
	look := *w
	look.chains = &chains{list: w.chains.list}
	return look
}

// spending is what is left of the budgets of a scan. The copies of a walker share it.
type spending struct{ search, proof int }

func newWalker(key *RecordCodec, data []byte) walker {
	return walker{
		key: key, data: data, end: trimZeros(data),
		spent: &spending{search: searchBudget, proof: proofBudget}, chains: &chains{},
	}
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

// sequenced reports whether a record of that kind uses the sequence that it has.
func sequenced(k Kind) bool { return k == KindMessage || k == KindSkip || k == KindErased }

// plausible reports whether the record can stand here: messages and skips go forward.
func (w *walker) plausible(r *Record) bool { return !sequenced(r.Kind) || r.Sequence > w.last }

// note keeps the highest sequence. It is false for a record that every reader
// of the format ignores: a message or skip that does not go forward.
func (w *walker) note(r *Record) bool {
	if !w.plausible(r) {
		return false
	}
	if sequenced(r.Kind) {
		w.last = r.Sequence
	}
	return true
}

// recordAt reports whether a valid record that can stand here starts at at and
// ends at limit or before.
func (w *walker) recordAt(at, limit int, r *Record) bool {
	return at < limit && at < w.end && w.key.decode(w.data[at:limit], r) == nil && w.plausible(r)
}

// open reports whether a record may go on behind limit, which has been lost then.
func (w *walker) open(limit int) bool { return limit == len(w.data) && !w.firm }

// landsOnEnd reports whether a record that ends at that offset would be the last. The
// last bytes of its checksum may be zeros.
func (w *walker) landsOnEnd(at int) bool {
	return at >= w.end && at < w.end+checksumSize && at <= len(w.data)
}

// search finds the first valid, plausible record that starts at from or behind it but
// before stop, and ends at limit or before.
func (w *walker) search(from, stop, limit int, r *Record) (int, bool) {
	data := w.data[:limit]
	stop = min(stop, limit-EmptyRecordSize+1)
	for at := from; at < stop; at++ {
		// The length first, as it turns away nearly everything.
		size := int(binary.LittleEndian.Uint32(data[at:]) &^ headerFlag)
		if size < EmptyRecordSize || size > limit-at || size > MaxRecordSize {
			continue
		}
		if !w.candidate(data[at:], size) {
			continue
		}
		w.spent.search -= max(size, candidateCost)
		if w.spent.search < 0 {
			return 0, false
		}
		if w.key.decode(data[at:], r) == nil && w.plausible(r) {
			w.spent.search += max(size, candidateCost) // what is found is not wasted
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

// claim reads the length field at from: the size is 0 when it cannot be one,
// and trusted is true when the rest of the head looks like a record as well.
func (w *walker) claim(from int) (size int, trusted bool) {
	if len(w.data)-from < headSize || w.unread(from, from+headSize) {
		return 0, false
	}
	head := w.data[from:]
	size, _, _, err := frame(head[:headSize:headSize])
	if err != nil && size == 0 {
		return 0, false
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
