package blockio

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestFrameMarkGolden: the bytes of a frame mark, and what its CRC is over.
func TestFrameMarkGolden(t *testing.T) {
	key := NewRecordCodec("MARKS", 1)
	frame := key.AppendMessage(nil, 1, goldenTime, "foo.a", nil, []byte("hello"))
	frame = key.AppendMessage(frame, 2, goldenTime+1, "foo.b", []byte("NATS/1.0\r\nK: v\r\n\r\n"), []byte("world"))
	frame = key.AppendTombstone(frame, 1, goldenTime)
	crc := LengthsCRC(0, frame[:40])
	crc = LengthsCRC(crc, frame[40:102])
	crc = LengthsCRC(crc, frame[102:])
	fields := unhex(t, "28000000 0500  3e000080 0500 12000000  1e000000 0000")
	require.Equal(t, crc32.Checksum(fields, crc32.MakeTable(crc32.Castagnoli)), crc)
	mark := make([]byte, EmptyRecordSize)
	key.PutFrameMark(mark, uint32(len(frame)), crc)
	require.Equal(t, goldenFrameMark, hex.EncodeToString(mark))

	r, err := key.Decode(mark)
	require.NoError(t, err)
	require.Equal(t, KindGroupMark, r.Kind)
	size, sum, ok := r.FrameMark()
	require.True(t, ok)
	require.Equal(t, [2]uint32{uint32(len(frame)), crc}, [2]uint32{size, sum})
	records, counted := r.GroupMark()
	require.Zero(t, records, "it is none of the first kind")
	require.Zero(t, counted)
}

const goldenFrameMark = "1e0000000000000000000040210fd7e7840000800000c90981cba826c82e"

// TestFrameMarkLimits: what fits into a mark, and what is none of the second kind.
func TestFrameMarkLimits(t *testing.T) {
	key := NewRecordCodec("MARKS", 1)
	mark := make([]byte, EmptyRecordSize)
	key.PutFrameMark(mark, MaxFrameBytes+1, 1)
	key.PutFrameMark(mark[:29], 1, 1)
	require.Equal(t, make([]byte, EmptyRecordSize), mark)
	key.PutFrameMark(mark, MaxFrameBytes, 1<<32-1)
	r, err := key.Decode(mark)
	require.NoError(t, err)
	size, crc, ok := r.FrameMark()
	require.True(t, ok)
	require.Equal(t, [2]uint32{MaxFrameBytes, 1<<32 - 1}, [2]uint32{size, crc})
	require.GreaterOrEqual(t, MaxFrameBytes, MaxRecordSize+EmptyRecordSize)

	key.PutGroupMark(mark, MaxGroupRecords, 1<<32-1)
	r, err = key.Decode(mark)
	require.NoError(t, err)
	_, _, ok = r.FrameMark()
	require.False(t, ok, "the first kind")
	for bit := 58; bit < 63; bit++ {
		key.putEmpty(mark, tombstoneBit, int64(-1<<63|1<<bit))
		r, err = key.Decode(mark)
		require.NoError(t, err)
		_, _, ok = r.FrameMark()
		require.False(t, ok, "bit %d is kept for later", bit)
	}
	r, err = key.Decode(key.AppendTombstone(nil, 1, -1))
	require.NoError(t, err)
	_, _, ok = r.FrameMark()
	require.False(t, ok, "a tombstone")
}

func TestLengthsCRCAllocatesNothing(t *testing.T) {
	key := NewRecordCodec("MARKS", 1)
	record := key.AppendMessage(nil, 1, goldenTime, "foo.a", []byte("h"), []byte("hello"))
	require.Zero(t, testing.AllocsPerRun(100, func() { LengthsCRC(1, record) }))
}

// TestLengthsCRCIsOfTheLengthFields, as hash/crc32 calculates it.
func TestLengthsCRCIsOfTheLengthFields(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		subject := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "subject")
		header := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "header")
		record := NewRecordCodec("MARKS", 1).AppendMessage(nil, 1, 1, string(subject), header, []byte("payload"))
		fields := append(bytes.Clone(record[:4]), record[20:22]...)
		if len(header) > 0 {
			fields = append(fields, record[headSize+len(subject):][:4]...)
		}
		seed := rapid.Uint32().Draw(t, "seed")
		require.Equal(t, crc32.Update(seed, castagnoli, fields), LengthsCRC(seed, record))
	})
}

// TestMarkCRCGoesOn: the seed of the next frame is the CRC of the last mark, whatever is
// between it and the end.
func TestMarkCRCGoesOn(t *testing.T) {
	b := newSweepBlock(measuring, 1).add(text(10)).add(text(20), text(30))
	for _, tail := range []bool{false, true} {
		scan, _ := b.visits(b.data, tail)
		require.Equal(t, BlockScan{End: int64(len(b.data)), MarkCRC: b.crc}, scan)
		single := b.key.AppendMessage(bytes.Clone(b.data), 4, 1, "x", nil, nil)
		scan, _ = b.visits(single, tail)
		require.Equal(t, BlockScan{End: int64(len(single)), MarkCRC: b.crc}, scan)
	}
	crc := b.crc
	b.add(text(40))
	scan, _ := b.visits(b.data[:len(b.data)-1], true)
	require.True(t, scan.Torn)
	require.Equal(t, crc, scan.MarkCRC, "of what is kept")
}

// TestFrameThatDoesNotGoOn: a frame that was not written behind the one before it is
// damage, although it is right in itself.
func TestFrameThatDoesNotGoOn(t *testing.T) {
	b := newSweepBlock(measuring, 1).add(text(10)).add(text(20)).add(text(30))
	second, third := b.spans[2], b.spans[4]
	data := append(bytes.Clone(b.data[:second.from]), b.data[third.from:]...)
	for _, tail := range []bool{false, true} {
		// Nothing was removed from the frame, and the sequence before it is missing.
		scan, got := b.visits(data, tail)
		require.Zero(t, scan.DamageCount, "somebody took a record out, with its mark")
		require.Len(t, got, 2)
	}
	other := newSweepBlock(measuring, 2).add(text(11)).add(text(20))
	data = append(bytes.Clone(b.data[:second.from]), other.data[other.spans[2].from:]...)
	for _, tail := range []bool{false, true} {
		scan, got := b.visits(data, tail)
		require.Equal(t, 1, scan.DamageCount)
		require.Equal(t, []uint64{2}, scan.Lost)
		require.Len(t, got, 1)
		require.Equal(t, errLengths, scan.Damage[0].Err)
		require.Equal(t, uint64(2), scan.Damage[0].Sequence)
	}
}

// TestForeignChangesToAFrame: what a server does to a frame is no damage.
func TestForeignChangesToAFrame(t *testing.T) {
	begin := func() *sweepBlock {
		return newSweepBlock(measuring, 3).add(text(30)).add(text(40), titled(50), text(30)).add(tomb(1), text(10)).add(text(30))
	}
	b := begin()
	rows := map[string]struct {
		change func(b *sweepBlock) []byte
		gone   []uint64
	}{
		"a record erased": {func(b *sweepBlock) []byte { return b.erase(b.spans[4]) }, nil},
		"all erased": {func(b *sweepBlock) []byte {
			for _, s := range b.spans {
				if s.Kind == KindMessage {
					b.data = b.erase(s)
				}
			}
			return b.data
		}, nil},
		"the first of a frame removed":  {func(b *sweepBlock) []byte { return b.without(b.spans[3]) }, []uint64{2}},
		"the middle of a frame removed": {func(b *sweepBlock) []byte { return b.without(b.spans[4]) }, []uint64{3}},
		"the last of a frame removed":   {func(b *sweepBlock) []byte { return b.without(b.spans[5]) }, []uint64{4}},
		"a tombstone removed":           {func(b *sweepBlock) []byte { return b.without(b.spans[7]) }, nil},
		"all of a frame removed":        {func(b *sweepBlock) []byte { return b.without(b.spans[3:6]...) }, []uint64{2, 3, 4}},
		"all marks removed":             {func(b *sweepBlock) []byte { return b.without(b.spans[0], b.spans[2], b.spans[6], b.spans[9]) }, nil},
		"a record behind": {func(b *sweepBlock) []byte {
			return b.key.AppendMessage(bytes.Clone(b.data), 7, 1, "x", nil, nil)
		}, nil},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			b = begin()
			data := row.change(b)
			for _, tail := range []bool{false, true} {
				scan, got := b.visits(data, tail)
				require.Zero(t, scan.DamageCount, "%v", scan.Damage)
				require.False(t, scan.Torn)
				require.Empty(t, scan.Lost)
				sequences := make(map[uint64]bool)
				for _, r := range got {
					sequences[r.Sequence] = true
				}
				for sequence := uint64(1); sequence <= 6; sequence++ {
					require.Equal(t, !slices.Contains(row.gone, sequence), sequences[sequence], "sequence %d", sequence)
				}
			}
		})
	}
}

// erase overwrites a message as a server does: random bytes, and an empty subject.
func (b *sweepBlock) erase(s span) []byte {
	data := bytes.Clone(b.data)
	record := data[s.from:s.to]
	binary.LittleEndian.PutUint32(record, uint32(s.Size))
	binary.LittleEndian.PutUint64(record[4:], s.Sequence|erasedBit)
	binary.LittleEndian.PutUint64(record[12:], 0)
	binary.LittleEndian.PutUint16(record[20:], 0)
	copy(record[headSize:], b.noise(s.Size-EmptyRecordSize))
	binary.LittleEndian.PutUint64(record[s.Size-checksumSize:], b.key.sum(record, 0, false))
	return data
}

// without returns the block's bytes without some of its records.
func (b *sweepBlock) without(gone ...span) (data []byte) {
	for _, s := range b.spans {
		skipped := false
		for _, g := range gone {
			skipped = skipped || g.from == s.from
		}
		if !skipped {
			data = append(data, b.data[s.from:s.to]...)
		}
	}
	return data
}

// TestWrongLengthsAreFoundInLargeFrames: any inner length, changed by more than a bit, is
// found among many, and costs its record.
func TestWrongLengthsAreFoundInLargeFrames(t *testing.T) {
	parts := []part{text(300)}
	for range 400 {
		parts = append(parts, text(300), titled(300))
	}
	b := newSweepBlock(measuring, 4).add(parts...)
	for i := 1; i < len(b.spans); i += 37 {
		s := b.spans[i]
		fields := []int{s.from + 20, s.from + 21}
		if s.Header != nil {
			fields = []int{s.from + headSize + len(s.Subject), s.from + headSize + len(s.Subject) + 1}
		}
		for _, change := range [][2]byte{{1, 0}, {0, 1}, {7, 1}, {0xff, 0}} {
			data := bytes.Clone(b.data)
			data[fields[0]] ^= change[0]
			data[fields[1]] ^= change[1]
			for _, tail := range []bool{false, true} {
				scan, got := b.visits(data, tail)
				require.Equal(t, 1, scan.DamageCount, "record %d, %v", i, change)
				require.Equal(t, []uint64{s.Sequence}, scan.Lost)
				require.Equal(t, int64(s.from), scan.Damage[0].Offset)
				require.Len(t, got, len(b.spans)-2)
				require.False(t, scan.Torn)
			}
		}
	}
}

// TestLengthsThatNobodyExplains: when it cannot be told which records of a frame have
// wrong lengths, none with content is served.
func TestLengthsThatNobodyExplains(t *testing.T) {
	b := newSweepBlock(measuring, 5).add(text(30)).add(text(40), tomb(1), text(50), skip(2)).add(text(10))
	data := bytes.Clone(b.data)
	data[b.spans[3].from+20] ^= 1
	data[b.spans[5].from+20] ^= 2
	for _, tail := range []bool{false, true} {
		scan, got := b.visits(data, tail)
		require.Equal(t, []uint64{2, 3}, scan.Lost)
		require.Equal(t, 2, scan.DamageCount)
		require.Len(t, got, 4)
	}
}

// TestDamagedFirstSequenceIsNamed: the sequence field of the first record of a block.
func TestDamagedFirstSequenceIsNamed(t *testing.T) {
	for _, m := range []marking{unmarked, counting, measuring} {
		b := newSweepBlock(m, 6)
		b.last = 700
		b.add(text(30), text(10)).add(text(20))
		first := b.spans[0]
		if m != unmarked {
			first = b.spans[1]
		}
		for bit := range 62 {
			data := bytes.Clone(b.data)
			data[first.from+4+bit/8] ^= 1 << (bit % 8)
			for _, tail := range []bool{false, true} {
				scan, _ := b.visits(data, tail)
				require.Equal(t, []uint64{701}, scan.Lost, "%v, bit %d", m, bit)
				require.Equal(t, uint64(701), scan.Damage[0].Sequence)
				require.False(t, scan.LostHead)
			}
		}
	}
}
