package blockindex

import (
	"fmt"
	"sync/atomic"
)

// Options are the options of Open. The zero value is usable.
type Options struct {
	// Populate, if set, is called before a stretch of 16 KiB of the bytes is first
	// looked at, with its bounds: blockio.Mapping has it. Its error is returned by
	// the method that needed the stretch, and is not kept. Two goroutines may both
	// call it for the same stretch.
	Populate func(from, to int64) error

	// unverified leaves the checksums of all pages alone. A test shows with it that
	// they are what finds damage.
	unverified bool
}

// populateStretch is how much Populate is called for at a time, in bytes.
const populateStretch = 16 << 10

// An Index answers questions about a sealed block. It is safe for any number of
// goroutines at once, and holds no memory that grows with the index but two bits a
// page.
type Index struct {
	data      []byte
	header    header
	opts      Options
	salt      uint32
	verified  []atomic.Uint64 // a bit for each page
	populated []atomic.Uint64 // a bit for each stretch
}

// Open returns the index in data, which is all bytes of its file and must not change
// while the index is in use. Only the header is read. Memory is allocated in
// proportion to the length of data at most.
//
// The error wraps ErrStale when the index is of something else than want, or of
// another version, and ErrDamaged when data is not an index at all; errors of Populate
// are returned as they are.
func Open(data []byte, want Identity, opts Options) (*Index, error) {
	if opts.Populate != nil {
		if err := opts.Populate(0, min(populateStretch, int64(len(data)))); err != nil {
			return nil, err
		}
	}
	h, err := openHeader(data, !opts.unverified)
	if err != nil {
		return nil, err
	}
	if h.id != want {
		return nil, fmt.Errorf("%w: it is of %v; wanted is %v", ErrStale, h.id, want)
	}
	x := &Index{data: data, header: *h, opts: opts, salt: h.id.salt()}
	x.verified = make([]atomic.Uint64, (h.pages+63)/64)
	if opts.Populate != nil {
		x.populated = make([]atomic.Uint64, len(data)/populateStretch/64+1)
	}
	return x, nil
}

// OpenImage is Open of an image that Build has made, as what its header says.
func OpenImage(image []byte) (*Index, error) {
	h, err := openHeader(image, true)
	if err != nil {
		return nil, err
	}
	return Open(image, h.id, Options{})
}

// openHeader verifies and decodes the header page.
func openHeader(data []byte, verify bool) (*header, error) {
	if len(data) < PageSize || len(data)%PageSize != 0 {
		return nil, fmt.Errorf("%w: a file of %d bytes is not whole pages", ErrDamaged, len(data))
	}
	page := data[:PageSize]
	h := &header{}
	h.decode(page)
	if sum := pageSum(h.id.salt(), 0, page); verify && u32(page) != sum {
		return nil, fmt.Errorf("%w: page 0: checksum %08x, stored is %08x", ErrDamaged, sum, u32(page))
	}
	if page[5] != Version {
		return nil, fmt.Errorf("%w: version %d, known is %d", ErrStale, page[5], Version)
	}
	if err := h.check(page, len(data)); err != nil {
		return nil, err
	}
	return h, nil
}

// Identity is what the block's file was when the index was made, and is now.
func (x *Index) Identity() Identity { return x.header.id }

// Summary is what the index says of the block as a whole.
func (x *Index) Summary() Summary { return x.header.sum }

// Len is the number of messages.
func (x *Index) Len() int { return x.header.sum.Messages }

// page returns a page, which is verified when it is used for the first time. Whoever
// asks for one knows of what kind it is, by its number.
func (x *Index) page(number uint32) (*[PageSize]byte, error) {
	if x.verified[number>>6].Load()&(1<<(number&63)) == 0 {
		if err := x.verify(number); err != nil {
			return nil, err
		}
	}
	return (*[PageSize]byte)(x.data[int(number)*PageSize:]), nil
}

// sectionPage returns page i of a section.
func (x *Index) sectionPage(kind int, i uint32) (*[PageSize]byte, error) {
	return x.page(x.header.start[kind] + i)
}

// verify holds a page to its checksum and to what pages of its kind have.
func (x *Index) verify(number uint32) error {
	if err := x.populate(number); err != nil {
		return err
	}
	page := (*[PageSize]byte)(x.data[int(number)*PageSize:])
	if sum := pageSum(x.salt, number, page[:]); u32(page[:]) != sum && !x.opts.unverified {
		return fmt.Errorf("%w: page %d: checksum %08x, stored is %08x", ErrDamaged, number, sum, u32(page[:]))
	}
	kind := kindRecords
	for kind < kinds-1 && number >= x.header.start[kind+1] {
		kind++
	}
	what := "kind or version"
	if int(page[4]) == kind && page[5] == Version {
		what = x.checkPage(kind, number-x.header.start[kind], page)
	}
	if what != "" {
		return fmt.Errorf("%w: page %d, %s: %s", ErrDamaged, number, kindNames[kind], what)
	}
	x.verified[number>>6].Or(1 << (number & 63))
	return nil
}

// populate makes the stretch that a page is in resident.
func (x *Index) populate(number uint32) error {
	if x.populated == nil {
		return nil
	}
	const pages = populateStretch / PageSize
	stretch := number / pages
	if x.populated[stretch>>6].Load()&(1<<(stretch&63)) != 0 {
		return nil
	}
	from := int64(stretch) * populateStretch
	if err := x.opts.Populate(from, min(from+populateStretch, int64(len(x.data)))); err != nil {
		return err
	}
	x.populated[stretch>>6].Or(1 << (stretch & 63))
	return nil
}

// damaged is the error for what pages say that does not go together.
func damaged(what string, value any) error {
	return fmt.Errorf("%w: %s: %v", ErrDamaged, what, value)
}
