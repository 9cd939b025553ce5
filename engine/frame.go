package engine

// frame is a mark and the records behind it, of which the mark tells the bytes and a checksum of the
// lengths; see docs/recovery.md. The place of the mark is reserved when the frame is opened.
type frame struct {
	open   bool
	chunk  int    // index of the chunk that holds the mark
	at     int    // where the mark is in it
	offset int64  // where the mark is in the block
	crc    uint32 // of the lengths of the records so far, begun with that of the mark before
}

// openFrame makes room for a record of n bytes in the tail, and opens a frame there
// unless one is open.
func (e *Engine) openFrame(n int) {
	b := e.tail
	m := &b.memory
	if m.tail == nil {
		b.startMemory(e.last() + 1)
		e.renewView(b)
	}
	if m.frame.open {
		m.room(n, b.size, e.chunkHint, e.cfg.Buffers)
		return
	}
	e.current.pieceFor(b)
	m.room(e.emptySize+n, b.size, e.chunkHint, e.cfg.Buffers)
	m.frame = frame{open: true, chunk: len(m.chunks) - 1, at: m.used, offset: b.size, crc: b.markCRC}
	m.used += e.emptySize
	b.size += int64(e.emptySize)
}

// appended accounts for a record of n bytes that was encoded into the tail.
func (e *Engine) appended(n int) {
	b := e.tail
	m := &b.memory
	m.frame.crc = b.codec.LengthsCRC(m.frame.crc, m.chunks[len(m.chunks)-1].bytes[m.used:m.used+n])
	m.used += n
	b.size += int64(n)
	p := e.current.pieceFor(b)
	p.to = b.size
	e.current.commit.Records++
	e.current.size += int64(n)
	e.counts[countUnacknowledged] += uint64(n)
}

// closeFrame ends the open frame: its mark is filled in.
func (e *Engine) closeFrame() {
	b := e.tail
	if b == nil || !b.memory.frame.open {
		return
	}
	f := &b.memory.frame
	b.codec.PutFrameMark(b.memory.chunks[f.chunk].bytes[f.at:f.at+e.emptySize], uint32(b.size-f.offset-int64(e.emptySize)), f.crc)
	b.markCRC = f.crc
	*f = frame{}
}
