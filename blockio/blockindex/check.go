package blockindex

import (
	"bytes"
	"fmt"
	"math"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// Check verifies all of an index: what Open and the use of every page verify, and that
// all sections say the same. It takes about as long as reading all of it. For who has
// the index from somewhere else, and for tests: the checksums alone find whatever
// happens to a file that Write has written.
//
// The error wraps ErrStale or ErrDamaged.
func Check(data []byte, want Identity) error {
	x, err := Open(data, want, Options{StrictModTime: true})
	if err != nil {
		return err
	}
	defer x.DropPages()
	return x.checkAll()
}

// checkAll is Check of an index that is open.
func (x *Index) checkAll() error {
	for number := uint32(0); number < x.header.pages; number++ {
		page, err := x.anyPage(number)
		if err != nil {
			return err
		}
		if used := usedOf(page); len(bytes.Trim(page[used:], "\x00")) > 0 {
			return damaged("padding that is not zero in page", number)
		}
	}
	c := checker{x: x}
	for _, check := range []func() error{c.records, c.runs, c.tombstones, c.directory, c.subjects, c.postings} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// anyPage is page, for the header's too.
func (x *Index) anyPage(number uint32) (*[PageSize]byte, error) {
	if number > 0 {
		return x.page(number)
	}
	header, err := copyPage(x.data, 0)
	if err == nil && u32(header[:]) != pageSum(x.salt, 0, header[:]) {
		err = damaged("checksum of page", 0)
	}
	return header, err
}

// usedOf is how many bytes of a page hold something.
func usedOf(page *[PageSize]byte) int {
	count := int(u16(page[6:]))
	switch page[4] {
	case kindHeader:
		return headerEnd
	case kindDictionary:
		last := dictEntryAt(page, uint32(count)-1)
		used := int(last.offset() + last.inline())
		if last.long() {
			used += longReference
		}
		return used
	case kindDirectory:
		last := page[dirHead+dirEntry*(count-1):]
		return int(u16(last[4:]) + u16(last[6:]))
	}
	size := [kinds]int{
		kindRecords: recordSize, kindRuns: runSize, kindOverflow: 1, kindPostings: postingSize,
		kindTombstones: tombstoneSize, kindLost: lostSize,
	}[page[4]]
	return pageHead + size*count
}

// A checker holds the sections of an index against each other. Every page is verified.
type checker struct{ x *Index }

// records checks that the records are in file order, one behind the other, and what the
// summary says of them.
func (c *checker) records() error {
	s := &c.x.header.sum
	end, sum, empty := int64(0), uint64(0), 0
	before, most, ascend := int64(math.MinInt64), int64(math.MinInt64), true
	for i := range s.Messages {
		r, err := c.x.Record(i)
		switch {
		case err != nil:
			return err
		case r.Offset < end:
			return damaged("offset of a record", r.Offset)
		case i == 0 && r.Time != s.FirstTime:
			return damaged("first time", s.FirstTime)
		}
		if r.Subject == EmptySubject {
			empty++
		}
		ascend = ascend && r.Time >= before
		end, sum, before, most = r.Offset+int64(r.Size), sum+uint64(r.Size), r.Time, max(most, r.Time)
	}
	if sum != s.Bytes || empty != s.Empty || most != s.MaxTime || ascend != s.TimesAscend || s.Messages == 0 && s.FirstTime != NoTime {
		return damaged("summary of the records", fmt.Sprint(s.Bytes, s.Empty, s.MaxTime, s.TimesAscend, s.FirstTime))
	}
	return nil
}

// runs checks that the runs are in order, with gaps between, from the first message to
// the last.
func (c *checker) runs() error {
	s := &c.x.header.sum
	if s.Runs == 0 {
		return nil
	}
	last, seen := Run{}, 0
	err := c.x.Runs(func(r Run) bool {
		if seen == 0 && r.Sequence != s.FirstMessage {
			return false
		}
		last = r
		seen++
		return true
	})
	if err == nil && (seen != s.Runs || last.Sequence+uint64(s.Messages-1-last.Ordinal) != s.LastMessage) {
		err = damaged("last run", last)
	}
	for i := uint32(0); err == nil && i < c.x.header.pagesOf(kindRuns); i++ {
		page, _ := c.x.sectionPage(kindRuns, i)
		for j := range int(u16(page[6:])) {
			if at := pageHead + runSize*j + 12; u32(page[at:]) != 0 {
				return damaged("padding of a run in page", i)
			}
		}
	}
	return err
}

func (c *checker) tombstones() error {
	var wrong error
	err := c.x.Tombstones(func(t Tombstone) bool {
		_, floor := blockio.FloorOf(t.Time)
		if t.Sequence == 0 && !floor || t.Sequence > c.x.header.sum.Last {
			wrong = damaged("sequence of a tombstone", t.Sequence)
		}
		return wrong == nil
	})
	if err == nil {
		err = wrong
	}
	return err
}

// directory checks that there is an entry for each dictionary page, in order, with its
// first rank.
func (c *checker) directory() error {
	x := c.x
	number, rank, start := uint32(0), uint32(0), uint32(0)
	for i := range x.header.pagesOf(kindDirectory) {
		page, err := x.sectionPage(kindDirectory, i)
		if err != nil {
			return err
		}
		if u32(page[8:]) != number || u32(page[12:]) != 0 {
			return damaged("first page of a directory page", u32(page[8:]))
		}
		for j := range u16(page[6:]) {
			first, separator := dirEntryAt(page, j)
			dict, err := x.dictPage(number, first)
			if err != nil {
				return err
			}
			if first != rank || dictEntryAt(dict, 0).start() != start || u16(dict[18:]) != 0 {
				return damaged("start of a dictionary page", first)
			}
			if err := c.separator(rank, separator); err != nil {
				return err
			}
			number, rank, start = number+1, rank+dictCount(dict), u32(dict[12:])
		}
	}
	s := &x.header.sum
	if number != x.header.pagesOf(kindDictionary) || rank != uint32(s.Subjects) || start != uint32(s.Messages-s.Empty) {
		return damaged("end of the dictionary", rank)
	}
	return nil
}

// separator is the one before the subject of a rank.
func (c *checker) separator(rank uint32, separator []byte) error {
	name, err := c.x.Subject(rank, nil)
	if err != nil {
		return err
	}
	want := []byte(nil)
	if rank > 0 {
		before, err := c.x.Subject(rank-1, nil)
		if err != nil {
			return err
		}
		want = separatorOf(before, name)
	}
	if !bytes.Equal(separator, want) {
		return damaged("separator before rank", rank)
	}
	return nil
}

// subjects checks that the subjects are in order, each with the longest prefix that its
// page allows, and the rests of long ones one behind the other.
func (c *checker) subjects() error {
	x := c.x
	var before, name []byte
	overflow := uint32(0)
	for number := range x.header.pagesOf(kindDictionary) {
		page, err := x.sectionPage(kindDictionary, number)
		if err != nil {
			return err
		}
		free := dictHead + dictEntry*dictCount(page) + u16(page[16:])
		var first []byte
		for i := range dictCount(page) {
			e := dictEntryAt(page, i)
			if e.offset() != free {
				return damaged("place of rank", firstRank(page)+i)
			}
			free += e.inline()
			if e.long() {
				if u32(page[free:]) != overflow {
					return damaged("rest of rank", firstRank(page)+i)
				}
				overflow += u32(page[free+4:])
				free += longReference
			}
			if name, err = x.appendRest(append(name[:0], prefixOf(page)...), page, i); err != nil {
				return err
			}
			if bytes.Compare(before, name) >= 0 {
				return damaged("order of rank", firstRank(page)+i)
			}
			if i == 0 {
				first = bytes.Clone(name)
			}
			before = append(before[:0], name...)
		}
		if alike(head(first), head(name)) != len(prefixOf(page)) {
			return damaged("common prefix of dictionary page", number)
		}
	}
	if overflow != x.header.overflow {
		return damaged("bytes of long subjects", overflow)
	}
	return nil
}

// postings checks that each list goes up and is of messages with its subject.
func (c *checker) postings() error {
	s := &c.x.header.sum
	for rank := range uint32(s.Subjects) {
		if err := c.list(rank); err != nil {
			return err
		}
	}
	if s.Empty > 0 {
		return c.list(EmptySubject)
	}
	return nil
}

func (c *checker) list(rank uint32) error {
	info, err := c.x.Info(rank)
	if err != nil {
		return err
	}
	cursor, err := c.x.Postings(rank)
	if err != nil {
		return err
	}
	if cursor.Len() != info.Count {
		return damaged("messages of rank", rank)
	}
	for before := -1; ; {
		ordinal, ok, err := cursor.Next()
		if err != nil {
			return err
		}
		if !ok {
			if before != info.Last {
				return damaged("last message of rank", rank)
			}
			return nil
		}
		r, err := c.x.Record(ordinal)
		if err != nil {
			return err
		}
		first, last := before < 0, ordinal == info.Last
		if ordinal <= before || r.Subject != rank || first && ordinal != info.First || last && r.Size != info.LastSize {
			return damaged("a message of rank", rank)
		}
		before = ordinal
	}
}
