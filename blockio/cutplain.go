package blockio

import (
	"bytes"
	"encoding/binary"
)

// CutPlain is CutEnd and Cut of a block in which everything is as Millrace writes it: frames with marks of the second kind,
// whose records have the lengths that these say, and behind the cut nothing but messages and skips of sequences above
// last, so that nothing of it has to be written again. It returns what is left, and false for any other block, and where
// nothing is to be cut, or nothing would be left.
//
// It takes a small part of the time of the others, as it hashes no record but the marks. So what it returns is to be
// scanned: if that shows damage, the block is to be cut by the others.
func CutPlain(key *RecordCodec, data []byte, last uint64) (left []byte, ok bool) {
	c := plainCut{last: last}
	var mark Record
	crc := uint32(0) // of the mark before
	for at, used := 0, trimZeros(data); at < used; {
		if key.decode(data[at:], &mark) != nil {
			return nil, false
		}
		size, want, measured := mark.FrameMark()
		next := at + EmptyRecordSize + int(size)
		if !measured || next > len(data) || !c.frame(data[:next], at, crc, want) {
			return nil, false
		}
		at, crc = next, want
	}
	if !c.behind || c.end == 0 {
		return nil, false
	}
	left = bytes.Clone(data[:c.end])
	if c.inside {
		key.PutFrameMark(left[c.mark:c.mark+EmptyRecordSize], uint32(c.end-c.mark-EmptyRecordSize), c.crc)
	}
	return left, true
}

// A plainCut goes through the records of a block that is cut, and looks at their heads alone.
type plainCut struct {
	last    uint64
	highest uint64 // sequence so far
	behind  bool   // what comes is cut off
	end     int    // of the last record that is left
	mark    int    // of the frame of that
	inside  bool   // the frame ends behind it
	crc     uint32 // of the lengths in it, up to there
}

// frame takes the frame that ends where the data does. Its mark says that the lengths of its records are want, when those go
// on from crc. It is false when they are not, or a record is none that CutPlain is for.
func (c *plainCut) frame(data []byte, mark int, crc, want uint32) bool {
	for at := mark + EmptyRecordSize; at < len(data); {
		size, ok := FrameSize(data[at:])
		if !ok || size > len(data)-at {
			return false
		}
		record := data[at : at+size]
		if !c.record(binary.LittleEndian.Uint64(record[4:])) {
			return false
		}
		at += size
		crc = LengthsCRC(crc, record)
		if !c.behind {
			c.end, c.mark, c.crc = at, mark, crc
		}
	}
	c.inside = c.inside || c.mark == mark && mark < c.end && c.end < len(data)
	return crc == want
}

// record takes a record by its sequence, as it is stored.
func (c *plainCut) record(stored uint64) bool {
	sequence := stored & sequenceMask
	if stored&tombstoneBit != 0 { // a mark and a floor have none
		return !c.behind && 0 < sequence && sequence <= c.last
	}
	if sequence <= c.highest {
		return false
	}
	c.highest, c.behind = sequence, sequence > c.last
	return true
}
