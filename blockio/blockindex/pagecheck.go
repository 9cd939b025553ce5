package blockindex

// checkPage holds one page to what the header says, as far as that can be done without
// another page: so that no reader has to expect an offset that leads out of a page, or
// an ordinal that is none. It returns what is wrong, or nothing. i is the number of the
// page in its section.
func (x *Index) checkPage(kind int, i uint32, page *[PageSize]byte) string {
	count, s := u16(page[6:]), &x.header.sum
	exactly := func(n int, perPage uint32) bool { return count == min(uint32(n)-i*perPage, perPage) }
	right := false
	switch kind {
	case kindRecords:
		right = exactly(s.Messages, recordsPerPage) && x.recordsRight(page, count)
	case kindRuns:
		right = exactly(s.Runs, runsPerPage) && x.runsRight(page, count)
	case kindDictionary:
		return x.dictionaryWrong(page, count)
	case kindDirectory:
		return x.directoryWrong(page, count)
	case kindOverflow:
		right = exactly(int(x.header.overflow), payloadSize)
	case kindPostings:
		right = exactly(s.Messages, postingsPerPage)
		for j := range count {
			right = right && u32(page[pageHead+postingSize*j:]) < uint32(s.Messages)
		}
	case kindTombstones:
		right = exactly(s.Tombstones, tombstonesPerPage)
	case kindLost:
		right = exactly(s.Lost, lostPerPage)
	}
	if !right {
		return "entries"
	}
	return ""
}

// recordsRight reports whether every record is within the block and has a subject.
func (x *Index) recordsRight(page *[PageSize]byte, count uint32) bool {
	s := &x.header.sum
	for j := range count {
		entry := page[pageHead+recordSize*j:][:recordSize]
		offset, size, subject := u32(entry), u32(entry[4:]), u32(entry[12:])
		if size < recordMin || size > recordMax || int64(offset)+int64(size) > s.End ||
			subject >= uint32(s.Subjects) && (subject != EmptySubject || s.Empty == 0) {
			return false
		}
	}
	return true
}

// runsRight reports whether runs go up in sequence and in ordinal, with a gap between
// two.
func (x *Index) runsRight(page *[PageSize]byte, count uint32) bool {
	s := &x.header.sum
	for j := range count {
		at := pageHead + runSize*j
		sequence, ordinal := u64(page[at:]), u32(page[at+8:])
		if sequence < s.FirstMessage || sequence > s.LastMessage || ordinal >= uint32(s.Messages) {
			return false
		}
		if j > 0 {
			before, from := u64(page[at-runSize:]), u32(page[at-runSize+8:])
			if ordinal <= from || sequence <= before || sequence-before <= uint64(ordinal-from) {
				return false
			}
		}
	}
	return true
}

// dictionaryWrong looks at a dictionary page.
func (x *Index) dictionaryWrong(page *[PageSize]byte, count uint32) string {
	s := &x.header.sum
	n, named := uint32(s.Messages), uint32(s.Messages-s.Empty)
	first, end, prefix := u32(page[8:]), u32(page[12:]), u16(page[16:])
	heap := dictHead + dictEntry*count
	switch {
	case count == 0 || count > dictPerPage || uint64(first)+uint64(count) > uint64(s.Subjects):
		return "number of subjects"
	case end > named:
		return "end of the postings"
	case prefix > headLimit || heap+prefix > PageSize:
		return "common prefix"
	}
	for j := range count {
		e := dictEntryAt(page, j)
		next := end
		if j+1 < count {
			next = dictEntryAt(page, j+1).start()
		}
		if e.start() >= next || e.first() > e.last() || e.last() >= n || e.lastSize() < recordMin || e.lastSize() > recordMax {
			return "postings of a subject"
		}
		length := e.inline()
		used := length
		if e.long() {
			used += longReference
		}
		if e.offset() < heap || e.offset()+used > PageSize || prefix+length > headLimit || prefix+length == 0 {
			return "place of a subject"
		}
		if e.long() && (prefix+length != headLimit || !x.referenceRight(page[e.offset()+length:])) {
			return "rest of a long subject"
		}
	}
	return ""
}

func (x *Index) referenceRight(reference []byte) bool {
	at, length := u32(reference), u32(reference[4:])
	return length > 0 && length <= maxRest && uint64(at)+uint64(length) <= uint64(x.header.overflow)
}

// directoryWrong looks at a directory page.
func (x *Index) directoryWrong(page *[PageSize]byte, count uint32) string {
	pages, first := x.header.pagesOf(kindDictionary), u32(page[8:])
	if count == 0 || count > dirPerPage || uint64(first)+uint64(count) > uint64(pages) {
		return "number of dictionary pages"
	}
	for j := range count {
		entry := page[dirHead+dirEntry*j:]
		rank, offset, length := u32(entry), u16(entry[4:]), u16(entry[6:])
		if rank >= uint32(x.header.sum.Subjects) || offset < dirHead+dirEntry*count ||
			length > headLimit || offset+length > PageSize {
			return "separator"
		}
		if j > 0 && rank <= u32(page[dirHead+dirEntry*(j-1):]) {
			return "ranks"
		}
	}
	return ""
}
