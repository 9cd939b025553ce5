package blockindex

import "github.com/seed-d8b58eba/millrace/blockio"

// A RecordState says how the bytes in the place of a message compare with the index.
type RecordState uint8

// The states of a record.
const (
	// Intact: the bytes are those that were indexed.
	Intact RecordState = iota
	// Damaged: they are not. The checksum in the record may be right all the same: it
	// does not cover the lengths.
	Damaged
	// Erased: the content was overwritten on purpose since. The index is of an earlier
	// state of the block.
	Erased
	// Another: an intact record of another sequence or time, or of another kind. The
	// index is of another block.
	Another
)

// String names the state.
func (s RecordState) String() string {
	return [...]string{"intact", "damaged", "erased", "another record"}[s]
}

// CheckRecord holds the bytes in the place of a message, as Record says it, against the
// index. Where they are Intact, codec is not used. The error wraps ErrRange or
// ErrDamaged, which is about the index and not about the bytes.
func (x *Index) CheckRecord(codec *blockio.RecordCodec, ordinal int, data []byte) (RecordState, error) {
	indexed, err := x.Record(ordinal)
	if err != nil {
		return Damaged, err
	}
	if len(data) != indexed.Size {
		return Damaged, nil
	}
	state, _, err := x.checkRecord(codec, ordinal, &indexed, data)
	return state, err
}

// checkRecord is CheckRecord of as many bytes as the index says. It returns the sequence
// of the message too.
func (x *Index) checkRecord(codec *blockio.RecordCodec, ordinal int, indexed *Record, data []byte) (RecordState, uint64, error) {
	sequence, err := x.Sequence(ordinal)
	if err != nil {
		return Damaged, 0, err
	}
	if crcOf(data) == indexed.CRC {
		return Intact, sequence, nil
	}
	var r blockio.Record
	switch err := codec.DecodeInto(data, &r); {
	case err != nil || r.Size != indexed.Size:
		return Damaged, sequence, nil
	case (r.Kind == blockio.KindErased || r.Kind == blockio.KindSkip) && (r.Sequence == sequence || r.Sequence == 0):
		return Erased, sequence, nil // one of the least size looks like a skip
	case r.Kind != blockio.KindMessage || r.Sequence != sequence || r.Time != indexed.Time:
		return Another, sequence, nil
	}
	return Damaged, sequence, nil // what its own checksum does not cover has changed
}
