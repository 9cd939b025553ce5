package streamstate

import (
	"encoding/binary"
	"math"
)

// TTLs is what thw.db says: when messages expire. It has no checksum.
type TTLs struct {
	// Next is the sequence after the last one that it knows of.
	Next    uint64
	Entries []TTL // in any order
}

// TTL is when a message expires, in nanoseconds since the epoch. The message may be deleted since.
type TTL struct {
	At       int64
	Sequence uint64
}

// Schedules is what sched.db says: when schedules are due. It has no checksum.
type Schedules struct {
	// Next is the sequence after the last one that it knows of.
	Next    uint64
	Entries []Schedule // one a subject, in any order
}

// Schedule is when the schedule of a subject is due, in nanoseconds since the epoch. The message may be deleted
// since.
type Schedule struct {
	Subject  string
	At       int64
	Sequence uint64
}

// expiryVersion is the version of both files.
const expiryVersion = 1

// Append appends thw.db.
func (t *TTLs) Append(dst []byte) []byte {
	dst = appendExpiryHead(dst, len(t.Entries), t.Next)
	for _, e := range t.Entries {
		dst = binary.AppendUvarint(binary.AppendVarint(dst, e.At), e.Sequence)
	}
	return dst
}

// Append appends sched.db. A subject is cut where it has no room.
func (s *Schedules) Append(dst []byte) []byte {
	dst = appendExpiryHead(dst, len(s.Entries), s.Next)
	for _, e := range s.Entries {
		name := e.Subject[:min(len(e.Subject), math.MaxUint16)]
		dst = append(binary.LittleEndian.AppendUint16(dst, uint16(len(name))), name...)
		dst = binary.AppendUvarint(binary.AppendVarint(dst, e.At), e.Sequence)
	}
	return dst
}

func appendExpiryHead(dst []byte, entries int, next uint64) []byte {
	dst = binary.LittleEndian.AppendUint64(append(dst, expiryVersion), uint64(entries))
	return binary.LittleEndian.AppendUint64(dst, next)
}

// DecodeTTLs decodes thw.db. What is behind the entries is passed over, as a nats-server does.
func DecodeTTLs(file []byte) (*TTLs, error) {
	d := decoder{file: ttlsName, data: file}
	n, next := d.expiryHead(2)
	t := &TTLs{Next: next, Entries: make([]TTL, 0, n)}
	for range n {
		t.Entries = append(t.Entries, TTL{d.varint("time"), d.uvarint("sequence")})
		if d.err != nil {
			break
		}
	}
	if d.err != nil {
		return nil, d.err
	}
	return t, nil
}

// DecodeSchedules decodes sched.db. What is behind the entries is passed over, as a nats-server does.
func DecodeSchedules(file []byte) (*Schedules, error) {
	d := decoder{file: schedulesName, data: file}
	n, next := d.expiryHead(4)
	s := &Schedules{Next: next, Entries: make([]Schedule, 0, n)}
	for range n {
		length := d.bytes(2, "length of a subject")
		if d.err != nil {
			break
		}
		name := d.bytes(uint64(binary.LittleEndian.Uint16(length)), "subject")
		s.Entries = append(s.Entries, Schedule{string(name), d.varint("time"), d.uvarint("sequence")})
	}
	if d.err != nil {
		return nil, d.err
	}
	return s, nil
}

// expiryHead takes what both files begin with: how many entries there are, each of so many bytes at least, and Next.
func (d *decoder) expiryHead(least int) (n int, next uint64) {
	head := d.bytes(1+8+8, "head")
	if d.err != nil {
		return 0, 0
	}
	if head[0] != expiryVersion {
		d.at = 0
		d.fail("it is of version %d", head[0])
		return 0, 0
	}
	return d.bounded("number of entries", binary.LittleEndian.Uint64(head[1:]), least), binary.LittleEndian.Uint64(head[9:])
}
