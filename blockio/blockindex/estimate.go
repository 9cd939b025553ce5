package blockindex

import "sync/atomic"

// A load waits for memory twice: for the entry of the message in its page of records, and, when that says where it
// is, for the message. Where the messages of a page are about as long as each other, their places follow from that
// of the first one; a reader that has the processor fetch what is there waits for both at the same time.

// estimate says of a page of records where its first message begins, in the upper half, and how long one is on
// average with what lies between two of them, in 256ths of a byte, in the lower half. 0 is for pages of which nobody has
// asked for one.
type estimate = atomic.Uint64

const (
	// estimateSlack is how far from where it was expected a message may begin, in bytes: a cache line. A page with
	// one that is further away has no estimate, since what is fetched in vain takes the place of what is of use.
	estimateSlack = 64

	estimateShift = 8 // of the average length

	// noEstimate is that of a page of which nothing can be said.
	noEstimate = 1<<64 - 1
)

// estimateOf makes the estimate of a page that was verified.
func estimateOf(page *[PageSize]byte) uint64 {
	var first, last Record
	count := uint64(u16(page[6:]))
	decodeRecord(page, 0, &first)
	decodeRecord(page, uint32(count)-1, &last)
	span := last.Offset + int64(last.Size) - first.Offset
	if span <= 0 || span>>(32-estimateShift) > 0 {
		return noEstimate
	}
	e := uint64(first.Offset)<<32 | uint64(span)<<estimateShift/count
	for i := range uint32(count) {
		offset := int64(u32(page[pageHead+recordSize*i:]))
		if expected, _ := estimated(e, i); max(offset-expected, expected-offset) > estimateSlack {
			return noEstimate
		}
	}
	return e
}

// estimated returns about where message i of a page begins, and how long it is.
func estimated(e uint64, i uint32) (offset int64, size int) {
	each := e & (1<<32 - 1)
	return int64(e>>32 + uint64(i)*each>>estimateShift), int(each >> estimateShift)
}

// Estimate returns about where the message with an ordinal from 0 to Len()-1 is in the block, without a look at its
// entry: the message begins no more than a line of the processor's cache before or behind that. It is false where the
// page of the entry is not at hand, and where messages differ much in size. Who asks first for one of a page has it made.
func (x *Index) Estimate(ordinal int) (offset int64, size int, ok bool) {
	i := uint32(ordinal)
	of := &x.estimates[i/recordsPerPage]
	e := of.Load()
	if e == 0 {
		page := x.pages[x.header.start[kindRecords]+i/recordsPerPage].Load()
		if page == nil {
			return 0, 0, false
		}
		e = estimateOf(page)
		of.Store(e)
	}
	offset, size = estimated(e, i%recordsPerPage)
	return offset, size, e != noEstimate
}
