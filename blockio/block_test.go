package blockio

import (
	"bytes"
	"fmt"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"
)

// A testBlock is a block made of frames, with what is in it.
type testBlock struct {
	key     *RecordCodec
	data    []byte
	starts  []int // of the frames
	records []testRecord
	last    uint64
	random  *rand.Rand
	marking marking
	crc     uint32 // of the last mark
}

type testRecord struct {
	offset int
	frame  int
	Record
}

func newTestBlock(seed int64) *testBlock {
	return &testBlock{key: NewRecordCodec("TEST", 9), marking: counting, random: rand.New(rand.NewSource(seed))}
}

// with says which marks the frames have that are added.
func (b *testBlock) with(m marking) *testBlock {
	b.marking = m
	return b
}

// frame adds a group of messages with payloads of these sizes.
func (b *testBlock) frame(payloads ...int) *testBlock {
	var group []byte
	start := len(b.data)
	b.starts = append(b.starts, start)
	offset := start
	marked := len(payloads) > 1 || b.marking == measuring
	if marked {
		offset += EmptyRecordSize
	}
	for _, size := range payloads {
		b.last++
		payload := make([]byte, size)
		for i := range payload {
			payload[i] = byte(1 + b.random.Intn(255))
		}
		var header []byte
		if b.last%3 == 0 {
			header = []byte("NATS/1.0\r\nA: b\r\n\r\n")
		}
		subject := fmt.Sprintf("sub.%d", b.last)
		at := len(group)
		group = b.key.AppendMessage(group, b.last, int64(goldenTime+b.last), subject, header, payload)
		b.added(offset+at, group[at:])
		b.crc = LengthsCRC(b.crc, group[at:])
	}
	if marked {
		mark := make([]byte, EmptyRecordSize)
		b.key.PutGroupMark(mark, uint32(len(payloads)), uint32(len(group)))
		if b.marking == measuring {
			b.key.PutFrameMark(mark, uint32(len(group)), b.crc)
		}
		b.data = append(b.data, mark...)
	}
	b.data = append(b.data, group...)
	return b
}

// tombstone adds a frame that is a tombstone.
func (b *testBlock) tombstone(sequence uint64) *testBlock {
	b.starts = append(b.starts, len(b.data))
	raw := b.key.AppendTombstone(nil, sequence, goldenTime)
	b.added(len(b.data), raw)
	b.data = append(b.data, raw...)
	return b
}

func (b *testBlock) added(offset int, raw []byte) {
	r, err := b.key.Decode(bytes.Clone(raw))
	if err != nil {
		panic(err)
	}
	b.records = append(b.records, testRecord{offset: offset, frame: len(b.starts) - 1, Record: r})
}

// scan returns the result and what was visited.
func (b *testBlock) scan(data []byte, tail bool) (BlockScan, []testRecord) {
	var got []testRecord
	scan := ScanBlock("9.blk", 9, b.key, data, tail, func(offset int64, r Record) {
		got = append(got, testRecord{offset: int(offset), Record: r})
	})
	return scan, got
}

// same: the record is the original, or differs by the lengths' window alone:
// the checksum does not cover where subject, header and payload meet.
func (b *testBlock) same(want, got testRecord) bool {
	join := func(r Record) string { return string(r.Subject) + string(r.Header) + string(r.Payload) }
	return want.Kind == got.Kind && want.Sequence == got.Sequence && want.Time == got.Time &&
		want.Size == got.Size && want.offset == got.offset && join(want.Record) == join(got.Record)
}

// requireRecords: got is exactly the records for which keep is true.
func (b *testBlock) requireRecords(t *testing.T, got []testRecord, keep func(testRecord) bool, note string, args ...any) {
	t.Helper()
	i := 0
	for _, want := range b.records {
		if !keep(want) {
			continue
		}
		if i >= len(got) || !b.same(want, got[i]) {
			require.Failf(t, "record missing or wrong", "offset %d sequence %d: %s", want.offset, want.Sequence, fmt.Sprintf(note, args...))
		}
		i++
	}
	if i != len(got) {
		require.Failf(t, "record that should not be there", "offset %d sequence %d: %s", got[i].offset, got[i].Sequence, fmt.Sprintf(note, args...))
	}
}

func all(testRecord) bool { return true }

func TestScanKeepsAWholeBlock(t *testing.T) {
	b := newTestBlock(1).frame(10).frame(20, 30, 40).tombstone(2).frame(1000).frame(0, 0)
	for _, tail := range []bool{false, true} {
		for _, zeros := range []int{0, 1, 7, 8, 29, 30, 512, 5000} {
			scan, got := b.scan(append(bytes.Clone(b.data), make([]byte, zeros)...), tail)
			require.Equal(t, BlockScan{End: int64(len(b.data))}, scan)
			b.requireRecords(t, got, all, "zeros %d", zeros)
		}
	}
	scan, got := b.scan(nil, true)
	require.Equal(t, BlockScan{}, scan)
	require.Empty(t, got)
	scan, _ = b.scan(make([]byte, 100), true)
	require.Equal(t, BlockScan{}, scan)
}

// TestScanSaysWhatIsWrong with a record, and where it is.
func TestScanSaysWhatIsWrong(t *testing.T) {
	b := newTestBlock(1).frame(10).frame(20).frame(30)
	data := bytes.Clone(b.data)
	data[b.starts[1]+40]++
	for _, row := range []struct {
		data     []byte
		reason   string
		sequence uint64
		kept     []uint64
	}{
		{data, "checksum mismatch", 2, []uint64{1, 3}},
		{b.data[:b.starts[1]+25], "record is cut short", 2, []uint64{1}},
	} {
		scan, got := b.scan(row.data, false)
		require.Len(t, scan.Damage, 1, row.reason)
		damage := scan.Damage[0]
		require.Equal(t, row.reason, damage.Reason)
		require.Equal(t, int64(b.starts[1]), damage.Offset)
		require.Equal(t, row.sequence, damage.Sequence)
		require.Equal(t, int64(len(row.data)), scan.End)
		var kept []uint64
		for _, r := range got {
			kept = append(kept, r.Sequence)
		}
		require.Equal(t, row.kept, kept)
	}
}

// TestSequencesGoForward: what every reader of the format ignores is not
// visited, and is not damage either.
func TestSequencesGoForward(t *testing.T) {
	key := NewRecordCodec("TEST", 9)
	var data []byte
	for _, sequence := range []uint64{5, 6, 6, 3, 9} {
		data = key.AppendMessage(data, sequence, 1, "a", nil, nil)
	}
	data = key.AppendSkip(data, 8, 1)
	data = key.AppendSkip(data, 12, 1)
	data = key.AppendTombstone(data, 5, 1)
	for _, tail := range []bool{false, true} {
		var got []uint64
		scan := ScanBlock("9.blk", 9, key, data, tail, func(_ int64, r Record) { got = append(got, r.Sequence) })
		require.Equal(t, []uint64{5, 6, 9, 12, 5}, got)
		require.Equal(t, BlockScan{End: int64(len(data))}, scan)
	}
}

// TestAnyFlippedBitCostsItsRecord goes through every bit of small blocks. A flip
// costs the record it is in, or nothing; it is never taken for a torn tail; and
// what is kept is what was written, but for the lengths' window.
func TestAnyFlippedBitCostsItsRecord(t *testing.T) {
	blocks := map[string]*testBlock{
		"singles":          newTestBlock(2).frame(10).frame(70).frame(0).frame(33).frame(5),
		"group last":       newTestBlock(3).frame(10).frame(600, 20, 30),
		"single last":      newTestBlock(4).frame(20, 30, 40).frame(700),
		"groups":           newTestBlock(5).frame(20, 30).frame(1, 2, 3).frame(9, 9),
		"tombstones":       newTestBlock(6).frame(20, 30).tombstone(1).frame(8).tombstone(2),
		"one record":       newTestBlock(7).frame(20),
		"a group alone":    newTestBlock(8).frame(20, 600),
		"lengths near 512": newTestBlock(9).frame(512 - 35 - 3).frame(300).frame(34 + 64),
	}
	for name, b := range blocks {
		for _, tail := range []bool{false, true} {
			for _, zeros := range []int{0, 700} {
				t.Run(fmt.Sprintf("%s/tail=%v/zeros=%d", name, tail, zeros), func(t *testing.T) {
					b.flipAll(t, tail, zeros)
				})
			}
		}
	}
}

// bitsOf returns the bits of a byte that a sweep flips: all, or one, which differs from byte to byte, in a short run.
func bitsOf(i int) []int {
	if testing.Short() {
		return []int{i % 8}
	}
	return []int{0, 1, 2, 3, 4, 5, 6, 7}
}

func (b *testBlock) flipAll(t *testing.T, tail bool, zeros int) {
	data := append(bytes.Clone(b.data), make([]byte, zeros)...)
	for i := range b.data {
		for _, bit := range bitsOf(i) {
			data[i] ^= 1 << bit
			scan, got := b.scan(data, tail)
			require.False(t, scan.Torn, "byte %d bit %d: torn %v", i, bit, scan)
			touched := func(r testRecord) bool { return i >= r.offset && i < r.offset+r.Size }
			if scan.DamageCount == 0 { // the lengths' window
				b.requireRecords(t, got, all, "byte %d bit %d", i, bit)
			} else {
				// What a tombstone said holds.
				b.requireRecords(t, got, func(r testRecord) bool { return !touched(r) || r.Kind == KindTombstone }, "byte %d bit %d", i, bit)
				require.Equal(t, 1, scan.DamageCount, "byte %d bit %d", i, bit)
				b.requireDamage(t, scan, i, touched)
			}
			require.Equal(t, int64(len(b.data)), scan.End, "byte %d bit %d", i, bit)
			data[i] ^= 1 << bit
		}
	}
}

// requireDamage: the report names the touched record, and its sequence unless
// nothing can tell it.
func (b *testBlock) requireDamage(t *testing.T, scan BlockScan, i int, touched func(testRecord) bool) {
	damage := scan.Damage[0]
	for n, r := range b.records {
		if !touched(r) {
			continue
		}
		require.Equal(t, int64(r.offset), damage.Offset)
		require.Equal(t, int64(r.Size), scan.LostBytes)
		inSequence := i >= r.offset+4 && i < r.offset+12
		if r.Kind == KindMessage && (!inSequence || n == len(b.records)-1) {
			require.Equal(t, []uint64{r.Sequence}, scan.Lost, "byte %d", i)
			require.Equal(t, r.Sequence, damage.Sequence)
		}
		return
	}
	require.LessOrEqual(t, damage.Offset, int64(i)) // a mark
	require.Equal(t, int64(EmptyRecordSize), scan.LostBytes)
	require.Empty(t, scan.Lost)
}

// TestSealedBlockAtEveryLength: nothing of a sealed block is cut, and a record
// that is not all there is damage.
func TestSealedBlockAtEveryLength(t *testing.T) {
	b := newTestBlock(2).frame(10).frame(70, 40).frame(0).frame(33)
	ends := map[int]bool{0: true, b.starts[1] + EmptyRecordSize: true}
	for _, r := range b.records {
		ends[r.offset+r.Size] = true
	}
	for n := range len(b.data) + 1 {
		scan, got := b.scan(b.data[:n], false)
		require.False(t, scan.Torn)
		require.Zero(t, scan.CutTo)
		require.Equal(t, ends[n], scan.DamageCount == 0, "length %d", n)
		b.requireRecords(t, got, func(r testRecord) bool { return r.offset+r.Size <= n }, "length %d", n)
	}
}
