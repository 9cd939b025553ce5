package blockio

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// mixed is a block with records of all kinds: messages 1 to 3, 7 and 9 to 13, tombstones of 2, 40 and 10, a skip
// to 6, and 8 erased.
func mixed(t *testing.T, m marking) *sweepBlock {
	t.Helper()
	b := newSweepBlock(m, 5).add(text(40), titled(30), text(0)).add(tomb(2)).add(skip(3)).add(text(700))
	b.add(func(b *sweepBlock, frame []byte) []byte {
		at := len(frame)
		frame = b.message(frame, nil, b.noise(50))
		require.NoError(t, b.key.putErased(frame[at:], b.last, bytes.NewReader(b.noise(100))))
		return frame
	})
	return b.add(text(10), tomb(40), titled(20), text(9)).add(text(1), tomb(10), text(300))
}

// anyOf is a Compaction that keeps messages and tombstones of these sequences.
func anyOf(provesLast uint64, sequences ...uint64) Compaction {
	among := func(sequence uint64) bool { return slices.Contains(sequences, sequence) }
	return Compaction{Live: among, KeepTombstone: among, ProvesLast: provesLast}
}

var markings = []marking{unmarked, counting, measuring}

// TestCompactKeepsWhatItIsTold: messages and tombstones as they are, in their order, in frames of their own.
func TestCompactKeepsWhatItIsTold(t *testing.T) {
	for _, m := range markings {
		b := mixed(t, m)
		before := bytes.Clone(b.data)
		for _, row := range []struct {
			name string
			c    Compaction
			want []uint64
			skip int64 // time of the skip at the end, 0 for none
		}{
			{"all", anyOf(0, 1, 2, 3, 7, 9, 10, 11, 12, 13, 40), []uint64{1, 2, 3, 2, 7, 9, 40, 10, 11, 12, 10, 13}, 0},
			{"some", anyOf(12, 3, 12, 10), []uint64{3, 10, 12, 10}, 0},
			{"the end is dead", anyOf(0, 1), []uint64{1}, 0},
			{"and accounted for", anyOf(13, 1), []uint64{1, 13}, goldenTime + 13},
			{"in part", anyOf(8, 1), []uint64{1, 8}, goldenTime + 7},
			{"beyond the block", anyOf(20, 7), []uint64{7, 20}, goldenTime + 13},
			{"tombstones alone", anyOf(0, 40), []uint64{40}, 0},
			{"a skip alone", anyOf(13), []uint64{13}, goldenTime + 13},
		} {
			out, err := Compact("9.blk", 9, b.key, b.data, row.c)
			require.NoError(t, err, row.name)
			require.Equal(t, before, b.data)
			var got []uint64
			messages, size := 0, int64(0)
			for _, tail := range []bool{false, true} {
				got, messages, size = nil, 0, 0
				scan := ScanBlock("", 9, b.key, out.Data, tail, func(offset int64, r Record) {
					got = append(got, r.Sequence)
					record := out.Data[offset : offset+int64(r.Size)]
					if r.Kind == KindSkip {
						require.Equal(t, row.skip, r.Time, row.name)
						return
					}
					require.True(t, bytes.Contains(before, record), "as it was")
					if r.Kind == KindMessage {
						messages++
						size += int64(r.Size)
					}
				})
				require.Equal(t, BlockScan{End: int64(len(out.Data)), MarkCRC: scan.MarkCRC}, scan, row.name)
			}
			require.Equal(t, row.want, got, "%s, %v", row.name, m)
			require.Equal(t, Compacted{out.Data, messages, size}, out)
		}
		out, err := Compact("9.blk", 9, b.key, b.data, anyOf(0))
		require.NoError(t, err)
		require.Equal(t, Compacted{}, out, "nothing is left")
	}
}

// TestFloorsOfACompactedBlock stay, unless they are told not to.
func TestFloorsOfACompactedBlock(t *testing.T) {
	key := NewRecordCodec("S", 1)
	data := key.AppendFloor(key.AppendFloor(key.AppendMessage(nil, 9, 1, "a", nil, nil), 5), 7)
	for _, row := range []struct {
		keep func(first uint64) bool
		want []uint64
	}{
		{nil, []uint64{5, 7}},
		{func(first uint64) bool { return first == 7 }, []uint64{7}},
		{func(uint64) bool { return false }, nil},
	} {
		c := anyOf(9)
		c.KeepFloor = row.keep
		out, err := Compact("", 1, key, data, c)
		require.NoError(t, err)
		var floors []uint64
		ScanBlock("", 1, key, out.Data, false, func(_ int64, r Record) {
			if first, ok := r.Floor(); ok {
				floors = append(floors, first)
				return
			}
			require.Equal(t, []any{KindSkip, uint64(9), int64(1)}, []any{r.Kind, r.Sequence, r.Time})
		})
		require.Equal(t, row.want, floors)
	}
}

// TestCompactedBytes: every byte of a small block.
func TestCompactedBytes(t *testing.T) {
	key := NewRecordCodec("ORDERS", 7)
	data := key.AppendMessage(nil, 5, goldenTime, "a.b", nil, []byte("first"))
	data = key.AppendMessage(data, 6, goldenTime+1, "a.c", nil, []byte("second"))
	data = key.AppendTombstone(data, 2, goldenTime-9)
	out, err := Compact("7.blk", 7, key, data, anyOf(6, 5, 2))
	require.NoError(t, err)
	require.Equal(t, compactedGolden, hex.EncodeToString(out.Data))
}

// TestADamagedBlockIsNotCompacted: a damaged record is no dead one, whatever is damaged and whatever is live.
func TestADamagedBlockIsNotCompacted(t *testing.T) {
	b := mixed(t, measuring)
	for at := range b.data {
		data := bytes.Clone(b.data)
		data[at] ^= 1 << (at % 8)
		_, err := Compact("9.blk", 9, b.key, data, anyOf(0))
		if erased := b.spans[slices.IndexFunc(b.spans, func(s span) bool { return at < s.to })]; erased.Kind == KindErased && at-erased.from == 20 {
			continue // it has no subject, whatever the length says
		}
		require.ErrorIs(t, err, ErrCorrupt, "byte %d", at)
		require.ErrorContains(t, err, "9.blk")
	}
}

// TestDamageInACompactedBlockStaysSmall: it costs the record that it is in, also when the block is the last one
// with anything in it, and a whole sector is zeros.
func TestDamageInACompactedBlockStaysSmall(t *testing.T) {
	b := newSweepBlock(unmarked, 3)
	for range 40 {
		b.add(titled(b.random.Intn(200)))
	}
	out, err := Compact("", 9, b.key, b.data, Compaction{Live: func(s uint64) bool { return s%3 > 0 }})
	require.NoError(t, err)
	sequences := func(data []byte, tail bool) (kept []uint64, scan BlockScan) {
		scan = ScanBlock("", 9, b.key, data, tail, func(_ int64, r Record) { kept = append(kept, r.Sequence) })
		return kept, scan
	}
	all, _ := sequences(out.Data, false)
	for at := range out.Data {
		data := bytes.Clone(out.Data)
		data[at] ^= 1 << (at % 8)
		for _, tail := range []bool{false, true} {
			kept, scan := sequences(data, tail)
			require.False(t, scan.Torn, "byte %d", at)
			require.GreaterOrEqual(t, len(kept), len(all)-1, "byte %d, tail %v", at, tail)
		}
	}
	for at := 512; at+512 < len(out.Data); at += 512 {
		data := bytes.Clone(out.Data)
		clear(data[at : at+512])
		kept, scan := sequences(data, true)
		require.False(t, scan.Torn, "sector at %d", at)
		require.Positive(t, scan.DamageCount)
		require.Less(t, len(kept), len(all))
	}
}

// TestFramesOfACompactedBlockAreSmall, except where a record is not.
func TestFramesOfACompactedBlockAreSmall(t *testing.T) {
	b := newSweepBlock(measuring, 3)
	for i := range 60 {
		b.add(text(9000 + i%2*70000))
	}
	out, err := Compact("", 9, b.key, b.data, Compaction{Live: func(uint64) bool { return true }})
	require.NoError(t, err)
	require.Equal(t, 60, out.Messages)
	var sizes []int
	var r Record
	for at := 0; at < len(out.Data); at += r.frameSize() {
		require.NoError(t, b.key.DecodeInto(out.Data[at:], &r))
		require.Equal(t, KindGroupMark, r.Kind)
		sizes = append(sizes, r.frameSize())
	}
	require.Equal(t, EmptyRecordSize, sizes[len(sizes)-1])
	for _, size := range sizes {
		require.Less(t, size, 2*compactFrame)
	}
	require.Len(t, sizes, 61)
}

// TestNoCompactedBlockLooksCompressed: not even one whose first record had that length.
func TestNoCompactedBlockLooksCompressed(t *testing.T) {
	key := NewRecordCodec("S", 1)
	const length = 0x706d63
	data := key.AppendSkip(nil, 1, 1)
	data = key.AppendMessage(data, 2, 1, "a", nil, make([]byte, length-RecordSize(1, 0, 0)))
	require.True(t, LooksCompressed(length))
	out, err := Compact("", 1, key, data, anyOf(0, 2))
	require.NoError(t, err)
	_, _, _, compressed := compressedAlgorithm(out.Data)
	require.False(t, compressed)
	require.Equal(t, 1, out.Messages)
}

const compactedGolden = "1e0000000000000000000040d2458a07620000800000fd5329236d7cb0aa" + // the mark
	"26000000050000000000000000002a36fe9c97170300612e626669727374aaa93660ef502f10" + // message 5
	"1e0000000200000000000040f7ff2936fe9c97170000de33eefd2992c0b1" + // tombstone of 2
	"1e000000060000000000008001002a36fe9c971700005b6f4fc8e685cef0" + // skip 6
	"1e0000000000000000000040d2458a07000000800000b5d3a63acc928273" // a mark of nothing

// TestAFlipInTheLastMark costs that mark alone: nothing was behind it, whatever its length says.
func TestAFlipInTheLastMark(t *testing.T) {
	key := NewRecordCodec("S", 1)
	out, err := Compact("", 1, key, key.AppendMessage(nil, 8, 1, "a", nil, []byte("text")), anyOf(8, 8))
	require.NoError(t, err)
	require.True(t, key.Complete(out.Data))
	for bit := range 8 * EmptyRecordSize {
		data := bytes.Clone(out.Data)
		data[len(data)-EmptyRecordSize+bit/8] ^= 1 << (bit % 8)
		require.False(t, key.Complete(data))
		scan := ScanBlock("", 1, key, data, false, nil)
		require.Equal(t, 1, scan.DamageCount, "bit %d", bit)
		require.Empty(t, scan.Lost, "bit %d", bit)
		require.False(t, scan.LostHead || scan.LostEnd, "bit %d", bit)
	}
	require.False(t, key.Complete(out.Data[:len(out.Data)-EmptyRecordSize]))
	require.False(t, key.Complete(nil))
}
