package engine

// frame is a group mark and the records behind it, which the mark counts; see
// docs/recovery.md. The place of the mark is reserved when the frame is opened.
type frame struct {
	open    bool
	chunk   int   // index of the chunk that holds the mark
	at      int   // where the mark is in it
	offset  int64 // where the mark is in the block
	records uint32
	slots   int // message records among them
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
	m.frame = frame{open: true, chunk: len(m.chunks) - 1, at: m.used, offset: b.size}
	m.used += e.emptySize
	b.size += int64(e.emptySize)
}

// appended accounts for a record of n bytes that was encoded into the tail.
func (e *Engine) appended(n int) {
	b := e.tail
	b.memory.used += n
	b.memory.frame.records++
	b.size += int64(n)
	p := e.current.pieceFor(b)
	p.to = b.size
	e.current.commit.Records++
	e.current.size += int64(n)
	e.counts[countUnacknowledged] += uint64(n)
}

// closeFrame ends the open frame: its mark is filled in, or taken back when a
// single record needs none.
func (e *Engine) closeFrame() {
	b := e.tail
	if b == nil || !b.memory.frame.open {
		return
	}
	m := &b.memory
	f := m.frame
	m.frame = frame{}
	length := b.size - f.offset - int64(e.emptySize)
	chunk := m.chunks[f.chunk].bytes
	if f.records == 1 && !(f.offset == 0 && e.cfg.Codec.LooksCompressed(uint32(length))) {
		copy(chunk[f.at:], chunk[f.at+e.emptySize:f.at+e.emptySize+int(length)])
		m.used -= e.emptySize
		b.size -= int64(e.emptySize)
		if f.slots == 1 {
			b.appended.slot(b.appended.n - 1).offset -= uint32(e.emptySize)
		}
	} else {
		b.codec.PutGroupMark(chunk[f.at:f.at+e.emptySize], f.records, uint32(length))
	}
	e.current.pieceFor(b).to = b.size
}
