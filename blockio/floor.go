package blockio

// floorBits are the highest two bits of the time field of a floor. A frame mark has the
// higher one alone, and a mark of the first kind neither.
const floorBits = 3 << 62

// AppendFloor appends a record that says: all messages below the sequence first, in
// whatever block, are removed. To any other reader of the format it is a tombstone of
// sequence 0, which no message has. For a sequence outside 1..MaxSequence it encodes
// nothing.
//
// Its 64-bit time field has the sequence in bits 0 to 61, and both bits above set.
func (c *RecordCodec) AppendFloor(dst []byte, first uint64) []byte {
	if first == 0 || first > MaxSequence {
		return dst
	}
	word := floorBits | first
	return c.appendEmpty(dst, tombstoneBit, int64(word))
}

// FloorOf returns the sequence that a floor with this time field names; it is false for
// the time field of a mark.
func FloorOf(time int64) (first uint64, ok bool) {
	word := uint64(time)
	first = word &^ floorBits
	return first, word&floorBits == floorBits && first > 0
}

// Floor returns the sequence below which a record of KindFloor removes all messages. It
// is false for any other record.
func (r *Record) Floor() (first uint64, ok bool) {
	if r.Kind != KindFloor {
		return 0, false
	}
	return FloorOf(r.Time)
}
