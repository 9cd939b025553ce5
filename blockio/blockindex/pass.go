package blockindex

import "github.com/seed-d8b58eba/millrace/blockio"

// A Pass reads the entries of many messages, of one index after the other, for one
// goroutine. Pages that the cache does not have are copied into memory of the pass, and
// verified there, which takes nothing from the heap and pushes out nothing that others
// use. Where a pass wants few messages of each page, the page is put into the cache when
// a pass comes to it for the second time. Where it wants most, it never is: to verify it
// again is little beside what is done with so many messages.
//
// The zero value is usable.
type Pass struct {
	of     *Index // whose page it has; nil for none
	number uint32
	page   [PageSize]byte
}

// A pass wants most messages of a page if it asks for at least leastDense at a time, and
// for one of so many as dense says of those that they are among.
const (
	leastDense = 8
	dense      = 4
)

// Records fills into with the messages of some ordinals, which go up or go down. The
// error wraps ErrRange or ErrDamaged. It allocates nothing but pages for the cache.
func (p *Pass) Records(x *Index, ordinals []int, into []Record) error {
	into = into[:len(ordinals)]
	keep := !isDense(ordinals)
	for i := 0; i < len(ordinals); {
		if uint(ordinals[i]) >= uint(x.Len()) {
			return rangeError("ordinal", ordinals[i], x.Len())
		}
		section := uint32(ordinals[i]) / recordsPerPage
		page, err := p.get(x, section, ordinals[i:], keep)
		if err != nil {
			return err
		}
		first := int(section * recordsPerPage)
		end := min(first+recordsPerPage, x.Len())
		for ; i < len(ordinals) && ordinals[i] >= first && ordinals[i] < end; i++ {
			decodeRecord(page, uint32(ordinals[i]-first), &into[i])
		}
	}
	return nil
}

// Forget gives up the page that the pass has.
func (p *Pass) Forget() { p.of = nil }

func isDense(ordinals []int) bool {
	n := len(ordinals)
	if n < leastDense {
		return false
	}
	span := ordinals[n-1] - ordinals[0]
	return max(span, -span) < dense*n
}

// get returns page i of the records. wanted are the ordinals from there on.
func (p *Pass) get(x *Index, i uint32, wanted []int, keep bool) (*[PageSize]byte, error) {
	number := x.header.start[kindRecords] + i
	if page := x.pages[number].Load(); page != nil {
		return page, nil
	}
	if p.of == x && p.number == number {
		return &p.page, nil
	}
	if err := x.populateFor(wanted); err != nil {
		return nil, err
	}
	if x.opts.Private || keep && x.set.passedBefore(number) {
		return x.load(number)
	}
	p.of = nil
	if err := readPage(&p.page, x.data, number); err != nil {
		return nil, err
	}
	if err := x.verify(number, &p.page); err != nil {
		return nil, err
	}
	p.of, p.number = x, number
	return &p.page, nil
}

// readPage copies a page of data, which may be a mapping.
func readPage(into *[PageSize]byte, data []byte, number uint32) error {
	return blockio.Guard(func() error {
		copy(into[:], data[int(number)*PageSize:])
		return nil
	})
}

// populateFor makes the stretches resident that have the records with some ordinals, if
// the first of them is not: those beside each other together, which spares calls.
func (x *Index) populateFor(wanted []int) error {
	if x.populated == nil {
		return nil
	}
	stretchOf := func(ordinal int) uint32 {
		ordinal = min(max(ordinal, 0), x.Len()-1)
		return (x.header.start[kindRecords] + uint32(ordinal)/recordsPerPage) / populatePages
	}
	first := stretchOf(wanted[0])
	if x.isPopulated(first) {
		return nil
	}
	last := first
	for _, ordinal := range wanted[1:] {
		switch s := stretchOf(ordinal); {
		case s >= first && s <= last:
		case s == last+1:
			last = s
		case s+1 == first:
			first = s
		default:
			if err := x.populate(first, last); err != nil {
				return err
			}
			first, last = s, s
		}
	}
	return x.populate(first, last)
}
