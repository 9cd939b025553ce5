package engine

// memory holds the bytes of the block that takes records, from when it was started on.
// It shares them, and the block's table of the same records, with readers through a
// Tail.
type memory struct {
	tail   *Tail
	chunks []dataChunk
	used   int  // bytes used of the last chunk
	lent   bool // the shell reads it: what is dropped meanwhile is not used again

	// frame is the one that is open, if frame.open. Its mark and its records are in
	// this memory.
	frame frame
}

// smallestChunk is the size of a block's first chunk of memory, in bytes.
const smallestChunk = 4 << 10

// room makes sure that n bytes fit behind each other in the last chunk. offset is
// where they go in the block. hint is how long the last chunk of the block before was:
// a new chunk is at least as long.
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
	// Readers get a list of their own, since trim changes this one in place.
	list := append([]dataChunk(nil), m.chunks...)
	m.tail.data.Store(&list)
}

// free returns the unused part of the last chunk, as a slice of length 0.
func (m *memory) free() []byte {
	c := m.chunks[len(m.chunks)-1].bytes
	return c[m.used:m.used:len(c)]
}

// slotRoom makes sure that the table has room for one more record, in memory that
// readers find too.
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
	// Readers may share the list: what it has below its length never changes, and
	// they look at no more slots than Tail.visible says.
	list := t.chunks
	m.tail.slots.Store(&list)
}

// pieces appends to a list the parts of memory that hold the bytes of the block from
// one offset up to, and without, another.
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

// trim drops the chunks that hold nothing but bytes below an offset up to which the
// block is written. Readers find those in the file.
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
	m.frame.chunk -= n // the frame that is open is not written: its chunk stays
}

// drop gives up the memory. What no reader can hold is used again: chunks of bytes by
// whoever asks buffers, and those of the table t, unless it is kept, by the next block.
func (m *memory) drop(t *Table, buffers Buffers, spare *[]*slotChunk, keepTable bool) {
	if m.tail == nil {
		return
	}
	m.tail.data.Store(nil)
	m.tail.slots.Store(nil)
	untouched := !m.tail.touched.Load() && !m.lent
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
	m.chunks, m.used, m.tail, m.lent = nil, 0, nil, false
}

// all returns the bytes of a block of some size, in pieces of whole records, or nil when not all of them are here.
func (m *memory) all(size int64) [][]byte {
	if len(m.chunks) == 0 || m.chunks[0].start > 0 {
		return nil
	}
	return m.pieces(nil, 0, size)
}

// maxSpareSlots bounds the chunks of tables that are kept for reuse. A full block of
// the smallest records needs about twice as many.
const maxSpareSlots = 512
