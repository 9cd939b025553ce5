package blockindex

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// A Builder collects the records of one block, in file order, and makes the image of
// its index. It is for one goroutine. Reset and the next block reuse its memory.
//
// It counts as the engine does when it recovers: what it is given has passed the
// checksum of the record already. Where nobody waits for the index it lets others run
// while it works.
type Builder struct {
	block   uint32
	sum     Summary
	records []builtRecord
	runs    []Run
	extras  []Tombstone
	end     int64 // of the last message
	err     error
	pace    pace

	// Subjects by number, in order of appearance. Their names are in names.
	subjects []builtSubject
	names    []byte
	table    []uint64 // open hash table: high half of the hash, number + 1
	seed     maphash.Seed

	// Scratch of Finish.
	order  []uint32
	rank   []uint32
	next   []uint32
	sorter sorter
	dict   dictWriter
}

type builtRecord struct {
	offset, size, crc, subject uint32
	time                       int64
}

type builtSubject struct {
	at, length         uint32 // in names
	count, first, last uint32
	lastSize           uint32
}

// A Tombstone is a record that deletes a message of this or an earlier block. One of sequence 0 is a floor,
// see blockio.FloorOf.
type Tombstone struct {
	Sequence uint64
	Time     int64 // of the deleted message, nanoseconds since 1970
}

// NewBuilder starts the index of a block.
func NewBuilder(block uint32) *Builder {
	b := &Builder{seed: maphash.MakeSeed()}
	b.Reset(block)
	return b
}

// Reset starts the index of another block. The memory of the last one is used again.
func (b *Builder) Reset(block uint32) {
	b.block, b.end, b.err = block, 0, nil
	b.sum = Summary{FirstTime: NoTime, LastTime: NoTime, MaxTime: math.MinInt64, TimesAscend: true, Plain: true, Unscheduled: true}
	b.records, b.runs, b.extras = b.records[:0], b.runs[:0], b.extras[:0]
	b.subjects, b.names = b.subjects[:0], b.names[:0]
	clear(b.table)
}

// Message adds a message. record is all of its bytes, which start at offset in the
// block; neither it nor subject is kept. A message whose sequence is not above all
// before it is no message of the stream, and is left out.
func (b *Builder) Message(sequence uint64, time, offset int64, record, subject []byte) {
	s := &b.sum
	if sequence <= s.Last || sequence > blockio.MaxSequence || b.err != nil {
		return
	}
	if offset < b.end || offset+int64(len(record)) > math.MaxUint32 || len(b.names)+len(subject) > math.MaxUint32 ||
		len(record) < recordMin || len(record) > recordMax || len(subject) > blockio.MaxSubjectLength {
		b.err = fmt.Errorf("%w: a record of %d bytes at %d of block %d, a subject of %d",
			ErrLimit, len(record), offset, b.block, len(subject))
		return
	}
	b.end = offset + int64(len(record))
	ordinal := uint32(len(b.records))
	if ordinal == 0 {
		s.First, s.FirstMessage, s.FirstTime = sequence, sequence, time
	} else if time < b.records[ordinal-1].time {
		s.TimesAscend = false
	}
	if ordinal == 0 || sequence != s.LastMessage+1 {
		b.runs = append(b.runs, Run{Sequence: sequence, Ordinal: int(ordinal)})
	}
	b.records = append(b.records, builtRecord{
		offset: uint32(offset), size: uint32(len(record)), crc: crcOf(record),
		subject: b.subject(subject, ordinal, uint32(len(record))), time: time,
	})
	s.Bytes += uint64(len(record))
	s.Last, s.LastMessage, s.LastTime, s.Timeless = sequence, sequence, time, false
	s.MaxTime = max(s.MaxTime, time)
}

// Skip adds a skip or an erased message: its sequence, and those before it back to
// the record before, are used and have no message.
func (b *Builder) Skip(sequence uint64, time int64) {
	s := &b.sum
	if sequence <= s.Last || sequence > blockio.MaxSequence {
		return
	}
	if len(b.records) == 0 {
		s.First = sequence + 1
	}
	s.Last = sequence
	// An erased message keeps no time; its tombstone has it.
	if s.Timeless = time == 0; !s.Timeless {
		s.LastTime = time
	}
}

// Tombstone adds a tombstone. One of sequence 0 is none.
func (b *Builder) Tombstone(sequence uint64, time int64) {
	if sequence > 0 && sequence <= blockio.MaxSequence {
		b.extras = append(b.extras, Tombstone{sequence, time})
	}
}

// Floor adds a floor, as a tombstone of sequence 0 with its time field.
func (b *Builder) Floor(time int64) { b.extras = append(b.extras, Tombstone{0, time}) }

// Record adds a record as ScanBlock visits it. data is the whole block.
func (b *Builder) Record(data []byte, offset int64, r *blockio.Record) {
	b.add(data[offset:offset+int64(r.Size)], offset, r)
}

// add adds a record, of which raw is the bytes in the block.
func (b *Builder) add(raw []byte, offset int64, r *blockio.Record) {
	b.pace.step()
	switch r.Kind {
	case blockio.KindMessage:
		if len(r.Header) > 0 && msgheader.LifeOf(r.Header) != (msgheader.Life{}) {
			b.sum.Plain = false
		}
		if msgheader.Scheduling(r.Header) {
			b.sum.Unscheduled = false
		}
		b.Message(r.Sequence, r.Time, offset, raw, r.Subject)
	case blockio.KindSkip, blockio.KindErased:
		b.Skip(r.Sequence, r.Time)
	case blockio.KindTombstone:
		b.Tombstone(r.Sequence, r.Time)
	case blockio.KindFloor:
		b.Floor(r.Time)
	}
}

// subject notes one more message of a subject and returns the number of that.
func (b *Builder) subject(name []byte, ordinal, size uint32) uint32 {
	if len(name) == 0 {
		b.sum.Empty++
		return EmptySubject
	}
	if len(b.subjects)*5 >= len(b.table)*4 {
		b.grow()
	}
	hash := maphash.Bytes(b.seed, name)
	mask := uint64(len(b.table) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := b.table[i]
		if slot == 0 {
			b.table[i] = hash&^math.MaxUint32 | uint64(len(b.subjects)+1)
			b.subjects = append(b.subjects, builtSubject{
				at: uint32(len(b.names)), length: uint32(len(name)), count: 1,
				first: ordinal, last: ordinal, lastSize: size,
			})
			b.names = append(b.names, name...)
			return uint32(len(b.subjects) - 1)
		}
		number := uint32(slot) - 1
		if slot>>32 == hash>>32 && bytes.Equal(b.name(number), name) {
			found := &b.subjects[number]
			found.count++
			found.last, found.lastSize = ordinal, size
			return number
		}
	}
}

func (b *Builder) name(number uint32) []byte {
	s := &b.subjects[number]
	return b.names[s.at:][:s.length]
}

// grow doubles the hash table.
func (b *Builder) grow() {
	b.table = make([]uint64, max(2*len(b.table), 64))
	mask := uint64(len(b.table) - 1)
	for number := range b.subjects {
		hash := maphash.Bytes(b.seed, b.name(uint32(number)))
		i := hash & mask
		for b.table[i] != 0 {
			i = (i + 1) & mask
		}
		b.table[i] = hash&^math.MaxUint32 | uint64(number+1)
	}
}

// settle lets tombstones count: one proves that its sequence was in use once.
func (s *Summary) settle(tombstones []Tombstone) {
	for _, t := range tombstones {
		if t.Sequence > s.Last || t.Sequence == s.Last && s.Timeless {
			s.Last, s.LastTime, s.Timeless = t.Sequence, t.Time, false
		}
	}
}
