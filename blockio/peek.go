package blockio

import "encoding/binary"

// What can be told of a record from a few of its bytes, for callers that do not decode
// all of it.

// SubjectOf returns the subject of an intact record without looking at anything else
// of it. The result aliases the record.
func SubjectOf(record []byte) []byte {
	end := headSize + int(binary.LittleEndian.Uint16(record[20:]))
	return record[headSize:end:end]
}

// FrameSize returns what the length field of the record that begins at head[0] claims
// to be the size of the record on disk, in bytes. It is false when head ends before
// the field does, and when no record can have that size.
func FrameSize(head []byte) (size int, ok bool) {
	if len(head) < 4 {
		return 0, false
	}
	size = int(binary.LittleEndian.Uint32(head) &^ headerFlag)
	if size < EmptyRecordSize || size > MaxRecordSize {
		return 0, false
	}
	return size, true
}
