package subjects

import "math/bits"

const (
	segmentMin = 16
	segmentMax = 1024 // slots from which on a segment splits instead of growing
)

// slot of the hash table: the hash above, the id plus one below; zero is empty.
type hashSlot uint64

func newHashSlot(hash, id uint32) hashSlot { return hashSlot(hash)<<32 | hashSlot(id+1) }
func (s hashSlot) hash() uint32            { return uint32(s >> 32) }
func (s hashSlot) id() uint32              { return uint32(s) - 1 }

// segment is a small open-addressed table of the hashes that begin with the same
// bits, depth of them.
type segment struct {
	slots []hashSlot
	used  int
	depth uint8
}

// table finds ids by hash. It grows a segment at a time (extendible hashing): no
// single operation rehashes more than one, however many subjects there are.
type table struct {
	directory []*segment // by the first bits of the hash, depth of them
	depth     uint8
	used      int
}

func newTable() table { return table{directory: []*segment{newSegment(0, 0)}} }

func newSegment(depth uint8, used int) *segment {
	return &segment{slots: makeSlots(used), depth: depth}
}

// makeSlots returns slots for so many ids and some more, and as many as fit into what
// the allocator rounds that up to.
func makeSlots(used int) []hashSlot {
	want := max(used*3/2, segmentMin)
	if used > segmentMin {
		want = used*21/16 + 1
	}
	s := append([]hashSlot(nil), make([]hashSlot, want)...)
	return s[:cap(s)]
}

// full reports whether one more id would make the segment slow.
func (s *segment) full() bool { return s.used+1 > len(s.slots)-len(s.slots)/7 }

// home returns the slot that a hash goes to. The bits that the directory has used
// are the same in the whole segment.
func (s *segment) home(hash uint32) int {
	high, _ := bits.Mul32(hash<<s.depth, uint32(len(s.slots)))
	return int(high)
}

func (t *table) segment(hash uint32) *segment {
	return t.directory[hash>>(32-t.depth)]
}

func (s *segment) put(slot hashSlot) {
	i := s.home(slot.hash())
	for s.slots[i] != 0 {
		if i++; i == len(s.slots) {
			i = 0
		}
	}
	s.slots[i] = slot
	s.used++
}

// add enters an id that is not there yet.
func (t *table) add(hash, id uint32) {
	s := t.segment(hash)
	for s.full() {
		t.widen(s, hash)
		s = t.segment(hash)
	}
	s.put(newHashSlot(hash, id))
	t.used++
}

// guess returns an id with a hash, if there is one.
func (t *table) guess(hash uint32) (id uint32, ok bool) {
	s := t.segment(hash)
	for i := s.home(hash); s.slots[i] != 0; {
		if s.slots[i].hash() == hash {
			return s.slots[i].id(), true
		}
		if i++; i == len(s.slots) {
			i = 0
		}
	}
	return 0, false
}

// widen makes room in a full segment.
func (t *table) widen(s *segment, hash uint32) {
	// Splitting a segment whose hashes are all the same would double the directory
	// again and again: such a segment grows instead.
	if len(s.slots) >= segmentMax && (s.depth < t.depth || t.depth < 28 && t.used>>t.depth > segmentMax/4) {
		t.split(s, hash)
		return
	}
	s.rehash()
}

// rehash moves the ids of a segment to slots that suit their number.
func (s *segment) rehash() {
	old := s.slots
	s.slots, s.used = makeSlots(s.used), 0
	for _, slot := range old {
		if slot != 0 {
			s.put(slot)
		}
	}
}

// split divides a segment in two by the next bit of the hashes.
func (t *table) split(s *segment, hash uint32) {
	if s.depth == t.depth {
		wide := make([]*segment, 2*len(t.directory))
		for i, s := range t.directory {
			wide[2*i], wide[2*i+1] = s, s
		}
		t.directory, t.depth = wide, t.depth+1
	}
	bit := uint32(1) << (31 - s.depth)
	ones := 0
	for _, slot := range s.slots {
		if slot != 0 && slot.hash()&bit != 0 {
			ones++
		}
	}
	halves := [2]*segment{newSegment(s.depth+1, s.used-ones), newSegment(s.depth+1, ones)}
	for _, slot := range s.slots {
		if slot == 0 {
			continue
		}
		if slot.hash()&bit != 0 {
			halves[1].put(slot)
		} else {
			halves[0].put(slot)
		}
	}
	span := 1 << (t.depth - s.depth)
	from := int(hash>>(32-t.depth)) &^ (span - 1)
	for i := range span {
		t.directory[from+i] = halves[i*2/span]
	}
}

// remove takes an id out that is there.
func (t *table) remove(hash, id uint32) {
	s := t.segment(hash)
	want := newHashSlot(hash, id)
	i := s.home(hash)
	for s.slots[i] != want {
		if i++; i == len(s.slots) {
			i = 0
		}
	}
	s.closeGap(i)
	s.used--
	t.used--
	if s.used < len(s.slots)/4 && len(s.slots) > 2*segmentMin {
		s.rehash()
	}
}

// closeGap empties a slot, and moves ids from slots behind it to where a search still
// finds them. So no mark of the removal has to stay.
func (s *segment) closeGap(gap int) {
	n := len(s.slots)
	for i := gap; ; {
		if i++; i == n {
			i = 0
		}
		slot := s.slots[i]
		if slot == 0 {
			break
		}
		// It may move when its home is not between the gap and where it is.
		home := s.home(slot.hash())
		if (i-home+n)%n >= (i-gap+n)%n {
			s.slots[gap], gap = slot, i
		}
	}
	s.slots[gap] = 0
}
