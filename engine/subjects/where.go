package subjects

// location says where the subject of an id is:
//
//	free:   no marks, away set, the next free id
//	staged: a mark or two, away set, the index of the name in a list of staged ones
//	        and, in the lowest bit, in which list
//	live:   maybe marks, the number of the leaf and the slot there
//
// A mark says that a group which is not published yet has a message for it.
type location uint32

const (
	markShift          = 30
	marks     location = 3 << markShift
	away      location = 1 << 29

	slotBits  = 6
	endOfFree = uint32(away - 1)
)

func mark(parity int) location { return 1 << (markShift + parity&1) }

func (w location) staged() bool  { return w&away != 0 && w&marks != 0 }
func (w location) free() bool    { return w&away != 0 && w&marks == 0 }
func (w location) live() bool    { return w&away == 0 }
func (w location) leaf() uint32  { return uint32(w&(away-1)) >> slotBits }
func (w location) slot() uint8   { return uint8(w) & (1<<slotBits - 1) }
func (w location) index() uint32 { return uint32(w & (away - 1)) }

// liveAt returns the location of a live subject, with the marks that it had.
func (w location) liveAt(leaf uint32, slot uint8) location {
	return w&marks | location(leaf)<<slotBits | location(slot)
}

// stagedAt returns the location of a staged subject, with the marks that it had.
func (w location) stagedAt(i, list int) location { return w&marks | away | location(i<<1|list) }

// pageBits is the logarithm of a page's length. Pages are so small that a stream of few
// subjects wastes little memory: there may be thousands of such streams.
const pageBits = 3

// pages is an array that grows without being moved.
type pages[T any] struct {
	list []*[1 << pageBits]T
	used uint32
}

func (p *pages[T]) at(i uint32) *T { return &p.list[i>>pageBits][i&(1<<pageBits-1)] }

// add makes the array one longer and returns the index of the new one.
func (p *pages[T]) add() uint32 {
	i := p.used
	if int(i>>pageBits) == len(p.list) {
		p.list = append(p.list, new([1 << pageBits]T))
	}
	p.used++
	return i
}

// ids gives out small numbers; each has a location.
type ids struct {
	pages[location]
	freed uint32 // the first of the chain of free ones
}

func newIDs() ids { return ids{freed: endOfFree} }

func (s *ids) take() uint32 {
	if s.freed == endOfFree {
		return s.add()
	}
	id := s.freed
	s.freed = s.at(id).index()
	return id
}

func (s *ids) give(id uint32) {
	*s.at(id) = away | location(s.freed)
	s.freed = id
}

// reference is where the leaf or node of a number is, and its parent. Only the owner
// uses it; readers start from the root.
type reference[T any] struct {
	to     *T
	parent uint32 // number of a node; when to is nil, the next free number
}

const none = ^uint32(0)

// references gives out numbers of leaves or nodes.
type references[T any] struct {
	pages[reference[T]]
	freed uint32
}

func newReferences[T any]() references[T] { return references[T]{freed: none} }

func (r *references[T]) take(to *T, parent uint32) uint32 {
	number := r.freed
	if number == none {
		number = r.add()
	} else {
		r.freed = r.at(number).parent
	}
	*r.at(number) = reference[T]{to, parent}
	return number
}

func (r *references[T]) give(number uint32) {
	*r.at(number) = reference[T]{nil, r.freed}
	r.freed = number
}
