package blockindex

import (
	"bytes"
	"testing"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// fuzzImages are what FuzzOpen starts from: inputs of whole files would be so large
// that little else than shrinking them is done.
func fuzzImages(f *testing.F) (images [][]byte) {
	blocks := smallBlocks()
	for _, name := range []string{"plain", "gaps", "long", "empty"} {
		images = append(images, imageOf(f, blocks[name], blocks[name].identity()))
	}
	return images
}

// FuzzOpen asks an index that may be anything, with its checksums made right or not,
// all there is to ask: it may not panic, hang, or take memory without end. Each four
// bytes of edits are a place, of 16 bits, a byte to put there, and how often; with from
// behind the images, edits is the file itself.
func FuzzOpen(f *testing.F) {
	images := fuzzImages(f)
	for from := range len(images) + 1 {
		f.Add(uint8(from), []byte{}, true, "a.*.c", uint64(12))
		f.Add(uint8(from), []byte{124, 0, 200, 1}, true, "b.>", uint64(1)<<63)
		f.Add(uint8(from), []byte{8, 0x10, 255, 4, 20, 0x30, 1, 1}, true, ">", uint64(0))
		f.Add(uint8(from), []byte{4, 0x20, 9, 1}, false, "", uint64(1))
	}
	f.Fuzz(func(t *testing.T, from uint8, edits []byte, right bool, pattern string, sequence uint64) {
		data := bytes.Clone(edits)
		if i := int(from) % (len(images) + 1); i < len(images) {
			data = bytes.Clone(images[i])
			for ; len(edits) >= 4; edits = edits[4:] {
				at := int(u16(edits)) % len(data)
				for j := range min(int(edits[3]), len(data)-at) {
					data[at+j] = edits[2]
				}
			}
		}
		if right {
			resum(data)
		}
		askAnything(t, data, pattern, sequence)
	})
}

// FuzzPage puts a page with any content, its checksum made right, into an index that is
// in use otherwise.
func FuzzPage(f *testing.F) {
	images := fuzzImages(f)
	for from, image := range images {
		for number := 0; number < len(image)/PageSize; number++ {
			f.Add(uint8(from), uint8(number), image[number*PageSize+6:][:256], "a.*.c", uint64(12))
		}
	}
	f.Fuzz(func(t *testing.T, from, number uint8, content []byte, pattern string, sequence uint64) {
		data := bytes.Clone(images[int(from)%len(images)])
		page := data[int(number)%(len(data)/PageSize)*PageSize:][:PageSize]
		copy(page[6:], content) // behind the kind and the version
		resum(data)
		askAnything(t, data, pattern, sequence)
	})
}

// askAnything asks an index that may be anything all there is to ask. The cache has room
// for few pages.
func askAnything(t interface{ Fatal(...any) }, data []byte, pattern string, sequence uint64) {
	var h header
	if len(data) >= PageSize {
		h.decode(data)
	}
	x, err := Open(data, h.id, Options{Pages: NewPageCache(4 * PageSize)})
	if err == nil {
		_, err = ask(x)
	}
	if err != nil && !isSentinel(err) {
		t.Fatal(err)
	}
	if Check(data, h.id) == nil && err != nil {
		t.Fatal("checked, and yet:", err)
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
}
