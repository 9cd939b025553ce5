package blockindex

import (
	"fmt"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// Summary is what an index says of its block as a whole, as recovery counts it.
type Summary struct {
	// End is where the next record would go: the bytes of the records.
	End int64
	// First is the sequence of the first message; without messages the one after
	// the leading skips, or 0. Last is the highest that any record accounts for.
	First, Last uint64
	// FirstMessage and LastMessage are the sequences of the first and the last
	// message, 0 without any.
	FirstMessage, LastMessage uint64
	// Bytes is the sum of the sizes of the message records.
	Bytes uint64
	// FirstTime is the time of the first message, and LastTime the last that counts
	// for the stream; NoTime without any. MaxTime is the highest time of a message,
	// math.MinInt64 without any. In nanoseconds since 1970.
	FirstTime, LastTime, MaxTime int64
	// Timeless: the last record is of an erased message, which keeps no time.
	Timeless bool
	// TimesAscend: no message has a lower time than the one before it.
	TimesAscend bool
	// Plain: no message has a header that says how long it lives, or that it is a marker. An index that does not
	// say so may be of an earlier version.
	Plain bool
	// Unscheduled: no message is a schedule, or was produced by one. An index that does not say so may be of an
	// earlier version.
	Unscheduled bool

	Messages   int // messages, with the empty subject too
	Empty      int // messages with the empty subject
	Subjects   int // different subjects; the empty one is not counted
	Runs       int // stretches of messages without a gap in their sequences
	Tombstones int // tombstones, for messages of any block
	Lost       int // sequences of damaged records, as far as known
	Damage     int // damaged stretches
	LostBytes  int64
}

// Offsets in the header page.
const (
	atMagic        = 8
	atBlock        = 16
	atPages        = 20
	atSize         = 24
	atModTime      = 32
	atChecksum     = 40
	atEnd          = 48
	atFirst        = 56
	atLast         = 64
	atFirstMessage = 72
	atLastMessage  = 80
	atBytes        = 88
	atFirstTime    = 96
	atLastTime     = 104
	atMaxTime      = 112
	atMessages     = 120
	atSubjects     = 124
	atRuns         = 128
	atTombstones   = 132
	atLost         = 136
	atDamage       = 140
	atLostBytes    = 144
	atEmpty        = 152
	atOverflow     = 156
	atFlags        = 160
	atSections     = 168
	headerEnd      = atSections + 8*sections

	flagTimeless    = 1
	flagAscend      = 2
	flagPlain       = 4
	flagUnscheduled = 8
)

// A header is the decoded header page.
type header struct {
	id       Identity
	sum      Summary
	pages    uint32
	overflow uint32 // bytes in the overflow section
	start    [kinds + 1]uint32
}

// pagesOf is how many pages a section has.
func (h *header) pagesOf(kind int) uint32 { return h.start[kind+1] - h.start[kind] }

func (h *header) encode(page []byte) {
	page[4], page[5] = kindHeader, Version
	put16(page[6:], sections)
	copy(page[atMagic:], magic)
	s := &h.sum
	put32(page[atBlock:], h.id.Block)
	put32(page[atPages:], h.pages)
	put64(page[atChecksum:], h.id.LastChecksum)
	put64(page[atFirst:], s.First)
	put64(page[atLast:], s.Last)
	put64(page[atFirstMessage:], s.FirstMessage)
	put64(page[atLastMessage:], s.LastMessage)
	put64(page[atBytes:], s.Bytes)
	for at, v := range map[int]int64{
		atSize: h.id.Size, atModTime: h.id.ModTime, atEnd: s.End, atLostBytes: s.LostBytes,
		atFirstTime: s.FirstTime, atLastTime: s.LastTime, atMaxTime: s.MaxTime,
	} {
		put64(page[at:], uint64(v))
	}
	for at, v := range map[int]int{
		atMessages: s.Messages, atSubjects: s.Subjects, atRuns: s.Runs, atTombstones: s.Tombstones,
		atLost: s.Lost, atDamage: s.Damage, atEmpty: s.Empty, atOverflow: int(h.overflow),
	} {
		put32(page[at:], uint32(v))
	}
	flags := uint32(0)
	if s.Timeless {
		flags |= flagTimeless
	}
	if s.TimesAscend {
		flags |= flagAscend
	}
	if s.Plain {
		flags |= flagPlain
	}
	if s.Unscheduled {
		flags |= flagUnscheduled
	}
	put32(page[atFlags:], flags)
	for i := range sections {
		at := page[atSections+8*i:]
		put32(at, h.start[kindRecords+i])
		put32(at[4:], h.pagesOf(kindRecords+i))
	}
}

// decode reads a header page whose checksum is not verified yet.
func (h *header) decode(page []byte) {
	i64 := func(at int) int64 { return int64(u64(page[at:])) }
	count := func(at int) int { return int(u32(page[at:])) }
	flags := u32(page[atFlags:])
	h.id = Identity{Block: u32(page[atBlock:]), Size: i64(atSize), ModTime: i64(atModTime), LastChecksum: u64(page[atChecksum:])}
	h.pages, h.overflow = u32(page[atPages:]), u32(page[atOverflow:])
	h.sum = Summary{
		End: i64(atEnd), First: u64(page[atFirst:]), Last: u64(page[atLast:]),
		FirstMessage: u64(page[atFirstMessage:]), LastMessage: u64(page[atLastMessage:]), Bytes: u64(page[atBytes:]),
		FirstTime: i64(atFirstTime), LastTime: i64(atLastTime), MaxTime: i64(atMaxTime),
		Timeless: flags&flagTimeless != 0, TimesAscend: flags&flagAscend != 0, Plain: flags&flagPlain != 0,
		Unscheduled: flags&flagUnscheduled != 0,
		Messages:    count(atMessages), Empty: count(atEmpty), Subjects: count(atSubjects), Runs: count(atRuns),
		Tombstones: count(atTombstones), Lost: count(atLost), Damage: count(atDamage), LostBytes: i64(atLostBytes),
	}
}

// place sets where the sections are. Those of the dictionary have as many pages as
// their content took; all others follow from the counts.
func (h *header) place(dictionary, directory uint32) (pages uint64) {
	s := &h.sum
	runs := uint64(s.Runs)
	if runs == 1 { // the header says it all
		runs = 0
	}
	at := uint64(1)
	for i, n := range [sections]uint64{
		pagesFor(uint64(s.Messages), recordsPerPage), pagesFor(runs, runsPerPage),
		uint64(dictionary), uint64(directory), pagesFor(uint64(h.overflow), payloadSize),
		pagesFor(uint64(s.Messages), postingsPerPage),
		pagesFor(uint64(s.Tombstones), tombstonesPerPage), pagesFor(uint64(s.Lost), lostPerPage),
	} {
		h.start[kindRecords+i] = uint32(at)
		at += n
	}
	h.start[kinds] = uint32(at)
	return at
}

// check holds a header to what every index has. size is the length of the file.
func (h *header) check(page []byte, size int) error {
	damaged := func(what string, value any) error {
		return fmt.Errorf("%w: header: %s: %v", ErrDamaged, what, value)
	}
	if page[4] != kindHeader || u16(page[6:]) != sections || string(page[atMagic:atBlock]) != magic {
		return damaged("not a header", page[4])
	}
	if uint64(h.pages)*PageSize != uint64(size) {
		return damaged("pages of a file of so many bytes", size)
	}
	entry := func(kind int) []byte { return page[atSections+8*(kind-kindRecords):] }
	dictionary, directory := u32(entry(kindDictionary)[4:]), u32(entry(kindDirectory)[4:])
	if err := h.checkCounts(damaged); err != nil {
		return err
	}
	if h.place(dictionary, directory) != uint64(h.pages) {
		return damaged("pages that the sections do not have", h.pages)
	}
	subjects := uint64(h.sum.Subjects)
	switch d, e := uint64(dictionary), uint64(directory); {
	case d > subjects || d*dictPerPage < subjects:
		return damaged("dictionary pages", dictionary)
	case e > d || e*dirPerPage < d:
		return damaged("directory pages", directory)
	}
	for kind := kindRecords; kind < kinds; kind++ {
		if at := entry(kind); u32(at) != h.start[kind] || u32(at[4:]) != h.pagesOf(kind) {
			return damaged("place of a section", kindNames[kind])
		}
	}
	return nil
}

func (h *header) checkCounts(damaged func(string, any) error) error {
	s := &h.sum
	n, named := uint64(s.Messages), s.Messages-s.Empty
	switch {
	case min(s.Messages, s.Empty, s.Subjects, s.Runs, s.Tombstones, s.Lost, s.Damage) < 0: // of 32 bits
		return damaged("a count that does not fit", "")
	case h.id.Size < 0 || s.End < 0 || s.End > h.id.Size:
		return damaged("bytes of records", s.End)
	case s.Last > blockio.MaxSequence || s.First > s.Last+1:
		return damaged("last sequence", s.Last)
	case s.Bytes > uint64(s.End) || s.LostBytes < 0:
		return damaged("bytes of messages", s.Bytes)
	case named < 0 || s.Subjects > named || (s.Subjects == 0) != (named == 0):
		return damaged("subjects", s.Subjects)
	case s.Runs > s.Messages || (s.Runs == 0) != (n == 0):
		return damaged("runs", s.Runs)
	case n == 0 && (s.FirstMessage != 0 || s.LastMessage != 0):
		return damaged("messages, none of which counts up to", s.LastMessage)
	case n > 0 && (s.FirstMessage == 0 || s.LastMessage < s.FirstMessage || s.LastMessage > s.Last ||
		s.First != s.FirstMessage || s.LastMessage-s.FirstMessage < n-1 ||
		(s.LastMessage-s.FirstMessage == n-1) != (s.Runs == 1)):
		return damaged("last message", s.LastMessage)
	}
	return nil
}
