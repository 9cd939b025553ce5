package blockio

import "slices"

// A chain is a run of valid records that lie back to back, as long as it goes.
//
// A payload can hold valid records of its own block, as the key is public. What tells
// them from the records of the block is what is behind them. Inside a record there is at
// least the checksum of that record, so that a chain never goes on to where the record
// ends; the records of a block go on to its end, or to damage that explains itself.
type chain struct {
	from, end   int
	first, last uint64 // the sequences of its first and last message or skip, 0 for none
	sound       bool   // what is behind it is the end of the block, or a record with a mishap
}

// chains keeps the chains that a search went along, since the search from the next damage
// goes along most of them again.
type chains struct {
	list []chain
}

// after returns the chain that was found to follow the break at from, if it is known.
func (c *chains) after(from int) (chain, bool) {
	list := c.list
	for len(list) > 0 && list[0].from <= from {
		if list[0].end == from && len(list) > 1 {
			c.list = list[1:]
			return list[1], true
		}
		list = list[1:]
	}
	return chain{}, false
}

// at returns the chain that begins at from, if it is known.
func (c *chains) at(from int) (chain, bool) {
	i, ok := slices.BinarySearchFunc(c.list, from, func(c chain, from int) int { return c.from - from })
	if !ok {
		return chain{}, false
	}
	return c.list[i], true
}

// chain follows the records from from on, which is the start of one.
func (w *walker) chain(from, limit int) chain {
	if w.open(limit) {
		if c, ok := w.chains.at(from); ok {
			return c
		}
	}
	c := chain{from: from, end: from}
	frameEnd := 0
	var r Record
	for c.end < limit && c.end < w.end && w.key.decode(w.data[c.end:limit], &r) == nil {
		switch {
		case sequenced(r.Kind):
			if c.first == 0 {
				c.first = r.Sequence
			}
			c.last = max(c.last, r.Sequence)
		case r.Kind == KindGroupMark:
			frameEnd = c.end + r.frameSize()
		}
		c.end += r.Size
	}
	look := *w
	look.last = max(w.last, c.last)
	c.sound = look.explained(c.end, frameEnd, limit)
	return c
}

// explained reports whether the records before at can be the block's although there is
// none at at: it is the end; or one damaged record is there, of which it is known where
// it ends; or the frame that ends at frameEnd is damaged or torn there.
func (w *walker) explained(at, frameEnd, limit int) bool {
	if at >= limit || at >= w.end || allZero(w.data[at:limit]) {
		return true
	}
	if _, ok := w.mended(at, limit); ok {
		return true
	}
	var r Record
	if frameEnd > at && w.open(limit) && (frameEnd >= w.end || w.recordAt(frameEnd, limit, &r)) {
		return true
	}
	size, trusted := w.claim(at)
	to := at + size
	switch {
	case size == 0:
		return false
	case w.open(limit) && to > w.end && !w.landsOnEnd(to):
		return trusted // the end of it is missing, whether zeros are there or the file ends
	case to > limit:
		return false
	default:
		return to == limit || w.landsOnEnd(to) || w.recordAt(to, limit, &r)
	}
}
