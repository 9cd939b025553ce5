package blockio

// gap goes from the damage at from to the record behind it, which ends at limit or
// before, or to where the damage ends that no record follows. each is called for every
// piece of the damage, in order: whether it is one record, or not known to be.
func (w *walker) gap(from, limit int, r *Record, each func(from, to int, one bool)) (to int, found bool) {
	for at := from; ; {
		to, one, ok := w.step(at, limit)
		if !ok || to > w.end && !w.landsOnEnd(to) {
			to = min(limit, max(w.end, at+1))
		}
		if each != nil {
			each(at, to, one)
		}
		if w.recordAt(to, limit, r) {
			return to, true
		}
		if to >= limit || to >= w.end {
			return to, false
		}
		at = to
	}
}

// step finds where what is damaged at from ends, and whether it is one record. It is
// false when there is nothing behind it that it could end at.
//
//   - The hash of a record that is intact but for its length settles it.
//   - Else its length field is believed when a record is where it points, or when the
//     rest of its head can be believed; unless records inside of what it claims lie so as
//     they cannot inside of a record.
//   - Else the next chain of records counts that the block's own can be.
func (w *walker) step(from, limit int) (to int, one, ok bool) {
	if to, ok = w.mended(from, limit); ok {
		return to, true, true
	}
	size, trusted := w.claim(from)
	target := from + size
	var r Record
	switch {
	case size == 0, target > limit && !w.open(limit):
	case target > w.end && !w.landsOnEnd(target):
		if trusted { // the end of it is missing
			return w.proven(from, limit)
		}
	case target == limit || w.landsOnEnd(target),
		w.recordAt(target, limit, &r) && w.chain(target, limit).sound:
		to, one = w.claimed(from, target)
		return to, one, true
	case trusted:
		if to, one, ok = w.nextChain(from, target, limit); ok && (one || to < target) {
			return to, one, true
		}
		return target, true, true
	}
	return w.nextChain(from, from, limit)
}

// claimed returns where the record at from ends which claims to end at target, where a
// record is: there, unless its hash fits for another end, or a chain of records from
// before target runs exactly on to it, which none inside of a record does.
func (w *walker) claimed(from, target int) (to int, one bool) {
	p := newProver(w, from, w.headerAt(from))
	var r Record
	at, ok := from+1, false
	for {
		if at, ok = w.search(at, target, target, &r); !ok {
			return target, true
		}
		if p.proves(at) {
			return at, true
		}
		c := w.chain(at, target)
		if c.end == target {
			return at, false
		}
		at = c.end
	}
}

// proven returns where the record at from ends by its hash alone.
func (w *walker) proven(from, limit int) (to int, one, ok bool) {
	p := newProver(w, from, w.headerAt(from))
	var r Record
	for at := from + 1; ; {
		if at, ok = w.search(at, limit, limit, &r); !ok {
			return w.provenToEnd(&p, limit)
		}
		if p.proves(at) {
			return at, true, true
		}
		at = w.chain(at, limit).end
	}
}

// provenToEnd is proven for the end of what a record may reach to.
func (w *walker) provenToEnd(p *prover, limit int) (to int, one, ok bool) {
	if limit < w.end {
		return limit, true, p.proves(limit)
	}
	for to := w.end; to < w.end+checksumSize && to <= limit; to++ {
		if p.proves(to) {
			return to, true, true
		}
	}
	return 0, false, false
}

// nextChain finds the chain of records that the block goes on with behind the damage at
// from, which goes to claim as far as is known; chains that end before that are inside
// of it. A chain that is not sound may be inside of a damaged
// record, so it counts only when one that is sound is behind it and its sequences leave
// it room.
func (w *walker) nextChain(from, claim, limit int) (to int, one, ok bool) {
	p := newProver(w, from, w.headerAtEnd(from))
	var held, seen []chain
	if w.open(limit) {
		defer func() { w.chains.list = seen }()
	}
	for c, ok := w.chainAfter(from, from+1, limit); ok; c, ok = w.chainAfter(c.end, c.end, limit) {
		seen = append(seen, c)
		if p.proves(c.from) {
			return c.from, true, true
		}
		if c.end < claim || !w.fits(from, &c) {
			continue
		}
		if c.sound {
			for i := range held {
				if held[i].last == 0 || c.first == 0 || held[i].last < c.first {
					return held[i].from, false, true
				}
			}
			return c.from, false, true
		}
		held = append(held, c)
	}
	return w.provenToEnd(&p, limit)
}

// chainAfter returns the next chain from at on, behind the break at broken.
func (w *walker) chainAfter(broken, at, limit int) (chain, bool) {
	if w.open(limit) {
		if c, ok := w.chains.after(broken); ok {
			return c, true
		}
	}
	var r Record
	at, ok := w.search(at, limit, limit, &r)
	if !ok {
		return chain{}, false
	}
	return w.chain(at, limit), true
}

// headerAtEnd is headerAt where there may be too few bytes for a length field.
func (w *walker) headerAtEnd(from int) bool { return len(w.data)-from >= 4 && w.headerAt(from) }

// fits reports whether the sequences of a chain leave one for what is damaged before it,
// which is more than marks and tombstones if its length is not a multiple of theirs.
func (w *walker) fits(from int, c *chain) bool {
	if c.first == 0 || w.last == 0 || (c.from-from)%EmptyRecordSize == 0 {
		return c.last == 0 || c.last > w.last
	}
	return c.first > w.last+1
}
