package duplicates

import "slices"

// entry is what is remembered of one message. Its id is in its chunk.
type entry struct {
	sequence uint64
	added    uint64 // what Window.elapsed was
	hash     uint32 // of the id
	end      uint32 // of the id in chunk.ids
}

const chunkEntries = 256

// chunk holds entries that were added one after another, and their ids behind each other.
type chunk struct {
	entries [chunkEntries]entry
	ids     []byte
}

// ring holds the entries, the oldest first. Each has a position, a number of 31 bits that
// it keeps. The numbers go around; there are never as many entries.
type ring struct {
	chunks      []*chunk // the first one has the entry at first
	first, next uint32   // positions: of the oldest entry, and of the one that comes next
}

const positions = taken - 1 // all bits of a position

func (r *ring) len() int { return int((r.next - r.first) & positions) }

// last returns the position of the newest entry.
func (r *ring) last() uint32 { return (r.next - 1) & positions }

// place returns the chunk of a position, and the index in it.
func (r *ring) place(position uint32) (c *chunk, i int) {
	base := r.first &^ (chunkEntries - 1)
	return r.chunks[(position-base)&positions/chunkEntries], int(position % chunkEntries)
}

func (r *ring) entry(position uint32) *entry {
	c, i := r.place(position)
	return &c.entries[i]
}

// id returns the id of an entry, which is valid until the entry goes.
func (r *ring) id(position uint32) []byte {
	c, i := r.place(position)
	return c.ids[c.start(i):c.entries[i].end]
}

// start returns where in the ids that of an entry begins.
func (c *chunk) start(i int) uint32 {
	if i == 0 {
		return 0
	}
	return c.entries[i-1].end
}

// push adds an entry as the newest, and returns its position.
func (r *ring) push(e entry, id string) (position uint32) {
	position = r.next
	if position%chunkEntries == 0 {
		r.chunks = append(r.chunks, new(chunk))
	}
	r.next = (r.next + 1) & positions
	c, i := r.place(position)
	c.ids = append(c.ids, id...)
	e.end = uint32(len(c.ids))
	c.entries[i] = e
	if i == chunkEntries-1 {
		c.ids = slices.Clone(c.ids) // without room for more
	}
	return position
}

// shift drops the oldest entry.
func (r *ring) shift() {
	r.first = (r.first + 1) & positions
	if r.first%chunkEntries == 0 || r.len() == 0 {
		r.dropChunk(0)
	}
}

// pop drops the newest entry.
func (r *ring) pop() {
	r.next = r.last()
	c, i := r.place(r.next)
	c.ids = c.ids[:c.start(i)]
	if i == 0 || r.len() == 0 {
		r.dropChunk(len(r.chunks) - 1)
	}
}

// dropChunk drops a chunk. The positions of a ring without entries begin anew.
func (r *ring) dropChunk(i int) {
	r.chunks = slices.Delete(r.chunks, i, i+1)
	if r.len() == 0 {
		*r = ring{}
	}
	if len(r.chunks) < cap(r.chunks)/4 {
		r.chunks = slices.Clone(r.chunks)
	}
}
