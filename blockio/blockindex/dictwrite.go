package blockindex

// A dictWriter lays out the dictionary, its directory and its overflow.
//
// A page of the dictionary holds what its subjects have in common once. Of a subject
// of more than 1024 bytes only the first 1024 are in the page, and behind those the
// place and length of the rest in the overflow section. In the directory, for each
// page of the dictionary, is the shortest text that separates its first subject from
// the subject before, 1024 bytes at most.
type dictWriter struct {
	dict, dir, overflow []byte
	dirCount            int    // entries in the last page of the directory
	separators          []byte // those
}

func head(name []byte) []byte { return name[:min(len(name), headLimit)] }

// write lays out the subjects of a builder, which has ranked them.
func (w *dictWriter) write(b *Builder) {
	w.dict, w.dir, w.overflow, w.separators = w.dict[:0], w.dir[:0], w.overflow[:0], w.separators[:0]
	w.dirCount = 0
	var before []byte
	for from := 0; from < len(b.order); {
		to, prefix := w.fill(b, from)
		w.separate(b.ranked(from), before, from)
		w.emit(b, from, to, prefix)
		before = b.ranked(to - 1)
		from = to
	}
	w.flushSeparators()
}

func (b *Builder) ranked(rank int) []byte { return b.name(b.order[rank]) }

// fill finds how many subjects from the one of rank from on fit a page, and how much
// they have in common.
func (w *dictWriter) fill(b *Builder, from int) (to, prefix int) {
	first := head(b.ranked(from))
	prefix = len(first)
	heads, references := 0, 0
	for to = from; to < len(b.order); to++ {
		name := b.ranked(to)
		common := alike(first[:prefix], head(name))
		count := to - from + 1
		size := heads + len(head(name))
		long := references
		if len(name) > headLimit {
			long += longReference
		}
		if dictHead+dictEntry*count+common+size-count*common+long > PageSize {
			return to, prefix
		}
		prefix, heads, references = common, size, long
	}
	return to, prefix
}

// emit writes one page of the dictionary.
func (w *dictWriter) emit(b *Builder, from, to, prefix int) {
	w.dict = addPage(w.dict, kindDictionary, to-from)
	page := (*[PageSize]byte)(w.dict[len(w.dict)-PageSize:])
	put32(page[8:], uint32(from))
	put16(page[16:], uint32(prefix))
	free := dictHead + dictEntry*(to-from)
	free += copy(page[free:], b.ranked(from)[:prefix])
	for rank := from; rank < to; rank++ {
		number := b.order[rank]
		s, name := &b.subjects[number], b.name(number)
		entry := page[dictHead+dictEntry*(rank-from):][:dictEntry]
		put32(entry, b.next[rank])
		put32(entry[4:], s.first)
		put32(entry[8:], s.last)
		put32(entry[12:], s.lastSize)
		put32(page[12:], b.next[rank]+s.count) // the last one stays
		rest := head(name)[prefix:]
		length := uint32(len(rest))
		put16(entry[16:], uint32(free))
		free += copy(page[free:], rest)
		if len(name) > headLimit {
			length |= longFlag
			put32(page[free:], uint32(len(w.overflow)))
			put32(page[free+4:], uint32(len(name)-headLimit))
			free += longReference
			w.overflow = append(w.overflow, name[headLimit:]...)
		}
		put16(entry[18:], length)
	}
}

// separate adds the directory entry of the page that begins with first. before is the
// subject before it, nil at the start.
func (w *dictWriter) separate(first, before []byte, rank int) {
	var separator []byte
	if before != nil {
		separator = separatorOf(before, first)
	}
	if w.dirCount == 0 || dirHead+dirEntry*(w.dirCount+1)+len(w.separators)+len(separator) > PageSize {
		w.flushSeparators()
		w.dir = addPage(w.dir, kindDirectory, 0)
		put32(w.dir[len(w.dir)-PageSize+8:], uint32(len(w.dict)/PageSize))
	}
	page := w.dir[len(w.dir)-PageSize:]
	entry := page[dirHead+dirEntry*w.dirCount:]
	put32(entry, uint32(rank))
	put16(entry[4:], uint32(len(w.separators))) // made an offset in the page by flushSeparators
	put16(entry[6:], uint32(len(separator)))
	w.separators = append(w.separators, separator...)
	w.dirCount++
}

// separatorOf is the shortest text after one subject that is not after the next; or
// the first 1024 bytes of that, when the two are alike so far.
func separatorOf(before, next []byte) []byte {
	return next[:min(alike(head(before), head(next))+1, headLimit, len(next))]
}

// flushSeparators ends the page of the directory at hand: how many entries come
// before the separators is known only then.
func (w *dictWriter) flushSeparators() {
	if w.dirCount == 0 {
		return
	}
	page := w.dir[len(w.dir)-PageSize:]
	put16(page[6:], uint32(w.dirCount))
	start := dirHead + dirEntry*w.dirCount
	for i := range w.dirCount {
		entry := page[dirHead+dirEntry*i:]
		put16(entry[4:], u16(entry[4:])+uint32(start))
	}
	copy(page[start:], w.separators)
	w.separators, w.dirCount = w.separators[:0], 0
}

// addPage appends a page of zeros with its head but the checksum.
func addPage(pages []byte, kind, count int) []byte {
	pages = append(pages, zeroPage[:]...)
	initPage(pages[len(pages)-PageSize:], kind, count)
	return pages
}

var zeroPage [PageSize]byte

func initPage(page []byte, kind, count int) {
	page[4], page[5] = byte(kind), Version
	put16(page[6:], uint32(count))
}
