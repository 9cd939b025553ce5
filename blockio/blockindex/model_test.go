package blockindex

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

func drawSubject() *rapid.Generator[string] {
	short := rapid.Custom(func(t *rapid.T) string {
		tokens := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "a-", "a/", "ab", "", "b!", "\x00", "\xff"}), 0, 4).Draw(t, "tokens")
		return strings.Join(tokens, ".")
	})
	long := rapid.Custom(func(t *rapid.T) string {
		n := rapid.SampledFrom([]int{500, 1015, 1016, 1023, 1024, 1025, 1030, 4088, 9000, 65530}).Draw(t, "length")
		return strings.Repeat(rapid.SampledFrom([]string{"x", "a.", "\x00"}).Draw(t, "of"), n)[:n] +
			rapid.SampledFrom([]string{"", "a", "b", "bb", "\x00", ".c"}).Draw(t, "end")
	})
	many := rapid.Custom(func(t *rapid.T) string {
		return "a." + decimal(rapid.IntRange(0, 3000).Draw(t, "number")) + rapid.SampledFrom([]string{"", ".c", ".c.d"}).Draw(t, "end")
	})
	return rapid.OneOf(short, many, long)
}

func drawPattern() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 3).Draw(t, "literal") == 0 {
			return drawSubject().Draw(t, "text")
		}
		tokens := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "*", "*", "", "1", "23"}), 0, 4).Draw(t, "tokens")
		if rapid.Bool().Draw(t, "more") {
			tokens = append(tokens, ">")
		}
		return strings.Join(tokens, ".")
	})
}

func drawBlock(t *rapid.T) *block {
	b, sequence, time := newBlock(), rapid.Uint64Range(0, 1<<61).Draw(t, "start"), int64(0)
	ascend := rapid.Bool().Draw(t, "times go up")
	// A few subjects, or one for each message.
	pool := rapid.SliceOfN(drawSubject(), 1, 60).Draw(t, "subjects")
	for range rapid.IntRange(0, 600).Draw(t, "records") {
		kind := rapid.IntRange(0, 20).Draw(t, "kind")
		sequence++
		if kind < 3 {
			sequence += rapid.Uint64Range(0, 9).Draw(t, "gap")
		}
		time += rapid.Int64Range(0, 3).Draw(t, "time")
		if !ascend {
			time = rapid.Int64().Draw(t, "time")
		}
		switch kind {
		case 0:
			b.skip(sequence, time)
		case 1:
			b.tombstone(rapid.Uint64Range(1, sequence).Draw(t, "target"), time)
		default:
			name := rapid.SampledFrom(pool).Draw(t, "subject")
			if kind == 3 && len(b.data) < 1<<20 {
				name = drawSubject().Draw(t, "own subject")
			}
			b.message(sequence, time, name, strings.Repeat("p", kind))
		}
	}
	return b
}

// TestAgreesWithModel compares everything that an index says with the plain way.
func TestAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBlock(t)
		image := b.image(t)
		require.NoError(t, Check(image, b.identity()))
		x, err := Open(image, b.identity(), Options{})
		require.NoError(t, err)
		compareAll(t, b, x)
		for range 8 {
			texts := rapid.SliceOfN(drawPattern(), 0, 6).Draw(t, "patterns")
			set := mustSet(texts...)
			want, messages := b.matches(&set)
			got, err := walked(x, &set)
			require.NoError(t, err)
			require.Equal(t, want, got, "%q", texts)
			count, err := x.Count(&set)
			require.NoError(t, err)
			require.Equal(t, messages, count, "%q", texts)
			name := drawSubject().Draw(t, "key")
			rank, ok, err := x.Lookup([]byte(name))
			require.NoError(t, err)
			at, found := slices.BinarySearch(b.subjects(), name)
			switch {
			case name == "":
				require.Equal(t, len(b.postings("")) > 0, ok)
			case found:
				require.Equal(t, uint32(at), rank)
				fallthrough
			default:
				require.Equal(t, found, ok)
			}
		}
		for range 20 {
			compareSearches(t, b, x)
		}
	})
}

func compareAll(t require.TestingT, b *block, x *Index) {
	a, err := ask(x)
	require.NoError(t, err)
	names := b.subjects()
	for i := range b.record {
		want := b.record[i]
		want.Subject = EmptySubject
		if b.names[i] != "" {
			rank, _ := slices.BinarySearch(names, b.names[i])
			want.Subject = uint32(rank)
		}
		require.Equal(t, want, a.records[i])
	}
	require.Equal(t, b.seq, a.seq)
	require.Equal(t, b.tombs, a.tombs)
	require.Equal(t, len(names), len(a.names))
	for i, name := range names {
		require.Equal(t, name, a.names[i])
		require.Equal(t, b.postings(name), a.post[i])
		info, err := x.Info(uint32(i))
		require.NoError(t, err)
		require.Equal(t, b.info(name), info)
	}
	require.Equal(t, b.postings(""), a.post[len(names)])
	var runs []Run
	most := int64(math.MinInt64)
	for i, sequence := range b.seq {
		if i == 0 || sequence != b.seq[i-1]+1 {
			runs = append(runs, Run{sequence, i})
		}
		most = max(most, b.record[i].Time)
	}
	require.Equal(t, runs, a.runs)
	require.Equal(t, most, a.summary.MaxTime)
	require.Equal(t, len(runs), a.summary.Runs)
}

// compareSearches compares what is looked for by sequence, time and ordinal.
func compareSearches(t *rapid.T, b *block, x *Index) {
	sequence := rapid.Uint64().Draw(t, "sequence")
	if n := len(b.seq); n > 0 && rapid.Bool().Draw(t, "near") {
		sequence = b.seq[rapid.IntRange(0, n-1).Draw(t, "ordinal")] + rapid.Uint64Range(0, 2).Draw(t, "more") - 1
	}
	want, found := slices.BinarySearch(b.seq, sequence)
	got, ok, err := x.Ordinal(sequence)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, found, ok)
	if x.Summary().TimesAscend {
		time := rapid.Int64Range(-1, 2000).Draw(t, "time")
		want, _ := slices.BinarySearchFunc(b.record, time, func(r Record, t int64) int {
			if r.Time < t {
				return -1
			}
			return 1
		})
		got, err := x.SearchTime(time)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	compareCursor(t, b, x)
}

func compareCursor(t *rapid.T, b *block, x *Index) {
	names := append(b.subjects(), "")
	rank := rapid.IntRange(0, len(names)-1).Draw(t, "rank")
	list := b.postings(names[rank])
	if rank == len(names)-1 {
		rank = EmptySubject
	}
	c, err := x.Postings(uint32(rank))
	require.NoError(t, err)
	require.Equal(t, len(list), c.Len())
	at := -1
	for range 6 {
		ordinal := rapid.IntRange(-1, len(b.seq)+1).Draw(t, "ordinal")
		var got int
		var ok bool
		switch rapid.IntRange(0, 3).Draw(t, "move") {
		case 0:
			got, ok, err = c.Next()
			at = min(at+1, len(list))
		case 1:
			got, ok, err = c.Prev()
			at = max(at-1, -1)
		case 2:
			got, ok, err = c.SeekAtLeast(ordinal)
			at, _ = slices.BinarySearch(list, ordinal)
		case 3:
			got, ok, err = c.SeekAtMost(ordinal)
			at, _ = slices.BinarySearch(list, ordinal+1)
			at--
		}
		require.NoError(t, err)
		require.Equal(t, at, c.Position())
		require.Equal(t, at >= 0 && at < len(list), ok)
		if ok {
			require.Equal(t, list[at], got)
		}
	}
}

func TestZeroCursor(t *testing.T) {
	var c Cursor
	for _, move := range []func() (int, bool, error){c.Next, c.Prev, func() (int, bool, error) { return c.SeekAtLeast(3) }, func() (int, bool, error) { return c.SeekAtMost(3) }} {
		_, ok, err := move()
		require.NoError(t, err)
		require.False(t, ok)
	}
}

func TestSortIsBytewise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.OneOf(drawSubject(), rapid.StringMatching(`[ab\x00]{1,20}`)), 0, 700, rapid.ID).Draw(t, "names")
		var all []byte
		var list []builtSubject
		for _, name := range names {
			list = append(list, builtSubject{at: uint32(len(all)), length: uint32(len(name))})
			all = append(all, name...)
		}
		order := make([]uint32, len(names))
		var s sorter
		s.sort(all, list, order)
		var got []string
		for _, number := range order {
			got = append(got, names[number])
		}
		slices.Sort(names)
		if len(names) == 0 {
			names = nil
		}
		require.Equal(t, names, got)
	})
}

// TestManySubjects has several pages of the dictionary and of its directory.
func TestManySubjects(t *testing.T) {
	b := newBlock()
	for i := range 3000 {
		name := strings.Repeat("k", 300) + decimal(i*7919%3001) + strings.Repeat("z", i%40)
		b.message(uint64(2*i+1), int64(i), name, "")
	}
	for i := range 9 { // alike in their first 1024 bytes
		b.message(uint64(7000+i), 3000, strings.Repeat("q", 5000+i%3)+decimal(i), "")
	}
	image := b.image(t)
	require.NoError(t, Check(image, b.identity()))
	x := b.open(t)
	require.Greater(t, x.header.pagesOf(kindDirectory), uint32(1))
	require.Greater(t, x.header.pagesOf(kindRuns), uint32(1))
	compareAll(t, b, x)
	for _, text := range []string{">", "k.>", "*", strings.Repeat("q", 5001) + "4"} {
		set := mustSet(text)
		want, _ := b.matches(&set)
		got, err := walked(x, &set)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	var sub subject.Set
	got, err := walked(x, &sub)
	require.NoError(t, err)
	require.Empty(t, got)
}
