package blockindex

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// Options are the options of Open. The zero value is usable.
type Options struct {
	// Pages bounds the copies of pages that the index is read from. Without one it is a
	// cache that all such indexes of the process share, of DefaultPageBytes.
	Pages *PageCache

	// Private says that nothing else can change the bytes: they are not those of a
	// mapping. Pages are then verified and read where they are, and none is copied.
	Private bool

	// Once says that the index is for one goroutine that looks at it once: OpenFile then reads what is looked at, and
	// maps nothing. It is not to be looked at after Close.
	Once bool

	// StrictModTime makes an index stale when nothing but the modification time of the
	// block's file differs. Without it such an index is opened, and is Suspect.
	StrictModTime bool

	// Populate, if set, is called before a stretch of 16 KiB of the bytes is first
	// looked at, with the bounds of one or more of them: blockio.Mapping has it. Its error is returned by
	// the method that needed the stretch, and is not kept. Two goroutines may both
	// call it for the same stretch.
	Populate func(from, to int64) error

	// unverified leaves the checksums of all pages alone. A test shows with it that
	// they are what finds damage.
	unverified bool
}

// populateStretch is how much Populate is called for at a time, in bytes.
const populateStretch = 16 << 10

// populatePages is how many pages such a stretch has.
const populatePages = populateStretch / PageSize

// An Index answers questions about a sealed block. It is safe for any number of
// goroutines at once. Beside the copies of pages, which are the PageCache's, it holds
// about 12 bytes a page, and 8 more of each page of records.
type Index struct {
	data    []byte
	header  header
	opts    Options
	salt    uint32
	suspect bool

	set       *pageSet
	pages     []atomic.Pointer[[PageSize]byte] // of the set
	populated []atomic.Uint64                  // a bit for each stretch
	estimates []estimate                       // of each page of records
}

// Open returns the index in data, which is all bytes of its file. Only the header is
// read. Memory is allocated in proportion to the length of data at most.
//
// data may be a mapping, and the file may be damaged or overwritten while the index is
// in use: an answer comes from pages that were verified, or the error is ErrDamaged.
//
// The error wraps ErrStale when the index is of something else than want, or of
// another version, ErrDamaged when data is not an index at all, and blockio.ErrMapped
// when a mapping cannot be read; errors of Populate are returned as they are.
func Open(data []byte, want Identity, opts Options) (*Index, error) {
	x, err := open(data, opts)
	if err != nil {
		return nil, err
	}
	switch id := x.header.id; {
	case id.sameButTime(want) && (id.ModTime == want.ModTime || !opts.StrictModTime):
		x.suspect = id.ModTime != want.ModTime
		return x, nil
	default:
		return nil, fmt.Errorf("%w: it is of %v; wanted is %v", ErrStale, id, want)
	}
}

// open is Open of an index of any block.
func open(data []byte, opts Options) (*Index, error) {
	if opts.Populate != nil {
		if err := opts.Populate(0, min(populateStretch, int64(len(data)))); err != nil {
			return nil, err
		}
	}
	h, err := openHeader(data, !opts.unverified)
	if err != nil {
		return nil, err
	}
	x := &Index{data: data, header: *h, opts: opts, salt: h.id.salt()}
	cache := opts.Pages
	switch {
	case opts.Private:
		cache = nil
	case cache == nil:
		cache = defaultPages
	}
	x.set = newPageSet(cache, h.pages)
	x.pages = x.set.pages
	x.estimates = make([]estimate, h.pagesOf(kindRecords))
	if opts.Populate != nil {
		x.populated = make([]atomic.Uint64, len(data)/populateStretch/64+1)
	}
	return x, nil
}

// OpenImage is Open of an image that Build has made, as what its header says. The image
// must not be changed from then on.
func OpenImage(image []byte) (*Index, error) { return open(image, Options{Private: true}) }

// headerPages are what openHeader copies headers into.
var headerPages = sync.Pool{New: func() any { return new([PageSize]byte) }}

// openHeader verifies and decodes the header page, of which it looks at a copy.
func openHeader(data []byte, verify bool) (*header, error) {
	if len(data) < PageSize || len(data)%PageSize != 0 {
		return nil, fmt.Errorf("%w: a file of %d bytes is not whole pages", ErrDamaged, len(data))
	}
	p := headerPages.Get().(*[PageSize]byte)
	defer headerPages.Put(p)
	if err := blockio.Guard(func() error { copy(p[:], data); return nil }); err != nil {
		return nil, err
	}
	h := &header{}
	h.decode(p[:])
	if sum := pageSum(h.id.salt(), 0, p[:]); verify && u32(p[:]) != sum {
		return nil, fmt.Errorf("%w: page 0: checksum %08x, stored is %08x", ErrDamaged, sum, u32(p[:]))
	}
	if p[5] != Version {
		return nil, fmt.Errorf("%w: version %d, known is %d", ErrStale, p[5], Version)
	}
	if err := h.check(p[:], len(data)); err != nil {
		return nil, err
	}
	return h, nil
}

// copyPage returns a copy of a page of data, which may be a mapping.
func copyPage(data []byte, number uint32) (p *[PageSize]byte, err error) {
	err = blockio.Guard(func() error {
		// append does not clear what it is about to fill.
		p = (*[PageSize]byte)(append([]byte(nil), data[int(number)*PageSize:][:PageSize]...))
		return nil
	})
	return p, err
}

// Identity is what the block's file was when the index was made.
func (x *Index) Identity() Identity { return x.header.id }

// Summary is what the index says of the block as a whole.
func (x *Index) Summary() Summary { return x.header.sum }

// Len is the number of messages.
func (x *Index) Len() int { return x.header.sum.Messages }

// Suspect reports whether the block's file has another modification time than when the
// index was made, and the same size and last checksum: it was copied, or changed in
// place. CheckBlock tells which, and Renew makes the index one of the file as it is.
func (x *Index) Suspect() bool { return x.suspect }

// DropPages gives up the copies of the index's pages: the cache has room for others
// then. Pages that are used later are copied and verified again.
func (x *Index) DropPages() { x.set.drop() }

// page returns a page, which is copied and verified when it is used and the cache does
// not have it. Whoever asks for one knows of what kind it is, by its number.
func (x *Index) page(number uint32) (*[PageSize]byte, error) {
	if p := x.pages[number].Load(); p != nil {
		return p, nil
	}
	return x.load(number)
}

// sectionPage returns page i of a section.
func (x *Index) sectionPage(kind int, i uint32) (*[PageSize]byte, error) {
	return x.page(x.header.start[kind] + i)
}

// load brings a page into the cache.
func (x *Index) load(number uint32) (p *[PageSize]byte, err error) {
	if p = x.set.find(number); p != nil {
		return p, nil
	}
	if err := x.populate(number/populatePages, number/populatePages); err != nil {
		return nil, err
	}
	if x.opts.Private {
		p = (*[PageSize]byte)(x.data[int(number)*PageSize:])
	} else if p, err = copyPage(x.data, number); err != nil {
		return nil, err
	}
	if err := x.verify(number, p); err != nil {
		return nil, err
	}
	return x.set.keep(number, p), nil
}

// verify holds a page to its checksum and to what pages of its kind have.
func (x *Index) verify(number uint32, p *[PageSize]byte) error {
	if sum := pageSum(x.salt, number, p[:]); u32(p[:]) != sum && !x.opts.unverified {
		return fmt.Errorf("%w: page %d: checksum %08x, stored is %08x", ErrDamaged, number, sum, u32(p[:]))
	}
	kind := kindRecords
	for kind < kinds-1 && number >= x.header.start[kind+1] {
		kind++
	}
	what := "kind or version"
	if int(p[4]) == kind && p[5] == Version {
		what = x.checkPage(kind, number-x.header.start[kind], p)
	}
	if what != "" {
		return fmt.Errorf("%w: page %d, %s: %s", ErrDamaged, number, kindNames[kind], what)
	}
	return nil
}

// isPopulated reports whether a stretch was made resident.
func (x *Index) isPopulated(stretch uint32) bool {
	return x.populated[stretch>>6].Load()&(1<<(stretch&63)) != 0
}

// populate makes stretches resident, from the first to the last: all at once, unless some
// of them were before.
func (x *Index) populate(first, last uint32) error {
	if x.populated == nil {
		return nil
	}
	for i := first; i <= last; i++ {
		from := i
		for i <= last && !x.isPopulated(i) {
			i++
		}
		if from == i {
			continue
		}
		end := min(int64(i)*populateStretch, int64(len(x.data)))
		if err := x.opts.Populate(int64(from)*populateStretch, end); err != nil {
			return err
		}
		for ; from < i; from++ {
			x.populated[from>>6].Or(1 << (from & 63))
		}
	}
	return nil
}

// damaged is the error for what pages say that does not go together.
func damaged(what string, value any) error {
	return fmt.Errorf("%w: %s: %v", ErrDamaged, what, value)
}
