package blockio

import (
	"bytes"
	"encoding/binary"
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestZeroedSectorIsDamageOnceSomethingFollows: the same hole that makes the
// last frame torn is damage when a later frame is there, and costs what it hit.
func TestZeroedSectorIsDamageOnceSomethingFollows(t *testing.T) {
	rows := map[string]func() *testBlock{
		"single, then single": func() *testBlock { return newTestBlock(1).frame(100).frame(2000).frame(10) },
		"group, then single":  func() *testBlock { return newTestBlock(2).frame(100).frame(900, 800, 10, 700).frame(10) },
		"group, then group":   func() *testBlock { return newTestBlock(3).frame(100).frame(900, 800, 10, 700).frame(10, 20) },
		"group, then torn": func() *testBlock {
			b := newTestBlock(4).frame(100).frame(900, 800, 10, 700).frame(3000, 10)
			b.data = b.data[:b.starts[2]+EmptyRecordSize+1000]
			b.records = b.records[:len(b.records)-2]
			return b
		},
	}
	for name, make := range rows {
		t.Run(name, func(t *testing.T) {
			b := make()
			data := bytes.Clone(b.data)
			clear(data[1024:1536])
			scan, got := b.scan(data, true)
			require.Equal(t, 1, scan.DamageCount)
			require.Equal(t, name == "group, then torn", scan.Torn)
			require.Equal(t, scan.Torn, scan.Settle, "the cut takes the only proof with it")
			b.requireRecords(t, got, func(r testRecord) bool {
				return r.offset >= 1536 || r.offset+r.Size <= 1024
			}, "%s", name)
			if scan.Torn {
				settled := append(bytes.Clone(data[:scan.End]), make30(b.key)...)
				again, kept := b.scan(settled, true)
				require.False(t, again.Torn)
				require.Len(t, kept, len(got))
				again, _ = b.scan(data[:scan.End], true)
				require.True(t, again.Torn, "what Settle is for")
			}
		})
	}
}

func make30(key *RecordCodec) []byte {
	mark := make([]byte, EmptyRecordSize)
	key.PutGroupMark(mark, 0, 0)
	return mark
}

// TestHolesAcrossRecords: a zeroed stretch over several records costs these and
// names them all, as far as their heads are left.
func TestDamageAcrossRecordsNamesThem(t *testing.T) {
	b := newTestBlock(5)
	for range 12 {
		b.frame(100)
	}
	for _, r := range b.records[4:7] {
		b.data[r.offset+60]++
	}
	for _, tail := range []bool{false, true} {
		scan, got := b.scan(b.data, tail)
		require.Equal(t, []uint64{5, 6, 7}, scan.Lost)
		require.Equal(t, 1, scan.DamageCount)
		require.Equal(t, uint64(5), scan.Damage[0].Sequence)
		require.Len(t, got, 9)
	}
}

// TestForeignChangesToAGroup: nats-server knows no marks. What it takes out of a
// group is not damage, and what it adds is kept.
func TestForeignChangesToAGroup(t *testing.T) {
	b := newTestBlock(6).frame(10).frame(20, 30, 40).frame(50)
	third, fourth, fifth := b.records[2], b.records[3], b.records[4]
	cut := func(from, to int) []byte {
		return append(bytes.Clone(b.data[:from]), b.data[to:]...)
	}
	rows := []struct {
		name string
		data []byte
		gone []uint64
	}{
		{"one in the middle", cut(third.offset, fourth.offset), []uint64{3}},
		{"the last", cut(fourth.offset, fifth.offset), []uint64{4}},
		{"all but the mark", cut(b.records[1].offset, fifth.offset), []uint64{2, 3, 4}},
		{"the mark", cut(b.starts[1], b.records[1].offset), nil},
	}
	for _, row := range rows {
		for name, data := range map[string][]byte{"": row.data, ", a group behind": append(bytes.Clone(row.data), b.groupOf(6, 7)...)} {
			var got []uint64
			scan := ScanBlock("9.blk", 9, b.key, data, true, func(_ int64, r Record) { got = append(got, r.Sequence) })
			if row.name != "all but the mark" || name != "" {
				require.False(t, scan.Torn, row.name+name)
			}
			require.Zero(t, scan.DamageCount, row.name+name)
			for _, sequence := range row.gone {
				require.NotContains(t, got, sequence, row.name+name)
			}
			if !scan.Torn {
				require.Equal(t, int64(len(data)), scan.End)
				require.Contains(t, got, uint64(5), row.name+name)
			}
		}
	}
}

// groupOf encodes a group of messages with these sequences.
func (b *testBlock) groupOf(sequences ...uint64) []byte {
	var group []byte
	for _, sequence := range sequences {
		group = b.key.AppendMessage(group, sequence, 1, "x", nil, nil)
	}
	mark := make([]byte, EmptyRecordSize)
	b.key.PutGroupMark(mark, uint32(len(sequences)), uint32(len(group)))
	return append(mark, group...)
}

// TestMarks: what a mark can say besides the truth.
func TestMarks(t *testing.T) {
	b := newTestBlock(7).frame(10)
	mark := func(records, size uint32) []byte {
		raw := make([]byte, EmptyRecordSize)
		b.key.PutGroupMark(raw, records, size)
		return raw
	}
	message := b.key.AppendMessage(nil, 2, 1, "x", nil, nil)
	rows := []struct {
		name string
		tail []byte
		torn bool
		last uint64
	}{
		{"mark and nothing", mark(2, 100), true, 1},
		{"mark and zeros", append(mark(2, 100), make([]byte, 500)...), true, 1},
		{"mark of no records", mark(0, 0), false, 1},
		{"mark of none, then a message", append(mark(0, 0), message...), false, 2},
		{"bytes too few for the records", append(mark(9, 30), message...), false, 2},
		{"most of both", append(mark(MaxGroupRecords, 1<<32-1), message...), false, 2},
		{"as much as can be", append(mark(100_000_000, 1<<32-1), message...), true, 1},
		{"more bytes than there are", append(mark(1, 5000), message...), false, 2},
		{"fewer bytes than there are", append(mark(1, 30), message...), false, 2},
		{"of one record", append(mark(1, uint32(len(message))), message...), false, 2},
		{"mark behind mark", append(mark(5, 500), append(mark(1, uint32(len(message))), message...)...), false, 2},
	}
	for _, row := range rows {
		data := append(bytes.Clone(b.data), row.tail...)
		last := uint64(0)
		scan := ScanBlock("9.blk", 9, b.key, data, true, func(_ int64, r Record) {
			require.Equal(t, KindMessage, r.Kind)
			last = r.Sequence
		})
		require.Equal(t, row.torn, scan.Torn, row.name)
		require.Zero(t, scan.DamageCount, row.name)
		require.Equal(t, row.last, last, row.name)
		if !row.torn {
			require.Equal(t, int64(len(data)), scan.End, row.name)
		}
	}
}

// TestRecordsInsideAPayload: a payload may hold what is a valid record of the
// same block. Damage or a tear around it must not bring it to life.
func TestRecordsInsideAPayload(t *testing.T) {
	b := newTestBlock(8).frame(10)
	forged := b.key.AppendMessage(nil, 3, 1, "forged", nil, bytes.Repeat([]byte{7}, 50))
	forged = b.key.AppendMessage(forged, 4, 1, "forged", nil, nil)
	payload := append(bytes.Repeat([]byte{9}, 700), forged...)
	payload = append(payload, bytes.Repeat([]byte{9}, 700)...)
	carrier := b.key.AppendMessage(nil, 2, 1, "carrier", nil, payload)
	after := b.key.AppendMessage(nil, 5, 1, "after", nil, nil)
	visited := func(data []byte, tail bool) (got []uint64) {
		ScanBlock("9.blk", 9, b.key, data, tail, func(_ int64, r Record) {
			require.NotEqual(t, "forged", string(r.Subject))
			got = append(got, r.Sequence)
		})
		return got
	}
	start := len(b.data)
	for _, behind := range [][]byte{nil, after} {
		data := append(append(bytes.Clone(b.data), carrier...), behind...)
		for i := start; i < start+len(carrier); i++ {
			for _, bit := range bitsOf(i) {
				data[i] ^= 1 << bit
				for _, tail := range []bool{true, false} {
					if got := visited(data, tail); behind != nil {
						require.Contains(t, got, uint64(5), "byte %d bit %d", i, bit)
					}
				}
				data[i] ^= 1 << bit
			}
		}
	}
	// The same with a forged record right where a cleared bit of the length points.
	size := RecordSize(len("carrier"), 0, len(payload))
	for bit := 64; bit <= 1024; bit <<= 1 {
		if size&bit == 0 {
			continue
		}
		aimed := bytes.Repeat([]byte{9}, len(payload))
		copy(aimed[size-bit-headSize-len("carrier"):], forged)
		data := append(bytes.Clone(b.data), b.key.AppendMessage(nil, 2, 1, "carrier", nil, aimed)...)
		binary.LittleEndian.PutUint32(data[start:], uint32(size-bit))
		for _, tail := range []bool{true, false} {
			require.Equal(t, []uint64{1}, visited(data, tail), "bit %d", bit)
			require.Equal(t, []uint64{1, 5}, visited(append(bytes.Clone(data), after...), tail), "bit %d", bit)
		}
	}
	data := append(bytes.Clone(b.data), carrier...)
	for cut := start; cut < len(data); cut++ {
		require.Equal(t, []uint64{1}, visited(data[:cut], true), "cut %d", cut)
	}
}

// TestRecoveryOfTheRecoveredChangesNothing, for random damage and tears.
func TestRecoveryOfTheRecoveredChangesNothing(t *testing.T) {
	random := rand.New(rand.NewSource(9))
	for range 3000 {
		b := newTestBlock(random.Int63()).with([]marking{counting, measuring}[random.Intn(2)])
		for range 1 + random.Intn(6) {
			sizes := make([]int, 1+random.Intn(4))
			for i := range sizes {
				sizes[i] = random.Intn(600)
			}
			b.frame(sizes...)
		}
		data := bytes.Clone(b.data)
		for range random.Intn(3) {
			data[random.Intn(len(data))] ^= byte(1 << random.Intn(8))
		}
		data = data[:max(1, len(data)-random.Intn(1+random.Intn(200)))]
		data = append(data, make([]byte, random.Intn(2)*random.Intn(1000))...)
		first, kept := b.scan(data, true)
		if first.CutTo == 0 || first.Settle {
			continue
		}
		second, again := b.scan(data[:first.End], true)
		require.Equal(t, len(kept), len(again))
		require.False(t, second.Torn)
		require.LessOrEqual(t, second.End, first.End)
		require.True(t, allZero(data[second.End:first.End]), "damage that ends in zeros may look shorter")
		require.Equal(t, first.Lost, second.Lost)
	}
}

// TestGarbageIsBounded: bytes that look like a record nearly everywhere are given
// up in time, and take no memory to speak of.
func TestGarbageIsBounded(t *testing.T) {
	key := NewRecordCodec("TEST", 9)
	size := 8 << 20 / stride(8)
	fills := map[string]func(b []byte){
		"random":           func(b []byte) { rand.New(rand.NewSource(1)).Read(b) },
		"lengths of 64 K":  func(b []byte) { fillWith(b, 0x00, 0x01) },
		"lengths of 16 M":  func(b []byte) { fillWith(b, 0x01) },
		"text":             func(b []byte) { fillWith(b, 'a', 'b', ' ') },
		"heads every 22":   func(b []byte) { fillHeads(b, 1<<20) },
		"small heads":      func(b []byte) { fillHeads(b, 64) },
		"lengths of a few": func(b []byte) { fillWith(b, 0x40, 0, 0, 0) },
	}
	for name, fill := range fills {
		data := make([]byte, size)
		fill(data)
		for _, tail := range []bool{false, true} {
			begin := time.Now()
			scan := ScanBlock("9.blk", 9, key, data, tail, func(int64, Record) { t.Error("a record in garbage") })
			require.LessOrEqual(t, len(scan.Damage), MaxDamageReports)
			require.Less(t, time.Since(begin), 5*time.Second, name)
			t.Logf("%s: tail %v: %v", name, tail, time.Since(begin))
		}
	}
}

func fillWith(b []byte, pattern ...byte) {
	for i := range b {
		b[i] = pattern[i%len(pattern)]
	}
}

// fillHeads fills b with the heads of records of that size, one after the other.
func fillHeads(b []byte, size uint32) {
	for i := 0; i+headSize <= len(b); i += headSize {
		binary.LittleEndian.PutUint32(b[i:], size)
		binary.LittleEndian.PutUint64(b[i+4:], uint64(i+1))
		binary.LittleEndian.PutUint16(b[i+20:], 5)
	}
}

// TestManyDamagedRecordsAreCounted: reports are bounded, counts are not.
func TestManyDamagedRecordsAreCounted(t *testing.T) {
	b := newTestBlock(10)
	for range 2 * (MaxDamageReports + 10) {
		b.frame(1)
	}
	for i, r := range b.records {
		if i%2 == 1 {
			b.data[r.offset+15]++
		}
	}
	scan, got := b.scan(b.data, true)
	require.Len(t, scan.Damage, MaxDamageReports)
	require.Equal(t, MaxDamageReports+10, scan.DamageCount)
	require.Len(t, scan.Lost, MaxDamageReports+10)
	require.Len(t, got, MaxDamageReports+10)
}

func TestDamageSaysWhere(t *testing.T) {
	b := newTestBlock(11).frame(10).frame(20).frame(30)
	b.data[b.starts[1]+30]++
	scan, _ := b.scan(b.data, true)
	require.EqualError(t, scan.Damage[0], "9.blk is damaged at byte 45, with sequence 2: checksum mismatch")
	require.ErrorIs(t, scan.Damage[0], ErrCorrupt)
	require.NotContains(t, scan.Damage[0].Error(), "sub.")
}
