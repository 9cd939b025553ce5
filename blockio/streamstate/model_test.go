package streamstate_test

import (
	"bytes"
	"encoding/binary"
	"iter"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

// drawRanges draws ranges of sequences that ascend, of which some lie side by side.
func drawRanges(t *rapid.T) (ranges [][2]uint64) {
	at := rapid.Uint64Range(1, 5000).Draw(t, "from")
	for range rapid.IntRange(0, 12).Draw(t, "ranges") {
		first := at + rapid.Uint64Range(0, 3000).Draw(t, "gap")
		last := first + rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Range(0, 5000)).Draw(t, "length")
		ranges = append(ranges, [2]uint64{first, last})
		at = last + 1
	}
	return ranges
}

func each(ranges [][2]uint64) iter.Seq2[uint64, uint64] {
	return func(yield func(first, last uint64) bool) {
		for _, r := range ranges {
			if !yield(r[0], r[1]) {
				return
			}
		}
	}
}

// TestSetIsWhatItWasMadeOf, before it is written and after.
func TestSetIsWhatItWasMadeOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ranges := drawRanges(t)
		made := streamstate.NewSet(each(ranges))
		data := made.Append(nil)
		read, n, err := streamstate.DecodeSet(data)
		require.NoError(t, err)
		require.Equal(t, len(data), n)
		want := make(map[uint64]bool)
		for _, r := range ranges {
			for s := r[0]; s <= r[1]; s++ {
				want[s] = true
			}
		}
		for _, s := range []*streamstate.Set{made, read} {
			require.Equal(t, uint64(len(want)), s.Len())
			before, count := uint64(0), 0
			for first, last := range s.Ranges() {
				require.True(t, before == 0 || before+1 < first, "as few as can be, in order")
				for sequence := first; sequence <= last; sequence++ {
					require.True(t, want[sequence])
					count++
				}
				before = last
			}
			require.Equal(t, len(want), count)
			probe := rapid.Uint64Range(0, 70_000).Draw(t, "probe")
			require.Equal(t, want[probe], s.Contains(probe))
		}
		require.True(t, balanced(t, data[10:]))
	})
}

// balanced reports whether nodes are a binary search tree in pre-order, whose heights are right and differ by at
// most one below each node, as a server expects that goes on with it.
func balanced(t require.TestingT, nodes []byte) bool {
	base := func(i int) uint64 { return binary.LittleEndian.Uint64(nodes[266*i:]) }
	var check func(from, to int) int
	check = func(from, to int) int {
		if from == to {
			return 0
		}
		right := from + 1
		for right < to && base(right) < base(from) {
			right++
		}
		for i := right; i < to; i++ {
			require.Greater(t, base(i), base(from))
		}
		l, r := check(from+1, right), check(right, to)
		require.LessOrEqual(t, max(l, r)-min(l, r), 1)
		require.Equal(t, 1+max(l, r), int(binary.LittleEndian.Uint16(nodes[266*from+264:])))
		return 1 + max(l, r)
	}
	check(0, len(nodes)/266)
	return true
}

func drawIndex(t *rapid.T) *streamstate.Index {
	time := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 1<<62))
	number := rapid.Uint64Range(0, 1<<40)
	id := rapid.Uint32()
	x := &streamstate.Index{LastBlock: id.Draw(t, "last block")}
	x.Messages, x.Bytes, x.First, x.Last = number.Draw(t, "n"), number.Draw(t, "n"), 1, number.Draw(t, "last")
	x.FirstTime, x.LastTime = time.Draw(t, "time"), time.Draw(t, "time")
	copy(x.LastSum[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "sum"))
	for range rapid.IntRange(0, 4).Draw(t, "subjects") {
		name := rapid.StringMatching(`[a-zü]{1,3}(\.[a-z*]{1,9}){0,3}`).Draw(t, "name")
		x.Subjects = append(x.Subjects, streamstate.Subject{Name: name, Messages: number.Draw(t, "n"), First: id.Draw(t, "b"), Last: id.Draw(t, "b")})
	}
	for range rapid.IntRange(1, 3).Draw(t, "blocks") {
		b := streamstate.Block{
			ID: id.Draw(t, "b"), Bytes: number.Draw(t, "n"), First: number.Draw(t, "n"), Last: number.Draw(t, "n"),
			FirstTime: time.Draw(t, "time"), LastTime: time.Draw(t, "time"), TTLs: number.Draw(t, "n"), Schedules: number.Draw(t, "n"),
		}
		if ranges := drawRanges(t); len(ranges) > 0 {
			b.Deleted = streamstate.NewSet(each(ranges))
		}
		x.Blocks = append(x.Blocks, b)
	}
	return x
}

// TestIndexIsReadAsWritten, whatever it says.
func TestIndexIsReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawIndex(t)
		file := x.Append([]byte("before"), "S")[len("before"):]
		got, err := streamstate.DecodeIndex("S", file)
		require.NoError(t, err)
		if len(x.Subjects) == 0 {
			got.Subjects = nil
		}
		require.Equal(t, x, got)
		body, err := streamstate.Body("S", file)
		require.NoError(t, err)
		_, err = streamstate.DecodeBody(append(bytes.Clone(body), "more"...))
		require.NoError(t, err, "what is behind the fields is passed over")
	})
}

// TestTTLsAndSchedulesAreReadAsWritten, whatever they say.
func TestTTLsAndSchedulesAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ttls := &streamstate.TTLs{Next: rapid.Uint64().Draw(t, "next"), Entries: []streamstate.TTL{}}
		schedules := &streamstate.Schedules{Next: ttls.Next, Entries: []streamstate.Schedule{}}
		for range rapid.IntRange(0, 5).Draw(t, "entries") {
			at, sequence := rapid.Int64().Draw(t, "at"), rapid.Uint64().Draw(t, "sequence")
			ttls.Entries = append(ttls.Entries, streamstate.TTL{At: at, Sequence: sequence})
			schedules.Entries = append(schedules.Entries, streamstate.Schedule{Subject: rapid.String().Draw(t, "subject"), At: at, Sequence: sequence})
		}
		gotTTLs, err := streamstate.DecodeTTLs(ttls.Append(nil))
		require.NoError(t, err)
		require.Equal(t, ttls, gotTTLs)
		gotSchedules, err := streamstate.DecodeSchedules(schedules.Append(nil))
		require.NoError(t, err)
		require.Equal(t, schedules, gotSchedules)
	})
}

// allocates returns how many bytes a function allocates.
func allocates(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// mostPerByte is how many bytes a decoder allocates at most for a byte of input, and mostBeside what else.
const (
	mostPerByte = 40
	mostBeside  = 64 << 10
)

// TestHostileCountsAllocateNothing: counts say what they like.
func TestHostileCountsAllocateNothing(t *testing.T) {
	most := binary.AppendUvarint(nil, 1<<63)
	body := slices.Concat([]byte{11, 4, 0, 0, 0, 0, 0, 0}, most)
	blocks := slices.Concat([]byte{11, 4, 0, 0, 0, 0, 0, 0, 0}, most)
	set := slices.Concat([]byte{22, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, make([]byte, 300))
	entries := slices.Concat([]byte{1}, bytes.Repeat([]byte{0xff}, 16), make([]byte, 300))
	require.Less(t, allocates(func() {
		_, err := streamstate.DecodeBody(body)
		require.ErrorIs(t, err, streamstate.ErrInvalid)
		_, err = streamstate.DecodeBody(blocks)
		require.ErrorIs(t, err, streamstate.ErrInvalid)
		_, _, err = streamstate.DecodeSet(set)
		require.ErrorIs(t, err, streamstate.ErrInvalid)
		_, err = streamstate.DecodeTTLs(entries)
		require.ErrorIs(t, err, streamstate.ErrInvalid)
		_, err = streamstate.DecodeSchedules(entries)
		require.ErrorIs(t, err, streamstate.ErrInvalid)
	}), uint64(mostBeside))
}
