package blockindex

import (
	"errors"
	"fmt"
	"sort"
)

// A Record says where a message is in the block.
type Record struct {
	Offset int64 // of its first byte
	Size   int   // bytes, with length fields and checksum
	// CRC is the CRC-32C of all these bytes. It covers the length fields, which the
	// checksum in the record does not. CheckRecord says what it means when it differs.
	CRC     uint32
	Subject uint32 // rank of the subject, or EmptySubject
	Time    int64  // nanoseconds since 1970
}

// A Run is a stretch of messages with consecutive sequences.
type Run struct {
	Sequence uint64 // of its first message
	Ordinal  int    // of that; the run goes up to the one of the next run
}

// Record returns the message with an ordinal from 0 to Len()-1. The error wraps ErrRange
// or ErrDamaged. It does not allocate.
func (x *Index) Record(ordinal int) (Record, error) {
	if uint(ordinal) >= uint(x.header.sum.Messages) {
		return Record{}, rangeError("ordinal", ordinal, x.header.sum.Messages)
	}
	i := uint32(ordinal)
	page, err := x.page(x.header.start[kindRecords] + i/recordsPerPage)
	if err != nil {
		return Record{}, err
	}
	var r Record
	decodeRecord(page, i%recordsPerPage, &r)
	return r, nil
}

// decodeRecord reads entry i of a page of records.
func decodeRecord(page *[PageSize]byte, i uint32, r *Record) {
	entry := page[pageHead+recordSize*i:][:recordSize]
	r.Offset, r.Size, r.CRC = int64(u32(entry)), int(u32(entry[4:])), u32(entry[8:])
	r.Subject, r.Time = u32(entry[12:]), int64(u64(entry[16:]))
}

func rangeError(what string, value, limit int) error {
	return fmt.Errorf("%w: %s %d of %d", ErrRange, what, value, limit)
}

// Ordinal returns the ordinal of the first message at or above a sequence, Len() when
// there is none, and whether its sequence is that. The error wraps ErrDamaged. It does
// not allocate.
func (x *Index) Ordinal(sequence uint64) (ordinal int, found bool, err error) {
	s := &x.header.sum
	switch {
	case sequence <= s.FirstMessage:
		return 0, sequence == s.FirstMessage && s.Messages > 0, nil
	case sequence > s.LastMessage:
		return s.Messages, false, nil
	case s.Runs == 1:
		return int(sequence - s.FirstMessage), true, nil
	}
	run, next, err := x.lastRun(func(entry []byte) bool { return u64(entry) <= sequence })
	if err != nil {
		return 0, false, err
	}
	if ahead := sequence - run.Sequence; sequence >= run.Sequence && ahead < uint64(next-run.Ordinal) {
		return run.Ordinal + int(ahead), true, nil
	}
	return next, false, nil
}

// Sequence returns the sequence of the message with an ordinal from 0 to Len()-1. The
// error wraps ErrRange or ErrDamaged. It does not allocate.
func (x *Index) Sequence(ordinal int) (uint64, error) {
	s := &x.header.sum
	if uint(ordinal) >= uint(s.Messages) {
		return 0, rangeError("ordinal", ordinal, s.Messages)
	}
	if s.Runs == 1 {
		return s.FirstMessage + uint64(ordinal), nil
	}
	run, _, err := x.runOf(ordinal)
	return run.Sequence + uint64(ordinal-run.Ordinal), err
}

// runOf returns the run that a message is in, and the ordinal behind its end.
func (x *Index) runOf(ordinal int) (run Run, end int, err error) {
	s := &x.header.sum
	if s.Runs == 1 {
		return Run{Sequence: s.FirstMessage}, s.Messages, nil
	}
	run, end, err = x.lastRun(func(entry []byte) bool { return u32(entry[8:]) <= uint32(ordinal) })
	if err == nil && (ordinal < run.Ordinal || ordinal >= end || uint64(end-1-run.Ordinal) > s.LastMessage-run.Sequence) {
		err = damaged("run of an ordinal", run)
	}
	return run, end, err
}

// lastRun finds the last run for which before is true, and where it ends. before is
// true for a first part of the runs, in which the first run is.
func (x *Index) lastRun(before func(entry []byte) bool) (run Run, end int, err error) {
	pages := x.header.pagesOf(kindRuns)
	low, high := uint32(0), pages // the page is at or after low and before high
	for high-low > 1 {
		middle := (low + high) / 2
		page, err := x.sectionPage(kindRuns, middle)
		if err != nil {
			return Run{}, 0, err
		}
		if before(page[pageHead : pageHead+runSize]) {
			low = middle
		} else {
			high = middle
		}
	}
	page, err := x.sectionPage(kindRuns, low)
	if err != nil {
		return Run{}, 0, err
	}
	first, last := 0, int(u16(page[6:]))
	for last-first > 1 {
		middle := (first + last) / 2
		if at := pageHead + runSize*middle; before(page[at : at+runSize]) {
			first = middle
		} else {
			last = middle
		}
	}
	run = runAt(page, first)
	end = x.header.sum.Messages
	if first+1 < int(u16(page[6:])) {
		end = runAt(page, first+1).Ordinal
	} else if low+1 < pages {
		if page, err = x.sectionPage(kindRuns, low+1); err != nil {
			return Run{}, 0, err
		}
		end = runAt(page, 0).Ordinal
	}
	if end <= run.Ordinal {
		return Run{}, 0, damaged("end of a run", end)
	}
	return run, end, nil
}

func runAt(page *[PageSize]byte, i int) Run {
	entry := page[pageHead+runSize*i:][:runSize]
	return Run{Sequence: u64(entry), Ordinal: int(u32(entry[8:]))}
}

// Runs calls visit for every run, in order, until it is false. The messages that are
// not in any run, from FirstMessage to Last of the Summary, are deleted. The error
// wraps ErrDamaged.
func (x *Index) Runs(visit func(Run) bool) error {
	if s := &x.header.sum; s.Runs == 1 {
		visit(Run{Sequence: s.FirstMessage})
		return nil
	}
	var before Run
	var wrong error
	err := x.each(kindRuns, runSize, func(entry []byte) bool {
		r := Run{Sequence: u64(entry), Ordinal: int(u32(entry[8:]))}
		first := before.Sequence == 0
		if ahead := uint64(r.Ordinal - before.Ordinal); first != (r.Ordinal == 0) ||
			!first && (r.Ordinal < before.Ordinal || r.Sequence <= before.Sequence || r.Sequence-before.Sequence <= ahead) {
			wrong = damaged("place of a run", r)
			return false
		}
		before = r
		return visit(r)
	})
	return errors.Join(err, wrong)
}

// Tombstones calls visit for every tombstone, in file order, until it is false. The
// error wraps ErrDamaged.
func (x *Index) Tombstones(visit func(Tombstone) bool) error {
	return x.each(kindTombstones, tombstoneSize, func(entry []byte) bool {
		return visit(Tombstone{Sequence: u64(entry), Time: int64(u64(entry[8:]))})
	})
}

// tombstone returns the tombstone that so many come before; it is false when there is
// none.
func (x *Index) tombstone(i int) (t Tombstone, ok bool, err error) {
	if i >= x.header.sum.Tombstones {
		return Tombstone{}, false, nil
	}
	page, err := x.sectionPage(kindTombstones, uint32(i)/tombstonesPerPage)
	if err != nil {
		return Tombstone{}, false, err
	}
	entry := page[pageHead+tombstoneSize*(uint32(i)%tombstonesPerPage):][:tombstoneSize]
	return Tombstone{Sequence: u64(entry), Time: int64(u64(entry[8:]))}, true, nil
}

// Lost calls visit for every sequence that a damaged record named, ascending, until it
// is false. The error wraps ErrDamaged.
func (x *Index) Lost(visit func(sequence uint64) bool) error {
	return x.each(kindLost, lostSize, func(entry []byte) bool { return visit(u64(entry)) })
}

// each goes over the entries of a section until visit is false.
func (x *Index) each(kind, size int, visit func(entry []byte) bool) error {
	for i := range x.header.pagesOf(kind) {
		page, err := x.sectionPage(kind, i)
		if err != nil {
			return err
		}
		for j := range int(u16(page[6:])) {
			if at := pageHead + size*j; !visit(page[at : at+size]) {
				return nil
			}
		}
	}
	return nil
}

// SearchTime returns the ordinal of the first message with a time, in nanoseconds since
// 1970, of t or later, Len() when there is none. It is meaningful when the times go
// up, as TimesAscend of the Summary says; otherwise it is some message before which
// there is an earlier one. The error wraps ErrDamaged. It does not allocate.
func (x *Index) SearchTime(t int64) (ordinal int, err error) {
	ordinal = sort.Search(x.header.sum.Messages, func(i int) bool {
		r, recordErr := x.Record(i)
		if recordErr != nil && err == nil {
			err = recordErr
		}
		return err != nil || r.Time >= t
	})
	return ordinal, err
}
