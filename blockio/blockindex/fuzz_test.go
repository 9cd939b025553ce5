package blockindex

import (
	"testing"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// FuzzOpen asks an index that may be anything, with its checksums made right or not,
// all there is to ask: it may not panic, hang, or take memory without end.
func FuzzOpen(f *testing.F) {
	for _, b := range smallBlocks() {
		image := imageOf(f, b, b.identity())
		f.Add(image, true, "a.*.c", uint64(12))
		f.Add(image[:PageSize], false, ">", uint64(0))
		image[len(image)-PageSize+20] ^= 3
		f.Add(image, true, "b.>", uint64(1)<<63)
	}
	f.Add([]byte{}, true, "", uint64(0))
	f.Fuzz(func(t *testing.T, data []byte, right bool, pattern string, sequence uint64) {
		if right {
			resum(data)
		}
		var h header
		if len(data) >= PageSize {
			h.decode(data)
		}
		x, err := Open(data, h.id, Options{})
		if err == nil {
			_, err = ask(x)
		}
		if err != nil && !isSentinel(err) {
			t.Fatal(err)
		}
		if Check(data, h.id) == nil && err != nil {
			t.Fatalf("checked, and yet: %v", err)
		}
		if x == nil {
			return
		}
		set := subject.NewSet(subject.Compile(pattern), subject.Compile("a.*.c"), subject.Literal("b"))
		_, walkErr := walked(x, &set)
		_, countErr := x.Count(&set)
		_, _, ordinalErr := x.Ordinal(sequence)
		rank, ok, lookupErr := x.Lookup([]byte(pattern))
		for _, err := range []error{walkErr, countErr, ordinalErr, lookupErr} {
			if err != nil && !isSentinel(err) {
				t.Fatal(err)
			}
		}
		if lookupErr != nil || !ok {
			return
		}
		c, err := x.Postings(rank)
		if err == nil {
			_, _, err = c.SeekAtLeast(int(sequence % 1000))
		}
		if err == nil {
			_, _, err = c.SeekAtMost(int(sequence % 1000))
		}
		if err != nil && !isSentinel(err) {
			t.Fatal(err)
		}
	})
}
