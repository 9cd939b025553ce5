package engine

// memory holds the bytes and the table of the block that takes records, and
// shares them with readers through a Tail.
type memory struct {
	tail   *Tail
	chunks []dataChunk
	used   int // bytes used of the last chunk

	// The open frame: a group mark was reserved at markAt of the last chunk that
	// existed then, records follow.
	frame frame
}

// smallestChunk is the size of a block's first chunk of memory, in bytes.
const smallestChunk = 4 << 10

// room makes sure that n bytes fit behind each other in the last chunk. offset
// is where they go in the block, hint what the stream needed before.
func (m *memory) room(n int, offset int64, hint int, buffers Buffers) {
	if k := len(m.chunks); k > 0 && len(m.chunks[k-1].bytes)-m.used >= n {
		return
	}
	size := smallestChunk
	if k := len(m.chunks); k > 0 {
		size = 2 * len(m.chunks[k-1].bytes)
	}
	size = max(size, hint)
	var bytes []byte
	switch {
	case n > BufferSize:
		bytes = make([]byte, n)
	case size >= BufferSize || n > size:
		bytes = buffers.Get()
	default:
		bytes = make([]byte, size)
	}
	if len(bytes) < n {
		panic("engine: Buffers returned a slice that is too short")
	}
	m.chunks = append(m.chunks, dataChunk{start: offset, bytes: bytes})
	m.used = 0
	// Readers get a list of their own: this one still grows.
	list := append([]dataChunk(nil), m.chunks...)
	m.tail.data.Store(&list)
}

// free returns the unused part of the last chunk.
func (m *memory) free() []byte {
	c := m.chunks[len(m.chunks)-1].bytes
	return c[m.used:m.used:len(c)]
}

// slotRoom makes sure that the table has room for one more record, and that
// readers will find it.
func (m *memory) slotRoom(t *Table, spare *[]*slotChunk) {
	if t.n < len(t.chunks)*slotsPerChunk {
		return
	}
	var c *slotChunk
	if k := len(*spare); k > 0 {
		c, *spare = (*spare)[k-1], (*spare)[:k-1]
	} else {
		c = new(slotChunk)
	}
	if len(t.chunks) == cap(t.chunks) {
		grown := make([]*slotChunk, len(t.chunks), max(4, 2*cap(t.chunks)))
		copy(grown, t.chunks)
		t.chunks = grown
	}
	t.chunks = append(t.chunks, c)
	// Storing the slice header anew is enough: entries below its length never
	// change, and readers stop at visible.
	list := t.chunks
	m.tail.slots.Store(&list)
}

// pieces appends the parts of memory that hold the bytes from..to of the block.
func (m *memory) pieces(into [][]byte, from, to int64) [][]byte {
	for i := range m.chunks {
		c := &m.chunks[i]
		end := c.start + int64(len(c.bytes))
		if i+1 < len(m.chunks) {
			end = m.chunks[i+1].start
		} else {
			end = min(end, c.start+int64(m.used))
		}
		a, b := max(from, c.start), min(to, end)
		if a < b {
			into = append(into, c.bytes[a-c.start:b-c.start])
		}
	}
	return into
}

// giveBack returns the memory of a chunk to where it came from.
func (c *dataChunk) giveBack(buffers Buffers, reuse bool) {
	if len(c.bytes) == BufferSize {
		buffers.Put(c.bytes, reuse)
	}
}

// trim forgets the bytes below an offset, as far as they are in chunks of their
// own. They are written; readers find them in the file.
func (m *memory) trim(written int64, buffers Buffers) {
	n := 0
	for n+1 < len(m.chunks) && m.chunks[n+1].start <= written {
		n++
	}
	if n == 0 {
		return
	}
	list := append([]dataChunk(nil), m.chunks[n:]...)
	m.tail.data.Store(&list)
	untouched := !m.tail.touched.Load()
	for i := range m.chunks[:n] {
		m.chunks[i].giveBack(buffers, untouched)
	}
	m.chunks = append(m.chunks[:0], list...)
	m.frame.chunk -= n // the open frame is not written, so its chunk stays
}

// drop forgets the memory. What no reader can hold goes back for reuse.
func (m *memory) drop(t *Table, buffers Buffers, spare *[]*slotChunk, keepTable bool) {
	if m.tail == nil {
		return
	}
	m.tail.data.Store(nil)
	m.tail.slots.Store(nil)
	untouched := !m.tail.touched.Load()
	for i := range m.chunks {
		m.chunks[i].giveBack(buffers, untouched)
	}
	if untouched && !keepTable && t != nil {
		for _, c := range t.chunks {
			if len(*spare) < maxSpareSlots {
				*spare = append(*spare, c)
			}
		}
	}
	m.chunks, m.used, m.tail = nil, 0, nil
}

// maxSpareSlots bounds the chunks of tables that are kept for reuse: as many as
// one full block of small records needs.
const maxSpareSlots = 512
