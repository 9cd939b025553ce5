package blockio

import (
	"bytes"
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// stride returns how far apart the points of a sweep are. With -short, under which the race detector runs, they are far apart:
// what scans a block has one goroutine, in which there is nothing for it to find, and it takes ten times as long.
func stride(far int) int {
	if testing.Short() {
		return far
	}
	return 1
}

// marking says which marks the frames of a test block have.
type marking int

const (
	unmarked  marking = iota
	counting          // of the first kind, before groups of two and more
	measuring         // of the second kind, before every frame
)

func (m marking) String() string { return [...]string{"unmarked", "counting", "measuring"}[m] }

// A span is a record of a sweepBlock, or a mark.
type span struct {
	from, to int
	frame    int // where its frame begins
	Record
}

// A sweepBlock is a block of which every byte is known.
type sweepBlock struct {
	key     *RecordCodec
	marking marking
	random  *rand.Rand
	data    []byte
	spans   []span
	last    uint64
	crc     uint32
}

func newSweepBlock(m marking, seed int64) *sweepBlock {
	return &sweepBlock{key: NewRecordCodec("TEST", 9), marking: m, random: rand.New(rand.NewSource(seed))}
}

// noise returns n bytes without a zero among them.
func (b *sweepBlock) noise(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(1 + b.random.Intn(255))
	}
	return out
}

// part appends one record to a frame that is being made.
type part func(b *sweepBlock, frame []byte) []byte

func text(size int) part {
	return func(b *sweepBlock, frame []byte) []byte { return b.message(frame, nil, b.noise(size)) }
}

func titled(size int) part {
	return func(b *sweepBlock, frame []byte) []byte {
		return b.message(frame, []byte("NATS/1.0\r\nA: b\r\n\r\n"), b.noise(size))
	}
}

func skip(n uint64) part {
	return func(b *sweepBlock, frame []byte) []byte {
		b.last += n
		return b.key.AppendSkip(frame, b.last, goldenTime)
	}
}

func tomb(sequence uint64) part {
	return func(b *sweepBlock, frame []byte) []byte { return b.key.AppendTombstone(frame, sequence, goldenTime) }
}

// forging is a message whose payload holds n records of this block, which have the
// sequences after its own plus ahead, with before and after them so many bytes of noise.
func forging(n int, ahead uint64, before, after int) part {
	return func(b *sweepBlock, frame []byte) []byte {
		payload := b.noise(before)
		for i := range n {
			payload = b.key.AppendMessage(payload, b.last+2+ahead+uint64(i), 1, "forged", nil, b.noise(b.random.Intn(20)))
		}
		return b.message(frame, nil, append(payload, b.noise(after)...))
	}
}

func (b *sweepBlock) message(frame, header, payload []byte) []byte {
	b.last++
	return b.key.AppendMessage(frame, b.last, int64(goldenTime+b.last), fmt.Sprintf("sub.%d", b.last), header, payload)
}

// add adds a frame.
func (b *sweepBlock) add(parts ...part) *sweepBlock {
	start := len(b.data)
	var frame []byte
	for _, p := range parts {
		frame = p(b, frame)
	}
	mark := make([]byte, EmptyRecordSize)
	switch {
	case b.marking == counting && len(parts) > 1:
		b.key.PutGroupMark(mark, uint32(len(parts)), uint32(len(frame)))
		b.data = append(b.data, mark...)
	case b.marking == measuring:
		for at := 0; at < len(frame); {
			size, _ := FrameSize(frame[at:])
			b.crc = LengthsCRC(b.crc, frame[at:at+size])
			at += size
		}
		b.key.PutFrameMark(mark, uint32(len(frame)), b.crc)
		b.data = append(b.data, mark...)
	}
	b.data = append(b.data, frame...)
	for at := start; at < len(b.data); {
		r, err := b.key.Decode(bytes.Clone(b.data[at:]))
		if err != nil {
			panic(err)
		}
		frame := start
		if r.Kind != KindGroupMark && b.data[start+11] != tombstoneBit>>56 {
			frame = at // a frame by itself
		}
		b.spans = append(b.spans, span{from: at, to: at + r.Size, frame: frame, Record: r})
		at += r.Size
	}
	return b
}

// lastWhole is where the last frame begins of which nothing was touched, -1 if there is none.
func (b *sweepBlock) lastWhole(c damageCheck) int {
	for i := len(b.spans) - 1; i >= 0; i-- {
		if s := b.spans[i]; s.frame >= c.to {
			return s.frame
		}
		if c.to == len(b.data) && b.spans[i].from >= c.from {
			continue // zeros up to the end
		}
		if c.from >= b.spans[i].to && (i == len(b.spans)-1 || b.spans[i+1].frame != b.spans[i].frame) {
			return b.spans[i].frame
		}
	}
	return -1
}

// mayBeTorn reports whether a block that looks torn from there on can be: nothing whole is
// behind. A sector that is lost where a frame without a mark begins is a known exception.
func (b *sweepBlock) mayBeTorn(c damageCheck, cut int) bool {
	if b.marking != measuring && c.tearable && (c.to-c.from >= sectorSize || c.from <= cut && c.to >= cut-cut%sectorSize+sectorSize) {
		return true
	}
	return c.tearable && b.lastWhole(c) < cut
}

// visits returns the result of a scan, and the offsets of what it visited.
func (b *sweepBlock) visits(data []byte, tail bool) (scan BlockScan, got []testRecord) {
	scan = ScanBlock("9.blk", 9, b.key, data, tail, func(offset int64, r Record) {
		got = append(got, testRecord{offset: int(offset), Record: r})
	})
	return scan, got
}

// damageCheck is what a scan of damaged data must be like.
type damageCheck struct {
	from, to int // the bytes that were touched
	data     []byte
	told     bool // the damage must be reported
	window   bool // it may be in an inner length, which nothing covers
	tearable bool // the last frame may look torn
}

// check scans damaged data as a tail and as a sealed block.
func (b *sweepBlock) check(t *testing.T, c damageCheck, note string, args ...any) {
	t.Helper()
	fail := func(format string, more ...any) {
		t.Helper()
		require.FailNow(t, fmt.Sprintf(format, more...), note, args)
	}
	var kept [2][]testRecord
	var scans [2]BlockScan
	for i, tail := range []bool{false, true} {
		scan, got := b.visits(c.data, tail)
		scans[i], kept[i] = scan, got
		if scan.Torn && (!tail || !b.mayBeTorn(c, int(scan.CutFrom))) {
			fail("torn: tail %v, cut from %d, last whole frame at %d", tail, scan.CutFrom, b.lastWhole(c))
		}
		if !scan.Torn && scan.DamageCount == 0 && c.told {
			fail("not told, tail %v", tail)
		}
		b.checkKept(c, scan, got, fail)
		b.checkLost(c, scan, got, fail)
	}
	if scans[1].Torn {
		return
	}
	if len(kept[0]) != len(kept[1]) || scans[0].DamageCount != scans[1].DamageCount || scans[0].LostBytes != scans[1].LostBytes ||
		!scans[0].LostEnd && !slices.Equal(scans[0].Lost, scans[1].Lost) {
		fail("sealed %d records, %+v, tail %d records, %+v", len(kept[0]), scans[0], len(kept[1]), scans[1])
	}
}

// checkKept: what is visited is what was written, and no more is missing than was touched.
func (b *sweepBlock) checkKept(c damageCheck, scan BlockScan, got []testRecord, fail func(string, ...any)) {
	byOffset := make(map[int]Record, len(got))
	for _, r := range got {
		byOffset[r.offset] = r.Record
	}
	for _, s := range b.spans {
		r, ok := byOffset[s.from]
		delete(byOffset, s.from)
		touched := c.from < s.to && c.to > s.from
		switch {
		case s.Kind == KindGroupMark:
		case ok && !sameRecord(r, s.Record) && !(touched && c.window):
			fail("another record at %d: %+v", s.from, r)
		case !ok && !touched && !(scan.Torn && int64(s.from) >= scan.CutFrom):
			fail("record %d at %d is missing, tail %v: %v", s.Sequence, s.from, b.spans, scan)
		}
	}
	for offset, r := range byOffset {
		fail("forged: sequence %d at %d", r.Sequence, offset)
	}
}

func sameRecord(x, y Record) bool {
	return x.Kind == y.Kind && x.Sequence == y.Sequence && x.Time == y.Time && x.Size == y.Size &&
		bytes.Equal(x.Subject, y.Subject) && bytes.Equal(x.Header, y.Header) && bytes.Equal(x.Payload, y.Payload)
}

// checkLost: every sequence that went is named, and none that is there.
func (b *sweepBlock) checkLost(c damageCheck, scan BlockScan, got []testRecord, fail func(string, ...any)) {
	if !slices.IsSorted(scan.Lost) {
		fail("not in order: %v", scan.Lost)
	}
	there := make(map[uint64]bool)
	for _, r := range got {
		if sequenced(r.Kind) {
			there[r.Sequence] = true
		}
	}
	named := make(map[uint64]bool)
	for _, sequence := range scan.Lost {
		if named[sequence] = true; there[sequence] {
			fail("lost and there: %d", sequence)
		}
	}
	for _, s := range b.spans {
		if c.to == len(b.data) && (s.frame >= c.from || s.frame+EmptyRecordSize > c.from && s.frame != s.from) {
			continue // whole frames, or all that their mark says, zeroed up to the end: nothing can tell
		}
		if s.Kind != KindMessage || there[s.Sequence] || named[s.Sequence] || scan.Torn && int64(s.from) >= scan.CutFrom {
			continue
		}
		open := scan.LostHead && (len(scan.Lost) == 0 || s.Sequence < scan.Lost[0]) ||
			scan.LostEnd && (len(scan.Lost) == 0 || s.Sequence > scan.Lost[len(scan.Lost)-1])
		if !open {
			fail("%d is gone and not named: %+v", s.Sequence, scan)
		}
	}
}
