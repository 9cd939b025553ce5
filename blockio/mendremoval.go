package blockio

import (
	"encoding/binary"
	"math/bits"
)

// A tombstone or floor of which one bit has flipped is damage, and says all the same what it says: no other one
// has its checksum, or one that differs in a bit. If it were given up, what it removed would be back.

// mendingCost is what it takes to try all bits of one.
const mendingCost = (8*16 + 2) * (EmptyRecordSize + candidateCost)

// removal visits the tombstone or floor that the damaged bytes from..to were, if one flipped bit is all that is wrong
// with it.
func (s *blockScan) removal(from, to int) {
	if s.visit == nil || to-from != EmptyRecordSize || s.unread(from, to) {
		return
	}
	if s.spent.proof -= mendingCost; s.spent.proof < 0 {
		return
	}
	if r, ok := s.key.mendRemoval(s.data[from:to]); ok {
		s.visit(int64(from), r)
	}
}

// mendRemoval returns the tombstone or floor that record, of EmptyRecordSize bytes, was before one bit of it flipped.
func (c *RecordCodec) mendRemoval(record []byte) (r Record, ok bool) {
	var whole [EmptyRecordSize]byte
	copy(whole[:], record)
	// The lengths are those of every such record; the checksum does not cover them.
	binary.LittleEndian.PutUint32(whole[:], EmptyRecordSize)
	binary.LittleEndian.PutUint16(whole[20:], 0)
	stored := storedSum(record)
	try := func() bool {
		right := c.sum(whole[:], 0, false) == stored
		return right && split(whole[:], 0, false, &r) == nil && (r.Kind == KindTombstone && r.Sequence > 0 || r.Kind == KindFloor)
	}
	if sum := c.sum(whole[:], 0, false); bits.OnesCount64(sum^stored) == 1 {
		stored = sum
	}
	if try() {
		return r, true
	}
	for bit := range 8 * 16 {
		at, mask := 4+bit/8, byte(1)<<(bit%8)
		if whole[at] ^= mask; try() {
			return r, true
		}
		whole[at] ^= mask
	}
	return Record{}, false
}
