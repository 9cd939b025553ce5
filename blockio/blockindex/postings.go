package blockindex

// A Cursor goes over the ordinals of the messages of one subject, ascending. It is a
// value: a copy moves by itself. The zero Cursor is over nothing. It is for one
// goroutine, and does not allocate.
//
// It stands on one of the Len() messages, before the first or behind the last. At
// first it is before the first. Errors of its methods wrap ErrDamaged and leave it
// where it is.
type Cursor struct {
	index      *Index
	start, end int // in the postings section
	at         int // where it stands, start-1 to end
}

// Postings returns a cursor over the messages of a subject, by rank or EmptySubject. The
// error wraps ErrRange or ErrDamaged.
func (x *Index) Postings(rank uint32) (Cursor, error) {
	s := &x.header.sum
	if rank == EmptySubject {
		return Cursor{index: x, start: s.Messages - s.Empty, end: s.Messages, at: s.Messages - s.Empty - 1}, nil
	}
	page, i, err := x.rankPage(rank)
	if err != nil {
		return Cursor{}, err
	}
	start := int(dictEntryAt(page, i).start())
	return Cursor{index: x, start: start, end: start + int(entryCount(page, i)), at: start - 1}, nil
}

// Len is the number of messages.
func (c *Cursor) Len() int { return c.end - c.start }

// Position says on which message the cursor stands, from 0 on: -1 before the first,
// Len() behind the last.
func (c *Cursor) Position() int { return c.at - c.start }

// posting reads one ordinal.
func (c *Cursor) posting(i int) (int, error) {
	page, err := c.index.page(c.index.header.start[kindPostings] + uint32(i)/postingsPerPage)
	if err != nil {
		return 0, err
	}
	return int(u32(page[pageHead+postingSize*(uint32(i)%postingsPerPage):])), nil
}

// stand moves to a posting, or off the end of the list.
func (c *Cursor) stand(at int) (ordinal int, ok bool, err error) {
	if at < c.start || at >= c.end {
		c.at = at
		return 0, false, nil
	}
	if ordinal, err = c.posting(at); err != nil {
		return 0, false, err
	}
	c.at = at
	return ordinal, true, nil
}

// Next moves to the next message and returns its ordinal; it is false behind the last.
func (c *Cursor) Next() (ordinal int, ok bool, err error) { return c.stand(min(c.at+1, c.end)) }

// Prev moves to the message before and returns its ordinal; it is false before the first.
func (c *Cursor) Prev() (ordinal int, ok bool, err error) { return c.stand(max(c.at-1, c.start-1)) }

// SeekAtLeast moves to the first message with an ordinal at or above the given one; it
// is false, and the cursor behind the last, when there is none.
func (c *Cursor) SeekAtLeast(ordinal int) (found int, ok bool, err error) {
	i, err := c.search(ordinal)
	if err != nil {
		return 0, false, err
	}
	return c.stand(i)
}

// SeekAtMost moves to the last message with an ordinal at or below the given one; it
// is false, and the cursor before the first, when there is none.
func (c *Cursor) SeekAtMost(ordinal int) (found int, ok bool, err error) {
	i := c.start
	if ordinal >= 0 {
		if i, err = c.search(ordinal + 1); err != nil {
			return 0, false, err
		}
	}
	return c.stand(i - 1)
}

// search finds the first posting at or above an ordinal.
func (c *Cursor) search(ordinal int) (int, error) {
	low, high := c.start, c.end
	for low < high {
		middle := int(uint(low+high) >> 1)
		at, err := c.posting(middle)
		if err != nil {
			return 0, err
		}
		if at < ordinal {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}
