package blockio

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// kept returns what a scan visits, as offsets.
func keptOf(key *RecordCodec, data []byte, tail bool) (offsets []int64, scan BlockScan) {
	scan = ScanBlock("9.blk", 9, key, data, tail, func(offset int64, _ Record) { offsets = append(offsets, offset) })
	return offsets, scan
}

// TestCutBehindEveryRecord: what is before the cut is as it was, at the same places, and the block can be gone on
// with; what tombstones are behind it is told.
func TestCutBehindEveryRecord(t *testing.T) {
	for _, m := range markings {
		b := mixed(t, m)
		before := bytes.Clone(b.data)
		for i, s := range append([]span{{}}, b.spans...) {
			end := int64(s.to)
			if s.Kind == KindGroupMark {
				_, err := Cut("9.blk", 9, b.key, b.data, end, 100)
				require.ErrorIs(t, err, ErrOffset, "%v: behind a mark", m)
				continue
			}
			out, err := Cut("9.blk", 9, b.key, b.data, end, 39)
			require.NoError(t, err, "%v: record %d", m, i)
			require.Equal(t, before, b.data)
			require.Len(t, out.Data, int(end))
			var want []int64
			var tombstones []Tombstone
			for _, s := range b.spans {
				switch {
				case s.Kind == KindGroupMark:
				case int64(s.to) <= end:
					want = append(want, int64(s.from))
					require.Equal(t, b.data[s.from:s.to], out.Data[s.from:s.to])
				case s.Kind == KindTombstone && s.Sequence < 40:
					tombstones = append(tombstones, Tombstone{s.Sequence, s.Time})
				}
			}
			require.Equal(t, tombstones, out.Tombstones)
			crc := ScanBlock("9.blk", 9, b.key, out.Data, false, nil).MarkCRC
			for _, tail := range []bool{false, true} {
				got, scan := keptOf(b.key, out.Data, tail)
				require.Equal(t, want, got)
				require.Equal(t, BlockScan{End: end, MarkCRC: crc}, scan, "%v: record %d", m, i)
			}
			again := &sweepBlock{key: b.key, marking: m, random: b.random, data: bytes.Clone(out.Data), last: 50, crc: crc}
			again.add(text(30), titled(10))
			got, scan := keptOf(b.key, again.data, true)
			require.Len(t, got, len(want)+2)
			require.Zero(t, scan.DamageCount)
		}
		for end := range int64(len(b.data)) {
			if _, err := Cut("9.blk", 9, b.key, b.data, end, 100); err != nil {
				require.ErrorIs(t, err, ErrOffset)
			}
		}
		_, err := Cut("9.blk", 9, b.key, b.data, int64(len(b.data))+1, 100)
		require.ErrorIs(t, err, ErrOffset)
	}
}

// TestTheMarkOfACutFrame: every byte of it.
func TestTheMarkOfACutFrame(t *testing.T) {
	for _, row := range []struct {
		m    marking
		want string
	}{
		{counting, "1e000000000000000000004050000000020000000000fa88853f985fc355"},
		{measuring, "1e000000000000000000004066f69d3750000080000098ebb3ea97d29586"},
	} {
		b := newSweepBlock(row.m, 1).add(text(5)).add(text(5), text(5), text(5))
		cut := b.spans[len(b.spans)-2].to
		out, err := Cut("", 9, b.key, b.data, int64(cut), 9)
		require.NoError(t, err)
		mark := b.spans[len(b.spans)-4].from
		require.Equal(t, row.want, hex.EncodeToString(out.Data[mark:mark+EmptyRecordSize]), "%v", row.m)
	}
}

// TestACutLeavesDamageWhereItIs: no damaged record before the cut becomes a valid one, and none that was kept is
// lost, wherever a bit flips.
func TestACutLeavesDamageWhereItIs(t *testing.T) {
	for _, m := range markings {
		b := newSweepBlock(m, 8).add(text(40)).add(text(30), titled(20), tomb(1), titled(10), text(9)).add(text(10), text(20))
		for _, s := range b.spans[len(b.spans)-6:] {
			if s.Kind == KindGroupMark {
				continue
			}
			for at := range b.data[:s.to] {
				data := bytes.Clone(b.data)
				data[at] ^= 1 << (at % 8)
				before, scan := keptOf(b.key, data, false)
				out, err := Cut("9.blk", 9, b.key, data, int64(s.to), 100)
				if err != nil {
					require.ErrorIs(t, err, ErrOffset, "the damage is there")
					continue
				}
				var want []int64
				for _, offset := range before {
					if offset < int64(s.to) {
						want = append(want, offset)
					}
				}
				got, left := keptOf(b.key, out.Data, false)
				require.Equal(t, want, got, "%v: byte %d, cut at %d", m, at, s.to)
				if scan.DamageCount > 0 && scan.Damage[0].Offset < int64(s.to) {
					require.Positive(t, left.DamageCount, "%v: byte %d, cut at %d", m, at, s.to)
				}
			}
		}
	}
}
