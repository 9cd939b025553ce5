package streamstate

import (
	"encoding/binary"
)

// A nats-server passes over what is between the last field of index.db and its checksum. Millrace has there what it
// needs to go on from the file alone: what it knows of each block and of each subject that the server's fields do not
// say, and how the files of the blocks were, so that one that has changed since is noticed. It also tells a file of
// Millrace from one of a server.
//
//	uvarint  version, 1
//	uvarint  the highest floor, uvarint number of the block that it is in; zeros for none
//	uvarint  what the TTL of messages meant: a number of Millrace's
//	varint   last time of the stream
//	uvarint  number of blocks
//	         the blocks, see appendBlock
//	         the subjects, in the order of the server's fields, see AppendOwnSubject
//	u64      a sum of the bytes of the last block, if a flag of the block says so
//	u32      bytes of all this
//	8 bytes  "MRSTATE1"
//
// So it is found from the end. Integers of a fixed size are little-endian.

const (
	ownVersion = 1
	ownMagic   = "MRSTATE1"
	ownEnd     = 4 + len(ownMagic)
	// ownSummed is the flag of the last block that tells of a sum. Millrace 0.1.0 passes over both.
	ownSummed  = 1 << 5
	ownSumSize = 8
)

// Own is what Millrace writes behind the server's fields, but for the subjects.
type Own struct {
	Floor      uint64
	FloorBlock uint32
	TTL        uint64 // what the header Nats-TTL meant
	LastTime   int64  // of the stream, as the engine counts it
	Blocks     []OwnBlock
	// Sum is a sum of all bytes of the last block, 0 when it is not known. AppendOwnSum writes it.
	Sum uint64
}

// OwnBlock is what Millrace knows of a block. actors/internal/disk says what it means.
type OwnBlock struct {
	ID                              uint32
	Size                            int64 // of the records
	FileSize, ModTime               int64 // of the file
	First, Last, LastRecord, Proves uint64
	FirstMessage                    uint64
	Messages, Bytes                 uint64
	FirstLive                       uint64
	FirstTime, MaxTime              int64
	AgeFrom, AgeTo                  int64
	MarkCRC                         uint32
	Flags                           uint64
	Removed                         []Range
	Lives                           []OwnLife
}

// OwnLife is how long a message lives.
type OwnLife struct {
	Sequence uint64
	Flags    uint64
	Due      int64
}

// OwnSubject is what Millrace knows of a subject.
type OwnSubject struct {
	Name        []byte // of the file that was decoded
	Messages    uint64
	First, Last uint64
	Flags       uint64
	LastSize    uint32
}

// AppendOwn appends what stands before the subjects. AppendOwnSum has to follow them.
func AppendOwn(dst []byte, o *Own) []byte {
	dst = appendNumbers(dst, ownVersion, o.Floor, uint64(o.FloorBlock), o.TTL)
	dst = binary.AppendVarint(dst, o.LastTime)
	dst = binary.AppendUvarint(dst, uint64(len(o.Blocks)))
	for i := range o.Blocks {
		flags := o.Blocks[i].Flags &^ ownSummed
		if i == len(o.Blocks)-1 && o.Sum != 0 {
			flags |= ownSummed
		}
		dst = o.Blocks[i].append(dst, flags)
	}
	return dst
}

// AppendOwnSum appends what stands behind the subjects: nothing if there is no sum, or no block that it could be of.
func AppendOwnSum(dst []byte, o *Own) []byte {
	if o.Sum == 0 || len(o.Blocks) == 0 {
		return dst
	}
	return binary.LittleEndian.AppendUint64(dst, o.Sum)
}

func appendNumbers(dst []byte, numbers ...uint64) []byte {
	for _, n := range numbers {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

func (b *OwnBlock) append(dst []byte, flags uint64) []byte {
	dst = appendNumbers(dst, uint64(b.ID), uint64(b.Size), uint64(b.FileSize), b.First, b.Last, b.LastRecord, b.Proves, b.FirstMessage,
		b.Messages, b.Bytes, b.FirstLive, uint64(b.MarkCRC), flags)
	for _, time := range [...]int64{b.ModTime, b.FirstTime, b.MaxTime, b.AgeFrom, b.AgeTo} {
		dst = binary.AppendVarint(dst, time)
	}
	dst = binary.AppendUvarint(dst, uint64(len(b.Removed)))
	next := b.First
	for _, r := range b.Removed {
		dst = appendNumbers(dst, r.First-next, r.Last-r.First)
		next = r.Last
	}
	dst = binary.AppendUvarint(dst, uint64(len(b.Lives)))
	next = b.First
	for _, l := range b.Lives {
		dst = binary.AppendVarint(appendNumbers(dst, l.Sequence-next, l.Flags), l.Due)
		next = l.Sequence
	}
	return dst
}

// AppendOwnSubject appends what is known of the next subject besides its name and number of messages.
func AppendOwnSubject(dst []byte, s *OwnSubject) []byte {
	return appendNumbers(dst, s.Last, s.Last-s.First, s.Flags, uint64(s.LastSize))
}

// EndOwn appends the end of what begins at start.
func EndOwn(dst []byte, start int) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(dst)-start)), ownMagic...)
}

// OwnState is an index.db of Millrace.
type OwnState struct {
	Head
	Own
	LastSum  [sumSize]byte // of the server's fields
	Subjects int           // how many there are
	names    decoder
	facts    decoder
}

// DecodeOwn decodes an index.db without its checksum, which the caller has verified, if it is one of Millrace. If
// not, it returns nil and no error. What the server's fields say of the blocks is not looked at.
func DecodeOwn(body []byte) (*OwnState, error) {
	end := len(body) - ownEnd
	if end < 0 || string(body[end+4:]) != ownMagic {
		return nil, nil
	}
	size := binary.LittleEndian.Uint32(body[end:])
	if uint64(size) > uint64(end) {
		return nil, invalid(indexName, end, "%d bytes of Millrace, of which %d are there", size, end)
	}
	o := &OwnState{names: decoder{file: indexName, data: body[:end-int(size)]}, facts: decoder{file: indexName, data: body[:end], at: end - int(size)}}
	copy(o.LastSum[:], body[max(0, end-int(size)-sumSize):])
	_, o.Head = o.names.head()
	o.Subjects = o.names.count("number of subjects", 4)
	if o.names.err != nil {
		return nil, o.names.err
	}
	d := &o.facts
	d.own(&o.Own)
	if d.err == nil {
		d.ownSum(&o.Own)
	}
	if d.err == nil && o.Subjects > d.rest()/4 {
		d.fail("%d subjects, for which there is no room in %d bytes", o.Subjects, d.rest())
	}
	if d.err != nil {
		return nil, d.err
	}
	return o, nil
}

func (d *decoder) own(o *Own) {
	if version := d.uvarint("version"); d.err == nil && version != ownVersion {
		d.fail("what Millrace wrote is of version %d", version)
		return
	}
	o.Floor, o.FloorBlock = d.uvarint("floor"), d.block("block of the floor")
	o.TTL, o.LastTime = d.uvarint("meaning of TTLs"), d.varint("last time")
	const leastBlock = 20
	n := d.count("number of blocks", leastBlock)
	o.Blocks = make([]OwnBlock, 0, n)
	for range n {
		o.Blocks = append(o.Blocks, d.ownBlock())
		if d.err != nil {
			return
		}
	}
}

// ownSum takes the sum from the end, if there is one.
func (d *decoder) ownSum(o *Own) {
	n := len(o.Blocks)
	if n == 0 || o.Blocks[n-1].Flags&ownSummed == 0 {
		return
	}
	o.Blocks[n-1].Flags &^= ownSummed
	if d.rest() < ownSumSize {
		d.fail("no room for the sum of the last block in %d bytes", d.rest())
		return
	}
	end := len(d.data) - ownSumSize
	o.Sum = binary.LittleEndian.Uint64(d.data[end:])
	d.data = d.data[:end]
}

func (d *decoder) ownBlock() (b OwnBlock) {
	b.ID, b.Size, b.FileSize = d.block("number of a block"), int64(d.uvarint("size of a block")), int64(d.uvarint("size of a file"))
	for _, field := range [...]*uint64{&b.First, &b.Last, &b.LastRecord, &b.Proves, &b.FirstMessage, &b.Messages, &b.Bytes, &b.FirstLive} {
		*field = d.uvarint("number of a block")
	}
	b.MarkCRC, b.Flags = uint32(d.uvarint("checksum of a mark")), d.uvarint("flags of a block")
	for _, field := range [...]*int64{&b.ModTime, &b.FirstTime, &b.MaxTime, &b.AgeFrom, &b.AgeTo} {
		*field = d.varint("time of a block")
	}
	if n := d.count("removed ranges", 2); n > 0 {
		b.Removed = make([]Range, 0, n)
		next := b.First
		for range n {
			first := next + d.uvarint("range")
			next = first + d.uvarint("length of a range")
			b.Removed = append(b.Removed, Range{first, next})
		}
	}
	if n := d.count("lives", 3); n > 0 {
		b.Lives = make([]OwnLife, 0, n)
		next := b.First
		for range n {
			next += d.uvarint("sequence of a life")
			b.Lives = append(b.Lives, OwnLife{next, d.uvarint("flags of a life"), d.varint("end of a life")})
		}
	}
	return b
}

// Next fills s with the next subject. It reports false at the end, and where the file does not say what it must.
func (o *OwnState) Next(s *OwnSubject) bool {
	names, facts := o.names.data, o.facts.data
	size, at := number(names, o.names.at)
	if size == 0 || size > uint64(len(names)-at) {
		return false
	}
	end := at + int(size)
	s.Name = names[at:end:end]
	messages, at := number(names, end)
	_, at = number(names, at) // its blocks
	_, at = number(names, at)
	last, from := number(facts, o.facts.at)
	span, from := number(facts, from)
	flags, from := number(facts, from)
	lastSize, from := number(facts, from)
	if at > len(names) || from > len(facts) || span > last || lastSize > 1<<32-1 {
		return false
	}
	s.Messages, s.First, s.Last, s.Flags, s.LastSize = messages, last-span, last, flags, uint32(lastSize)
	o.names.at, o.facts.at = at, from
	return true
}

// number takes an unsigned number, and returns where the next one is, in less time than a decoder, for very many of them.
// Where there is none, or it is too large, it returns 0 and a place behind the end of data, as it does for such a place.
func number(data []byte, at int) (v uint64, next int) {
	for shift := uint(0); at < len(data); shift += 7 {
		b := data[at]
		at++
		if b < 0x80 {
			if shift == 63 && b > 1 {
				break
			}
			return v | uint64(b)<<shift, at
		}
		if shift == 63 {
			break
		}
		v |= uint64(b&0x7f) << shift
	}
	return 0, len(data) + 1
}
