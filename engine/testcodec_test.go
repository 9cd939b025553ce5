package engine_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/seed-d8b58eba/millrace/engine"
)

// codec encodes records in the layout of the real ones, with a cheaper checksum.
type codec struct{}

func (codec) Size(subject, header, payload int) int {
	n := 30 + subject + payload
	if header > 0 {
		n += 4 + header
	}
	return n
}

func (codec) EmptySize() int { return 30 }

func (c codec) Check(subject, header, payload int) error {
	if subject > 65535 || c.Size(subject, header, payload) > 32<<20 {
		return fmt.Errorf("%w: record", engine.ErrTooLarge)
	}
	return nil
}

func (codec) Block(id uint32) engine.BlockCodec { return blockCodec(id) }

type blockCodec uint32

const (
	headerBit    = 1 << 31
	erasedBit    = 1 << 63
	tombstoneBit = 1 << 62
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (b blockCodec) sum(record []byte) uint64 {
	return uint64(b)<<32 | uint64(crc32.Checksum(record[4:len(record)-8], castagnoli))
}

func (b blockCodec) AppendMessage(dst []byte, sequence uint64, time int64, subject string, header, payload []byte) []byte {
	start := len(dst)
	size := codec{}.Size(len(subject), len(header), len(payload))
	length := uint32(size)
	if len(header) > 0 {
		length |= headerBit
	}
	dst = binary.LittleEndian.AppendUint32(dst, length)
	dst = binary.LittleEndian.AppendUint64(dst, sequence)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(time))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(subject)))
	dst = append(dst, subject...)
	if len(header) > 0 {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(header)))
		dst = append(dst, header...)
	}
	dst = append(dst, payload...)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	record := dst[start:]
	binary.LittleEndian.PutUint64(record[size-8:], b.sum(record))
	return dst
}

func (b blockCodec) empty(dst []byte, sequence uint64, time int64) []byte {
	return b.AppendMessage(dst, sequence, time, "", nil, nil)
}

func (b blockCodec) AppendSkip(dst []byte, sequence uint64, time int64) []byte {
	return b.empty(dst, sequence|erasedBit, time)
}

func (b blockCodec) AppendTombstone(dst []byte, sequence uint64, time int64) []byte {
	return b.empty(dst, sequence|tombstoneBit, time)
}

func (b blockCodec) AppendFloor(dst []byte, first uint64) []byte {
	return b.empty(dst, first|tombstoneBit|erasedBit, 0)
}

func (b blockCodec) LengthsCRC(crc uint32, record []byte) uint32 {
	return crc32.Update(crc, castagnoli, record[:4])
}

func (b blockCodec) PutFrameMark(dst []byte, bytes, crc uint32) {
	b.empty(dst[:0], tombstoneBit, int64(uint64(crc)<<32|uint64(bytes)))
}

// record is one decoded record.
type record struct {
	kind            byte // m message, s skip, t tombstone, f floor, g frame mark
	sequence        uint64
	time            int64
	subject         string
	header, payload []byte
	size            int
	records, bytes  int // frame mark: what follows it
	crc             uint32
}

// decode returns the record at the start of data, if there is one.
func decode(block uint32, data []byte) (r record, ok bool) {
	if len(data) < 30 {
		return r, false
	}
	length := binary.LittleEndian.Uint32(data)
	r.size = int(length &^ uint32(headerBit))
	if r.size < 30 || r.size > len(data) {
		return r, false
	}
	rest := data[r.size:]
	data = data[:r.size]
	if binary.LittleEndian.Uint64(data[r.size-8:]) != blockCodec(block).sum(data) {
		return r, false
	}
	r.sequence = binary.LittleEndian.Uint64(data[4:])
	r.time = int64(binary.LittleEndian.Uint64(data[12:]))
	subject := int(binary.LittleEndian.Uint16(data[20:]))
	body := data[22 : r.size-8]
	r.subject, body = string(body[:subject]), body[subject:]
	if length&headerBit != 0 {
		n := binary.LittleEndian.Uint32(body)
		r.header, body = body[4:4+n], body[4+n:]
	}
	r.payload = body
	switch {
	case r.sequence == tombstoneBit:
		r.kind, r.crc, r.bytes = 'g', uint32(uint64(r.time)>>32), int(uint32(r.time))
		for at := 0; at < min(r.bytes, len(rest)); r.records++ {
			next, ok := decode(block, rest[at:])
			if !ok || next.kind == 'g' {
				break
			}
			at += next.size
		}
	case r.sequence&tombstoneBit != 0 && r.sequence&erasedBit != 0:
		r.kind = 'f'
	case r.sequence&tombstoneBit != 0:
		r.kind = 't'
	case r.sequence&erasedBit != 0 || r.sequence == 0:
		r.kind = 's'
	default:
		r.kind = 'm'
	}
	r.sequence &^= erasedBit | tombstoneBit
	return r, true
}

// walk visits the records of a block up to the first that is not whole, or up to
// the first frame of which a part is missing. It returns where that is.
func walk(block uint32, data []byte, visit func(offset int64, r record)) (end int64) {
	return walkFrom(block, data, 0, visit)
}

// walkFrom is walk for a part of a block. crc is the checksum of the mark before it.
func walkFrom(block uint32, data []byte, crc uint32, visit func(offset int64, r record)) (end int64) {
	at := 0
	for {
		r, ok := decode(block, data[at:])
		if !ok || r.kind == 'g' && !wholeFrame(block, data[at+r.size:], r, &crc) {
			return int64(at)
		}
		visit(int64(at), r)
		at += r.size
	}
}

// wholeFrame reports whether what a mark announces follows it, and goes on from the mark before.
func wholeFrame(block uint32, data []byte, mark record, crc *uint32) bool {
	at := 0
	for range mark.records {
		r, ok := decode(block, data[at:])
		if !ok || r.kind == 'g' {
			return false
		}
		*crc = blockCodec(block).LengthsCRC(*crc, data[at:])
		at += r.size
	}
	return at == mark.bytes && *crc == mark.crc
}

// markCRC returns the checksum of the last mark in the bytes of a block.
func markCRC(block uint32, data []byte) (crc uint32) {
	walk(block, data, func(_ int64, r record) {
		if r.kind == 'g' {
			crc = r.crc
		}
	})
	return crc
}

// scan turns a block's bytes into what the engine recovers from.
func scan(block uint32, data []byte, tail bool) *engine.Scan {
	s := engine.NewScan(block)
	end := walk(block, data, func(offset int64, r record) {
		switch r.kind {
		case 'm':
			s.Message(r.sequence, r.time, offset, r.size, []byte(r.subject))
			s.Life(r.sequence, r.time, r.header)
		case 's':
			s.Skip(r.sequence, r.time)
		case 't':
			s.Tombstone(r.sequence, r.time)
		case 'f':
			s.Floor(r.sequence)
		}
	})
	if block%3 != 0 {
		s.LivesKnown() // of the others the engine has to ask
	}
	s.Mark(markCRC(block, data))
	s.Finish(end, tail, nil, 0)
	return s
}
