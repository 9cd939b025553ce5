package blockio

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// tornRows are blocks whose last frame is the one that may be torn, at all kinds
// of places relative to the sectors.
func tornRows(m marking) map[string]*testBlock {
	begin := func(seed int64) *testBlock { return newTestBlock(seed).with(m) }
	mark := 0 // before a single record
	if m == measuring {
		mark = EmptyRecordSize
	}
	rows := map[string]*testBlock{
		"single at 0":         begin(1).frame(1200),
		"small single at 0":   begin(2).frame(10),
		"group at 0":          begin(3).frame(300, 500, 400),
		"small group at 0":    begin(4).frame(10, 20),
		"group of tiny":       begin(5).frame(100).frame(0, 0, 0, 1, 2, 0, 40, 0, 0, 9, 12, 0, 0, 0, 1, 1, 1, 1),
		"group after group":   begin(6).frame(100, 200).frame(300, 700, 10),
		"single after group":  begin(7).frame(100, 200).frame(900),
		"single with trailer": begin(8).frame(60).frame(70).frame(512),
	}
	// A group and a single that begin at each place around a sector's end.
	first := mark + RecordSize(len("sub.1"), 0, 0)
	for at := 512 - 40; at <= 512+2; at++ {
		rows[fmt.Sprintf("group at %d", at)] = begin(int64(at)).frame(at-first).frame(200, 300, 330)
		rows[fmt.Sprintf("single at %d", at)] = begin(int64(at)).frame(at - first).frame(900)
		rows[fmt.Sprintf("small single at %d", at)] = begin(int64(at)).frame(at - first).frame(20)
	}
	// Ones that end at each place around it.
	for end := 1024 - 10; end <= 1024+10; end++ {
		b := begin(int64(end)).frame(100)
		room := end - len(b.data) - mark - RecordSize(len("sub.2"), 0, 0)
		rows[fmt.Sprintf("single up to %d", end)] = b.frame(room)
		b = begin(int64(end)).frame(100)
		room = end - len(b.data) - EmptyRecordSize - RecordSize(len("sub.2"), 0, 300) - RecordSize(len("sub.3"), 18, 0)
		rows[fmt.Sprintf("group up to %d", end)] = b.frame(300, room)
	}
	return rows
}

// bothMarks returns the blocks with marks of the first kind and of the second.
func bothMarks(rows func(m marking) map[string]*testBlock) map[string]*testBlock {
	all := make(map[string]*testBlock)
	for _, m := range []marking{counting, measuring} {
		for name, b := range rows(m) {
			all[fmt.Sprintf("%v/%s", m, name)] = b
		}
	}
	return all
}

// requireTorn: data has the last frame in part, so all of it is cut, and nothing
// is called damage; or there is no difference to all of it being there.
func (b *testBlock) requireTorn(t *testing.T, data []byte, note string, args ...any) {
	t.Helper()
	n := len(b.starts) - 1
	start := b.starts[n]
	scan, got := b.scan(data, true)
	if bytes.HasPrefix(data, b.data) {
		want := BlockScan{End: int64(len(b.data))}
		if b.marking == measuring {
			want.MarkCRC = b.crc
		}
		require.Equal(t, want, scan)
		b.requireRecords(t, got, all, note, args...)
		return
	}
	if !allZero(data[start:]) && !scan.Torn {
		require.Failf(t, "not found torn", "start %d of %d, %+v: %s", start, len(b.data), scan, fmt.Sprintf(note, args...))
	}
	require.Zero(t, scan.DamageCount, "%v: %s", scan.Damage, fmt.Sprintf(note, args...))
	require.Empty(t, scan.Lost)
	require.Equal(t, int64(start), scan.End)
	if scan.Torn {
		require.Equal(t, [2]int64{int64(start), int64(trimZeros(data))}, [2]int64{scan.CutFrom, scan.CutTo})
	}
	b.requireRecords(t, got, func(r testRecord) bool { return r.frame < n }, note, args...)
}

// TestTornSectors: a power loss leaves any of the sectors of the last frame, the
// others being zeros or beyond the end of the file.
func TestTornSectors(t *testing.T) {
	for name, b := range bothMarks(tornRows) {
		t.Run(name, func(t *testing.T) {
			start := b.starts[len(b.starts)-1]
			first := start / sectorSize
			sectors := (len(b.data)-1)/sectorSize - first + 1
			for kept := range 1 << sectors {
				data := make([]byte, len(b.data)+1500)
				copy(data, b.data[:start])
				top := start
				for i := range sectors {
					from := max(start, (first+i)*sectorSize)
					to := min(len(b.data), (first+i+1)*sectorSize)
					if kept&(1<<i) != 0 {
						copy(data[from:to], b.data[from:to])
						top = to
					}
				}
				b.requireTorn(t, data, "sectors %b, zeros ahead", kept)
				b.requireTorn(t, data[:len(b.data)], "sectors %b, grown", kept)
				b.requireTorn(t, data[:top], "sectors %b, up to the last", kept)
			}
		})
	}
}

// TestTornAtAnyByte: the write of the last frame was cut anywhere.
func TestTornAtAnyByte(t *testing.T) {
	for name, b := range bothMarks(tornRows) {
		t.Run(name, func(t *testing.T) {
			start := b.starts[len(b.starts)-1]
			for cut := start; cut <= len(b.data); cut += stride(37) {
				b.requireTorn(t, b.data[:cut], "cut %d", cut)
				for _, size := range []int{len(b.data), len(b.data) + 1000} {
					data := make([]byte, size)
					copy(data, b.data[:cut])
					b.requireTorn(t, data, "cut %d, zeros up to %d", cut, size)
				}
			}
		})
	}
}
