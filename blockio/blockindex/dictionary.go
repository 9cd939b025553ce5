package blockindex

import (
	"bytes"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// maxRest is the longest part of a subject in the overflow section, in bytes.
const maxRest = blockio.MaxSubjectLength - headLimit

// SubjectInfo is what an index knows of a subject without its messages.
type SubjectInfo struct {
	Count    int // messages
	First    int // ordinal of the first
	Last     int // ordinal of the last
	LastSize int // size of the record of the last, in bytes
}

// A rawEntry is the fixed part of a subject in a dictionary page.
type rawEntry struct{ b *[dictEntry]byte }

func dictEntryAt(page *[PageSize]byte, i uint32) rawEntry {
	return rawEntry{(*[dictEntry]byte)(page[dictHead+dictEntry*i:])}
}

func (e rawEntry) start() uint32    { return u32(e.b[0:]) }
func (e rawEntry) first() uint32    { return u32(e.b[4:]) }
func (e rawEntry) last() uint32     { return u32(e.b[8:]) }
func (e rawEntry) lastSize() uint32 { return u32(e.b[12:]) }
func (e rawEntry) offset() uint32   { return u16(e.b[16:]) }
func (e rawEntry) inline() uint32   { return u16(e.b[18:]) &^ longFlag }
func (e rawEntry) long() bool       { return e.b[19]&(longFlag>>8) != 0 }

func dictCount(page *[PageSize]byte) uint32 { return u16(page[6:]) }
func firstRank(page *[PageSize]byte) uint32 { return u32(page[8:]) }

// prefixOf is what all subjects of a dictionary page begin with.
func prefixOf(page *[PageSize]byte) []byte {
	at := dictHead + dictEntry*dictCount(page)
	return page[at : at+u16(page[16:])]
}

// entryCount is how many messages the subject of an entry has.
func entryCount(page *[PageSize]byte, i uint32) uint32 {
	end := u32(page[12:])
	if i+1 < dictCount(page) {
		end = dictEntryAt(page, i+1).start()
	}
	return end - dictEntryAt(page, i).start()
}

func infoAt(page *[PageSize]byte, i uint32) SubjectInfo {
	e := dictEntryAt(page, i)
	return SubjectInfo{
		Count: int(entryCount(page, i)), First: int(e.first()), Last: int(e.last()), LastSize: int(e.lastSize()),
	}
}

// dictPage returns a dictionary page and makes sure that it begins at a rank.
func (x *Index) dictPage(number, rank uint32) (*[PageSize]byte, error) {
	page, err := x.sectionPage(kindDictionary, number)
	if err == nil && firstRank(page) != rank {
		err = damaged("first rank of a dictionary page", firstRank(page))
	}
	return page, err
}

// dirEntryAt is entry i of a directory page.
func dirEntryAt(page *[PageSize]byte, i uint32) (rank uint32, separator []byte) {
	entry := page[dirHead+dirEntry*i:][:dirEntry]
	at := u16(entry[4:])
	return u32(entry), page[at : at+u16(entry[6:])]
}

// lastEntry finds the last entry of the directory for which before is true: it is true
// for a first part of the entries, in which the first is. It returns the number of the
// dictionary page of that entry, and its first rank.
func (x *Index) lastEntry(before func(number, rank uint32, separator []byte) (bool, error)) (number, rank uint32, err error) {
	low, high := uint32(0), x.header.pagesOf(kindDirectory)
	for high-low > 1 {
		middle := (low + high) / 2
		page, err := x.sectionPage(kindDirectory, middle)
		if err != nil {
			return 0, 0, err
		}
		rank, separator := dirEntryAt(page, 0)
		is, err := before(u32(page[8:]), rank, separator)
		if err != nil {
			return 0, 0, err
		}
		if is {
			low = middle
		} else {
			high = middle
		}
	}
	page, err := x.sectionPage(kindDirectory, low)
	if err != nil {
		return 0, 0, err
	}
	number = u32(page[8:])
	first, last := uint32(0), u16(page[6:])
	for last-first > 1 {
		middle := (first + last) / 2
		rank, separator := dirEntryAt(page, middle)
		is, err := before(number+middle, rank, separator)
		if err != nil {
			return 0, 0, err
		}
		if is {
			first = middle
		} else {
			last = middle
		}
	}
	rank, _ = dirEntryAt(page, first)
	return number + first, rank, nil
}

// rankPage returns the dictionary page of a rank, and its entry there.
func (x *Index) rankPage(rank uint32) (page *[PageSize]byte, i uint32, err error) {
	if rank >= uint32(x.header.sum.Subjects) {
		return nil, 0, rangeError("rank", int(rank), x.header.sum.Subjects)
	}
	number, first, err := x.lastEntry(func(_, first uint32, _ []byte) (bool, error) { return first <= rank, nil })
	if err != nil {
		return nil, 0, err
	}
	if page, err = x.dictPage(number, first); err != nil {
		return nil, 0, err
	}
	if rank < first || rank-first >= dictCount(page) {
		return nil, 0, damaged("rank in the directory", first)
	}
	return page, rank - first, nil
}

// keyPage returns the dictionary page that a subject is in, if it is there at all. Two
// pages whose subjects begin with the same 1024 bytes have the same separator: which
// of them it is, is decided by the first subject of the page itself.
func (x *Index) keyPage(key []byte) (*[PageSize]byte, error) {
	number, first, err := x.lastEntry(func(number, rank uint32, separator []byte) (bool, error) {
		if len(separator) < headLimit || !bytes.HasPrefix(key, separator) {
			return bytes.Compare(separator, key) <= 0, nil
		}
		page, err := x.dictPage(number, rank)
		if err != nil {
			return false, err
		}
		c, err := x.compareAt(page, 0, key)
		return c <= 0, err
	})
	if err != nil {
		return nil, err
	}
	return x.dictPage(number, first)
}

// compareAt compares the subject of an entry with a key: below 0 when it comes first.
func (x *Index) compareAt(page *[PageSize]byte, i uint32, key []byte) (int, error) {
	prefix := prefixOf(page)
	if !bytes.HasPrefix(key, prefix) {
		return bytes.Compare(prefix, key), nil
	}
	return x.compareRest(page, i, key[len(prefix):])
}

// compareRest compares what follows the common prefix of the page.
func (x *Index) compareRest(page *[PageSize]byte, i uint32, key []byte) (int, error) {
	e := dictEntryAt(page, i)
	at, length := e.offset(), e.inline()
	inline := page[at : at+length]
	if !e.long() {
		return bytes.Compare(inline, key), nil
	}
	if uint32(len(key)) <= length {
		if c := bytes.Compare(inline, key); c != 0 {
			return c, nil
		}
		return 1, nil
	}
	if c := bytes.Compare(inline, key[:length]); c != 0 {
		return c, nil
	}
	key = key[length:]
	rest, size := u32(page[at+length:]), u32(page[at+length+4:])
	for size > 0 && len(key) > 0 {
		piece, err := x.overflow(rest, size)
		if err != nil {
			return 0, err
		}
		n := min(len(piece), len(key))
		if c := bytes.Compare(piece[:n], key[:n]); c != 0 {
			return c, nil
		}
		key, rest, size = key[n:], rest+uint32(n), size-uint32(n)
	}
	switch {
	case size > 0:
		return 1, nil
	case len(key) > 0:
		return -1, nil
	}
	return 0, nil
}

// overflow returns what one page of the overflow section has of the bytes from at on.
func (x *Index) overflow(at, size uint32) ([]byte, error) {
	page, err := x.sectionPage(kindOverflow, at/payloadSize)
	if err != nil {
		return nil, err
	}
	from := pageHead + at%payloadSize
	return page[from:min(from+size, PageSize)], nil
}

// seek finds the first subject of a page that is at or after a key: dictCount when all
// come before it.
func (x *Index) seek(page *[PageSize]byte, from uint32, key []byte) (i uint32, found bool, err error) {
	prefix := prefixOf(page)
	low, high := from, dictCount(page)
	if !bytes.HasPrefix(key, prefix) {
		if bytes.Compare(key, prefix) < 0 {
			return low, false, nil
		}
		return high, false, nil
	}
	rest := key[len(prefix):]
	for low < high {
		middle := (low + high) / 2
		c, err := x.compareRest(page, middle, rest)
		switch {
		case err != nil:
			return 0, false, err
		case c == 0:
			return middle, true, nil
		case c < 0:
			low = middle + 1
		default:
			high = middle
		}
	}
	return low, false, nil
}

// lowerBound returns the rank of the first subject at or after a key, Subjects when
// there is none, and whether it is the key.
func (x *Index) lowerBound(key []byte) (rank uint32, found bool, err error) {
	if x.header.sum.Subjects == 0 {
		return 0, false, nil
	}
	page, err := x.keyPage(key)
	if err != nil {
		return 0, false, err
	}
	i, found, err := x.seek(page, 0, key)
	return firstRank(page) + i, found, err
}

// Lookup returns the rank of a subject, EmptySubject for the empty one, and whether the
// block has a message with it. The error wraps ErrDamaged. It does not allocate.
func (x *Index) Lookup(subject []byte) (rank uint32, ok bool, err error) {
	if len(subject) == 0 {
		return EmptySubject, x.header.sum.Empty > 0, nil
	}
	rank, ok, err = x.lowerBound(subject)
	if err != nil || !ok {
		return 0, false, err
	}
	return rank, true, nil
}

// Info returns what is known of a subject by rank or EmptySubject. The error wraps
// ErrRange, also for the empty subject when no message has it, or ErrDamaged. It does
// not allocate.
func (x *Index) Info(rank uint32) (SubjectInfo, error) {
	if rank == EmptySubject {
		return x.emptyInfo()
	}
	page, i, err := x.rankPage(rank)
	if err != nil {
		return SubjectInfo{}, err
	}
	return infoAt(page, i), nil
}

func (x *Index) emptyInfo() (SubjectInfo, error) {
	s := &x.header.sum
	if s.Empty == 0 {
		return SubjectInfo{}, rangeError("the empty subject", 0, 0)
	}
	c, err := x.Postings(EmptySubject)
	if err != nil {
		return SubjectInfo{}, err
	}
	info := SubjectInfo{Count: s.Empty}
	if info.First, _, err = c.stand(c.start); err != nil {
		return SubjectInfo{}, err
	}
	if info.Last, _, err = c.stand(c.end - 1); err != nil {
		return SubjectInfo{}, err
	}
	last, err := x.Record(info.Last)
	info.LastSize = last.Size
	return info, err
}

// Subject appends the subject of a rank to into. That of EmptySubject is empty. The
// error wraps ErrRange or ErrDamaged.
func (x *Index) Subject(rank uint32, into []byte) ([]byte, error) {
	if rank == EmptySubject {
		return into, nil
	}
	page, i, err := x.rankPage(rank)
	if err != nil {
		return into, err
	}
	return x.appendRest(append(into, prefixOf(page)...), page, i)
}

// appendRest appends what follows the common prefix of the page.
func (x *Index) appendRest(into []byte, page *[PageSize]byte, i uint32) ([]byte, error) {
	e := dictEntryAt(page, i)
	at, length := e.offset(), e.inline()
	into = append(into, page[at:at+length]...)
	if !e.long() {
		return into, nil
	}
	rest, size := u32(page[at+length:]), u32(page[at+length+4:])
	for size > 0 {
		piece, err := x.overflow(rest, size)
		if err != nil {
			return into, err
		}
		into = append(into, piece...)
		rest, size = rest+uint32(len(piece)), size-uint32(len(piece))
	}
	return into, nil
}
