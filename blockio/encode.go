package blockio

import (
	"encoding/binary"
	"slices"
)

// AppendMessage appends the record of a message to dst and returns the extended
// slice; it allocates only when dst has too little room (RecordSize says how
// much is needed). An empty header is written as none.
//
// The caller has asked CheckSize, and sequence is in 1..MaxSequence; a message
// outside of that has no encoding, and dst comes back as it was.
func (c *RecordCodec) AppendMessage(dst []byte, sequence uint64, time int64, subject string, header, payload []byte) []byte {
	if sequence == 0 || sequence > MaxSequence || CheckSize(len(subject), len(header), len(payload)) != nil {
		return dst
	}
	size := RecordSize(len(subject), len(header), len(payload))
	start := len(dst)
	dst = slices.Grow(dst, size)[:start+size]
	record := dst[start:]
	length := uint32(size)

	// The checksum is over sequence, time, subject, header and payload, which
	// are not contiguous in a record. They are laid out so first, a little
	// behind their places, hashed in one piece, and then the head is written
	// over them: a second copy of a few bytes is cheaper than a second call
	// into the hash.
	var sum uint64
	if len(header) == 0 {
		putSequenceTime(record[2:], sequence, time)
		copy(record[headSize:], subject)
		copy(record[headSize+len(subject):], payload)
		sum = c.sealInPlace(record[6 : size-checksumSize])
	} else {
		length |= headerFlag
		putSequenceTime(record[6:], sequence, time)
		copy(record[headSize+4:], subject)
		n := headSize + 4 + len(subject)
		n += copy(record[n:], header)
		copy(record[n:], payload)
		sum = c.sealInPlace(record[10 : size-checksumSize])
		copy(record[headSize:], subject)
		binary.LittleEndian.PutUint32(record[headSize+len(subject):], uint32(len(header)))
	}
	binary.LittleEndian.PutUint32(record, length)
	putSequenceTime(record, sequence, time)
	binary.LittleEndian.PutUint16(record[20:], uint16(len(subject)))
	binary.LittleEndian.PutUint64(record[size-checksumSize:], sum)
	return dst
}

// AppendSkip appends a record that says: sequence is used, and so is every one
// between it and the record before it, but there is no message.
// Like AppendMessage it encodes nothing for a sequence outside 1..MaxSequence.
func (c *RecordCodec) AppendSkip(dst []byte, sequence uint64, time int64) []byte {
	if sequence == 0 || sequence > MaxSequence {
		return dst
	}
	return c.appendEmpty(dst, sequence|erasedBit, time)
}

// AppendTombstone appends a record that says: the message with this sequence,
// in whatever block, is deleted. time is the time of that message.
// Like AppendMessage it encodes nothing for a sequence outside 1..MaxSequence.
func (c *RecordCodec) AppendTombstone(dst []byte, sequence uint64, time int64) []byte {
	if sequence == 0 || sequence > MaxSequence {
		return dst
	}
	return c.appendEmpty(dst, sequence|tombstoneBit, time)
}

func (c *RecordCodec) appendEmpty(dst []byte, sequence uint64, time int64) []byte {
	start := len(dst)
	dst = slices.Grow(dst, EmptyRecordSize)[:start+EmptyRecordSize]
	c.putEmpty(dst[start:], sequence, time)
	return dst
}

// PutGroupMark writes into dst, which is EmptyRecordSize bytes long, the mark of
// a group: the next records records, bytes bytes in all, are one commit. A mark
// of no records is a frame of its own: it shows that all before it was durable.
// records above MaxGroupRecords, or a dst of another length, leave dst alone.
func (c *RecordCodec) PutGroupMark(dst []byte, records, bytes uint32) {
	if len(dst) != EmptyRecordSize || records > MaxGroupRecords {
		return
	}
	c.putEmpty(dst, tombstoneBit, int64(uint64(records)<<32|uint64(bytes)))
}

func (c *RecordCodec) putEmpty(record []byte, sequence uint64, time int64) {
	putSequenceTime(record[2:], sequence, time)
	sum := c.sealInPlace(record[6:headSize])
	binary.LittleEndian.PutUint32(record, EmptyRecordSize)
	putSequenceTime(record, sequence, time)
	binary.LittleEndian.PutUint16(record[20:], 0)
	binary.LittleEndian.PutUint64(record[headSize:], sum)
}

// putSequenceTime writes both where a record that starts at record[0] has them.
func putSequenceTime(record []byte, sequence uint64, time int64) {
	binary.LittleEndian.PutUint64(record[4:], sequence)
	binary.LittleEndian.PutUint64(record[12:], uint64(time))
}
