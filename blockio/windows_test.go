package blockio

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// upTo adds a single whose end is at offset end.
func (b *testBlock) upTo(end int) *testBlock {
	subject := len("sub.") + len(strconv.FormatUint(b.last+1, 10))
	header := 0
	if (b.last+1)%3 == 0 {
		header = 18
	}
	return b.frame(end - len(b.data) - RecordSize(subject, header, 0))
}

// TestZeroedSectorWhereAFrameBegins: with nothing left of a mark, the bytes may be
// those of a group that lost it. A mark behind them shows that they are not; so do
// more data than a cut would keep. docs/recovery.md names what is left.
func TestZeroedSectorWhereAFrameBegins(t *testing.T) {
	begin := func() *testBlock { return newTestBlock(1).upTo(512).frame(900).frame(10).frame(20) }
	rows := []struct {
		name string
		b    *testBlock
		torn bool
	}{
		{"singles", begin(), true},
		{"singles and a group", begin().frame(5, 6), false},
		{"many singles", begin().frame(lostMarkReach), false},
	}
	for _, row := range rows {
		data := bytes.Clone(row.b.data)
		clear(data[512:1024])
		scan, got := row.b.scan(data, true)
		require.Equal(t, row.torn, scan.Torn, row.name)
		if row.torn {
			require.Equal(t, int64(512), scan.End)
			require.LessOrEqual(t, scan.CutTo-scan.CutFrom, int64(SetAsideLimit), "all of it is kept aside")
			continue
		}
		require.Equal(t, 1, scan.DamageCount)
		require.Equal(t, []uint64{2}, scan.Lost, "its neighbours tell the sequence among the zeros")
		row.b.requireRecords(t, got, func(r testRecord) bool { return r.Sequence != 2 }, "%s", row.name)
	}
}

// TestBigGroupThatLostItsMark: where the frame before it shares the sector, zeros
// from the very end of that prove a lost write, whatever the size.
func TestBigGroupThatLostItsMark(t *testing.T) {
	b := newTestBlock(4).upTo(300).frame(400, lostMarkReach, 30)
	data := bytes.Clone(b.data)
	clear(data[300:512])
	scan, got := b.scan(data, true)
	require.True(t, scan.Torn)
	require.Zero(t, scan.DamageCount)
	require.Equal(t, int64(300), scan.End)
	require.Len(t, got, 1)
}

// TestZerosThatBelongToARecord: where only a few bytes of the last frame are in a
// sector they can be zeros in an intact record, so a flip elsewhere is no tear.
func TestZerosThatBelongToARecord(t *testing.T) {
	first := newTestBlock(2).upTo(511)
	first.frame(256 - RecordSize(len("sub.2"), 0, 0)) // its length begins with a zero byte
	require.Zero(t, first.data[511])
	requireFlipIsDamage(t, first, 511+100)

	last := newTestBlock(3)
	for seed := int64(3); last.data == nil || last.data[512] != 0; seed++ {
		last = newTestBlock(seed).frame(10).upTo(513) // its checksum ends with one
	}
	requireFlipIsDamage(t, last, 300)
	last.frame(3, 4) // the same in a group
	for seed := int64(3); last.data[len(last.data)-1] != 0; seed++ {
		last = newTestBlock(seed).frame(10)
		last.frame(300, 513-len(last.data)-EmptyRecordSize-RecordSize(5, 0, 300)-RecordSize(5, 18, 0))
		require.Len(t, last.data, 513)
	}
	requireFlipIsDamage(t, last, 480)
}

func requireFlipIsDamage(t *testing.T, b *testBlock, at int) {
	t.Helper()
	for _, zeros := range []int{0, 600} {
		data := append(bytes.Clone(b.data), make([]byte, zeros)...)
		data[at] ^= 0x10
		scan, got := b.scan(data, true)
		require.False(t, scan.Torn)
		require.Equal(t, 1, scan.DamageCount)
		require.Equal(t, []uint64{b.last}, scan.Lost)
		require.Equal(t, int64(len(b.data)), scan.End)
		b.requireRecords(t, got, func(r testRecord) bool { return r.Sequence != b.last }, "zeros %d", zeros)
	}
}
