package blockio

import "encoding/binary"

// brokenLengths finds the record of the frame whose records are from..to, all of them with
// the right checksum, that has a wrong length inside of it: diff is how the CRC of the
// lengths as they are differs from the mark's. It is false when no record explains that,
// or more than one does.
func (s *blockScan) brokenLengths(from, to int, diff uint32) (offset int, ok bool) {
	if diff == 0 {
		return 0, false
	}
	var starts []int
	for at := from; at < to; at += s.sizeAt(at) {
		starts = append(starts, at)
	}
	for _, changed := range []int{1, 2} {
		rewind, hits := crcRewind{diff}, 0
		for i := len(starts) - 1; i >= 0; i-- {
			if s.lengthsExplain(&rewind, starts[i], changed) {
				offset = starts[i]
				hits++
			}
		}
		if hits > 0 {
			return offset, hits == 1
		}
	}
	return 0, false
}

// sizeAt is the size of the valid record there.
func (s *blockScan) sizeAt(at int) int {
	return int(binary.LittleEndian.Uint32(s.data[at:]) &^ headerFlag)
}

// lengthsExplain goes back over the length fields of the record at at, and reports whether
// the difference comes from so many bytes of the inner ones, which the record then had room
// for. The outer length cannot be wrong: the checksum was found by it.
func (s *blockScan) lengthsExplain(rewind *crcRewind, at, changed int) (found bool) {
	record := s.data[at : at+s.sizeAt(at)]
	var fields [maxLengthFields]byte
	n := lengthFields(&fields, record)
	for i := n; i > 0; i-- {
		right := fields
		switch change, ok := rewind.one(); {
		case i <= 4:
		case changed == 1 && ok:
			right[i-1] ^= change
			found = found || lengthsFit(&right, n, len(record))
		case changed == 2 && i%4 != 1:
			if changes, ok := rewind.two(); ok {
				right[i-2] ^= changes[0]
				right[i-1] ^= changes[1]
				found = found || lengthsFit(&right, n, len(record))
			}
		}
		rewind.back()
	}
	return found
}

// lengthsFit reports whether a record of that size can have these lengths.
func lengthsFit(fields *[maxLengthFields]byte, n, size int) bool {
	inner := EmptyRecordSize + int64(binary.LittleEndian.Uint16(fields[4:]))
	if n == maxLengthFields {
		inner += 4 + int64(binary.LittleEndian.Uint32(fields[6:]))
	}
	return inner <= int64(size)
}
