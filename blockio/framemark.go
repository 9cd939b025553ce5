package blockio

import (
	"encoding/binary"
	"hash/crc32"
)

// MaxFrameBytes is the most bytes of records that one frame mark can announce.
const MaxFrameBytes = 1<<26 - 1

// Layout of the time field of a frame mark, from its lowest bit:
//
//	 0  32 bits  CRC-32C of the lengths of the records, see LengthsCRC
//	32  26 bits  bytes of records that follow and belong to the frame
//	58   5 bits  zero
//	63   1 bit   one, which a mark of the first kind has not
const (
	frameMarkBit   = 1 << 63
	frameMarkZeros = 0x1f << 58
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// PutFrameMark writes into dst, which is EmptyRecordSize bytes long, the mark of a frame:
// the next bytes bytes are records that are committed together, and crc is LengthsCRC over
// them, seeded with the crc of the frame mark before it in the block, 0 for the first one.
// A mark of no bytes is a frame of its own. bytes above MaxFrameBytes, or a dst of another
// length, leave dst alone.
func (c *RecordCodec) PutFrameMark(dst []byte, bytes, crc uint32) {
	if len(dst) != EmptyRecordSize || bytes > MaxFrameBytes {
		return
	}
	word := frameMarkBit | uint64(bytes)<<32 | uint64(crc)
	c.putEmpty(dst, tombstoneBit, int64(word))
}

// FrameMark returns what a frame mark announces. It is false for any other record, marks
// of the first kind too.
func (r *Record) FrameMark() (bytes, crc uint32, ok bool) {
	word := uint64(r.Time)
	if r.Kind != KindGroupMark || word&frameMarkBit == 0 || word&frameMarkZeros != 0 {
		return 0, 0, false
	}
	return uint32(word>>32) & MaxFrameBytes, uint32(word), true
}

// Complete reports whether data, all bytes of a block, ends with a frame mark of no bytes. That is where a block with
// messages ends that was written anew, or that takes no more records since a torn tail of it was cut off.
func (c *RecordCodec) Complete(data []byte) bool {
	at := len(data) - EmptyRecordSize
	if at < 0 {
		return false
	}
	r, err := c.Decode(data[at:])
	if err != nil {
		return false
	}
	bytes, _, ok := r.FrameMark()
	return ok && bytes == 0
}

// LengthsCRC continues crc, a CRC-32C, over the length fields of a record as they are
// stored: the first 4 bytes, with the flag for headers; the 2 bytes of the subject's
// length; and with that flag the 4 bytes of the headers' length, if the record has room
// for them. These are what the record's own checksum does not cover. record is one whole
// record of at least EmptyRecordSize bytes.
func LengthsCRC(crc uint32, record []byte) uint32 {
	length := binary.LittleEndian.Uint32(record)
	subject := binary.LittleEndian.Uint16(record[20:])
	crc = crcOf2(crcOf4(^crc, length), subject)
	if at := headSize + int(subject); length&headerFlag != 0 && at+4 <= len(record) {
		crc = crcOf4(crc, binary.LittleEndian.Uint32(record[at:]))
	}
	return ^crc
}

// strides has in table k what a byte does to a CRC-32C when k bytes of zeros follow it. With them a few bytes are
// taken in one step; crc32.Update is made for many, and would move so few to the heap.
var strides = func() (t [4]crc32.Table) {
	t[0] = *castagnoli
	for k := 1; k < len(t); k++ {
		for i, crc := range t[k-1] {
			t[k][i] = t[0][byte(crc)] ^ crc>>8
		}
	}
	return t
}()

// crcOf4 continues an inverted CRC-32C over the bytes of v, the lowest first.
func crcOf4(crc, v uint32) uint32 {
	crc ^= v
	return strides[3][byte(crc)] ^ strides[2][byte(crc>>8)] ^ strides[1][byte(crc>>16)] ^ strides[0][crc>>24]
}

// crcOf2 is crcOf4 for two bytes.
func crcOf2(crc uint32, v uint16) uint32 {
	crc ^= uint32(v)
	return strides[1][byte(crc)] ^ strides[0][byte(crc>>8)] ^ crc>>16
}

// maxLengthFields is the size of all the length fields of a record.
const maxLengthFields = 10

// lengthFields copies the length fields of a record to dst and returns their size.
func lengthFields(dst *[maxLengthFields]byte, record []byte) int {
	length := binary.LittleEndian.Uint32(record)
	subject := binary.LittleEndian.Uint16(record[20:])
	binary.LittleEndian.PutUint32(dst[:], length)
	binary.LittleEndian.PutUint16(dst[4:], subject)
	if length&headerFlag == 0 {
		return 6
	}
	if at := headSize + int(subject); at+4 <= len(record) {
		copy(dst[6:], record[at:at+4])
		return 10
	}
	return 6
}

// A lengthsHash is LengthsCRC over many records, which it takes in larger pieces.
type lengthsHash struct {
	crc uint32
	n   int
	buf [512]byte
}

func (h *lengthsHash) add(record []byte) {
	if h.n+maxLengthFields > len(h.buf) {
		h.flush()
	}
	h.n += lengthFields((*[maxLengthFields]byte)(h.buf[h.n:]), record)
}

func (h *lengthsHash) flush() {
	h.crc = crc32.Update(h.crc, castagnoli, h.buf[:h.n])
	h.n = 0
}

func (h *lengthsHash) sum() uint32 {
	h.flush()
	return h.crc
}

// A crcRewind finds, in a CRC-32C that is not what it should be, the bytes that could
// have changed. It goes back over what was hashed, from the end to the beginning: diff is
// how the states of the two calculations differ there. Where nothing had changed yet,
// they do not.
type crcRewind struct{ diff uint32 }

// crcIndex is the inverse of the high byte of the entries of the table.
var crcIndex = func() (index [256]byte) {
	for i, entry := range castagnoli {
		index[entry>>24] = byte(i)
	}
	return index
}()

// back goes back over one byte.
func (b *crcRewind) back() {
	i := crcIndex[b.diff>>24]
	b.diff = (b.diff^castagnoli[i])<<8 | uint32(i)
}

// one returns the change of the byte before that explains the difference by itself.
func (b *crcRewind) one() (change byte, ok bool) {
	i := crcIndex[b.diff>>24]
	return i, i != 0 && castagnoli[i] == b.diff
}

// two is one for the two bytes before; both of them changed.
func (b *crcRewind) two() (changes [2]byte, ok bool) {
	i := crcIndex[b.diff>>24]
	rest := b.diff ^ castagnoli[i] // what the first of them left, moved on by a byte
	first := crcIndex[rest>>16&0xff]
	if first == 0 || castagnoli[first]>>8 != rest {
		return changes, false
	}
	second := i ^ byte(castagnoli[first])
	return [2]byte{first, second}, second != 0
}
