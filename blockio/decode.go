package blockio

import "encoding/binary"

// Decode reads the record that starts at buf[0]; buf may hold more after it.
// The checksum is verified, nothing is copied, and nothing is allocated on
// success: the slices of the record alias buf.
//
// The error wraps ErrCorrupt, and ErrShort when buf ends before the record
// does. It carries no place, which only the caller knows.
func (c *RecordCodec) Decode(buf []byte) (Record, error) {
	var r Record
	err := c.decode(buf, &r)
	return r, err
}

// DecodeInto is Decode into a record of the caller's, which saves copying it. On
// an error *r is of no meaning.
func (c *RecordCodec) DecodeInto(buf []byte, r *Record) error { return c.decode(buf, r) }

// Parse is DecodeInto without looking at the checksum, for bytes that were verified
// in another way. The length fields are checked all the same.
func Parse(buf []byte, r *Record) error {
	size, subjectLength, header, err := frame(buf)
	if err != nil {
		return err
	}
	return split(buf[:size], subjectLength, header, r)
}

// decode is Decode without copying the result once more.
func (c *RecordCodec) decode(buf []byte, r *Record) error {
	size, subjectLength, header, err := frame(buf)
	if err != nil {
		return err
	}
	record := buf[:size]
	if c.sum(record, subjectLength, header) != storedSum(record) {
		return errChecksum
	}
	return split(record, subjectLength, header, r)
}

// frame reads the length fields of the record at buf[0] and applies the rules
// that every reader of the format applies.
func frame(buf []byte) (size, subjectLength int, header bool, err error) {
	if len(buf) < headSize {
		return 0, 0, false, ErrShort
	}
	length := binary.LittleEndian.Uint32(buf)
	header = length&headerFlag != 0
	size = int(length &^ headerFlag)
	if size < EmptyRecordSize || size > MaxRecordSize {
		return 0, 0, false, errLength
	}
	subjectLength = int(binary.LittleEndian.Uint16(buf[20:]))
	overhead := EmptyRecordSize
	if header {
		overhead += 4
	}
	if subjectLength > size-overhead {
		return size, 0, false, errSubjectLength
	}
	if size > len(buf) {
		return size, subjectLength, header, ErrShort
	}
	return size, subjectLength, header, nil
}

// split fills r from a whole record whose length fields frame has accepted.
func split(record []byte, subjectLength int, header bool, r *Record) error {
	sequence := binary.LittleEndian.Uint64(record[4:])
	r.Size = len(record)
	r.Sequence = sequence & sequenceMask
	r.Time = int64(binary.LittleEndian.Uint64(record[12:]))
	at := headSize + subjectLength
	r.Subject = record[headSize:at:at]
	r.Header = nil
	end := len(record) - checksumSize
	if header {
		length := int64(binary.LittleEndian.Uint32(record[at:]))
		at += 4
		if length > int64(end-at) {
			return errHeaderLength
		}
		headerEnd := at + int(length)
		r.Header = record[at:headerEnd:headerEnd]
		at = headerEnd
	}
	r.Payload = record[at:end:end]
	switch {
	case sequence&erasedBit != 0 && sequence&tombstoneBit != 0:
		return errFlags
	case sequence&tombstoneBit != 0:
		r.Kind = KindTombstone
		if r.Sequence == 0 && r.Size == EmptyRecordSize {
			r.Kind = KindGroupMark
			if _, ok := FloorOf(r.Time); ok {
				r.Kind = KindFloor
			}
		}
	case sequence&erasedBit != 0 || r.Sequence == 0:
		r.Kind = KindErased
		if r.Size == EmptyRecordSize {
			r.Kind = KindSkip
		}
	default:
		r.Kind = KindMessage
	}
	return nil
}
