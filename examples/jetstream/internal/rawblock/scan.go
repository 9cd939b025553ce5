package rawblock

import (
	"encoding/binary"
	"fmt"
)

// Kind says what a scanned record is.
type Kind string

// The kinds of record.
const (
	KindMessage   Kind = "message"
	KindErased    Kind = "erased"
	KindTombstone Kind = "tombstone"
	KindMark      Kind = "mark"
)

// Record is what Scan finds of one record.
type Record struct {
	Kind     Kind
	Sequence uint64 // without flags; the target of a tombstone
	Nanos    int64
	Length   int
}

// MarkedBytes is the size of the records that a frame mark announces.
func (r Record) MarkedBytes() int { return int(uint64(r.Nanos) >> 32 & (1<<26 - 1)) }

// Scan lists the records of a plain block file, without looking at checksums.
func Scan(data []byte) ([]Record, error) {
	var records []Record
	for offset := 0; offset < len(data); {
		if len(data)-offset < RecordOverhead {
			return records, fmt.Errorf("rawblock: %d bytes left at %d", len(data)-offset, offset)
		}
		length := int(binary.LittleEndian.Uint32(data[offset:]) &^ headerBit)
		if length < RecordOverhead || length > len(data)-offset {
			return records, fmt.Errorf("rawblock: record of %d bytes at %d", length, offset)
		}
		sequence := binary.LittleEndian.Uint64(data[offset+4:])
		record := Record{
			Kind:     KindMessage,
			Sequence: sequence &^ (erasedBit | tombstoneBit),
			Nanos:    int64(binary.LittleEndian.Uint64(data[offset+12:])),
			Length:   length,
		}
		switch {
		case sequence == tombstoneBit:
			record.Kind = KindMark
		case sequence&tombstoneBit != 0:
			record.Kind = KindTombstone
		case sequence&erasedBit != 0:
			record.Kind = KindErased
		}
		records = append(records, record)
		offset += length
	}
	return records, nil
}
