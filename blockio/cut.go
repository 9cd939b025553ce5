package blockio

import (
	"bytes"
	"fmt"
)

// A CutBlock is what is left of a block that was cut.
type CutBlock struct {
	// Data is the bytes of the block. Up to the mark of a frame that was cut they are those
	// from before, and as long as there were.
	Data []byte
	// Tombstones are those behind the cut that name sequences up to the last one that is
	// left, in their order. They are still needed, and are to be written again.
	Tombstones []Tombstone
	// Floor is the highest sequence that a floor behind the cut names, at most the one
	// behind the last, 0 when there is none. It is still needed as well.
	Floor uint64
}

// Cut cuts a block behind the record that ends at end, or to nothing with an end of 0.
// data is all bytes of the block, and is only read; last is the highest sequence that is
// to be left in the stream, and path is used in errors alone. When that is inside of a
// frame, the frame's mark is made anew, so that it announces what is left.
//
// Damage before the cut stays damage. Where it is in the frame that is cut, the mark
// announces nothing, and the records behind it are read one by one.
//
// The error wraps ErrOffset when no record ends there that a scan of the block keeps,
// ErrCorrupt when there is so much damage that not all of it is listed.
func Cut(path string, id uint32, key *RecordCodec, data []byte, end int64, last uint64) (CutBlock, error) {
	c := cutter{end: int(end), found: end == 0}
	var out CutBlock
	s := blockScan{walker: newWalker(key, data), path: path, block: id, chained: true, framed: c.frame}
	s.visit = func(offset int64, r Record) {
		c.found = c.found || offset+int64(r.Size) == end
		if offset >= end && r.Kind == KindTombstone && r.Sequence > 0 && r.Sequence <= last {
			out.Tombstones = append(out.Tombstones, Tombstone{r.Sequence, r.Time})
		}
		if first, ok := r.Floor(); ok && offset >= end {
			out.Floor = max(out.Floor, min(first, last+1))
		}
	}
	s.run()
	switch {
	case !c.found:
		return CutBlock{}, fmt.Errorf("%w: cut %s at %d, where no record ends", ErrOffset, path, end)
	case s.out.DamageCount > len(s.out.Damage):
		return CutBlock{}, s.out.Damage[0]
	}
	out.Data = bytes.Clone(data[:end])
	c.mend(key, out.Data, s.out.Damage)
	return out, nil
}

// A cutter keeps the frame that a cut is inside of.
type cutter struct {
	end   int
	found bool // a record ends there

	cut   bool   // a frame is cut
	at    int    // where its mark is
	group bool   // that is one of the first kind
	seed  uint32 // the CRC of the mark before it
}

// frame is called for each frame with any records, before they are looked at.
func (c *cutter) frame(s *blockScan, start, size int, measured bool) {
	if start < c.end && c.end < start+size {
		c.cut, c.at, c.group, c.seed = true, start, !measured, s.out.MarkCRC
	}
}

// mend makes the mark of the frame that is cut one of what is left of it.
func (c *cutter) mend(key *RecordCodec, data []byte, damage []*CorruptionError) {
	if !c.cut {
		return
	}
	inside := c.at + EmptyRecordSize
	mark := data[c.at:inside]
	whole := true
	for _, d := range damage {
		if at := int(d.Offset); at >= c.at && at < len(data) {
			whole = false
			if size, ok := FrameSize(data[at:]); ok && d.Err == errLengths && at+size <= len(data) {
				// The mark was what told of it: the record must not become a valid one.
				data[at+size-1] ^= 0xff
			}
		}
	}
	crc, records := c.seed, uint32(0)
	for at := inside; whole && at < len(data); records++ {
		size, ok := FrameSize(data[at:])
		if whole = ok && at+size <= len(data); whole {
			crc = LengthsCRC(crc, data[at:at+size])
			at += size
		}
	}
	bytes := uint32(len(data) - inside)
	switch {
	case !whole:
		key.PutFrameMark(mark, 0, c.seed)
	case c.group:
		key.PutGroupMark(mark, records, bytes)
	default:
		key.PutFrameMark(mark, bytes, crc)
	}
}
