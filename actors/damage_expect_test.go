package actors_test

import (
	"bytes"
	"maps"
	"slices"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// A damageLicence is what a case of damage may cost. All else must be as it was.
type damageLicence struct {
	// lose has the sequences that may be lost, and must be told of when they are: the messages whose
	// records the damage has touched.
	lose map[uint64]bool
	// silent has those that may be gone without a word.
	silent map[uint64]bool
	// back has removed messages that may come back.
	back map[uint64]bool
	// quiet has those of them that may do so without a word.
	quiet map[uint64]bool
	// tell has sequences without a message that may be called lost: their records are touched, or nobody can
	// tell how many records were where the damage is.
	tell map[uint64]bool
	// later: an opening that goes on from index.db knows which sequences had no message, and later ones do not, as nothing is
	// left of the block that its index could be held against.
	later bool
	// garbled has messages whose parts may be divided in another way: their records have no mark, as a server
	// does not write any, so a flipped bit in the length of the subject or of the headers is found by nobody.
	garbled map[uint64]bool
	// asItWas: the file is of before a truncation. Its messages, which were removed, take the place of others
	// that have their sequences since.
	asItWas bool
	// cut is where the block may have ended, as far as anybody can tell, or -1.
	cut int
	// nameless: the store writes to a file that has lost its name. What it has stored since may be gone.
	nameless bool
	// reuse: sequences in silent may be given again.
	reuse bool
	// refuse: Open may refuse the directory with a typed error, if it changes nothing.
	refuse bool
	// mustRefuse: it has to.
	mustRefuse bool
}

// licence is the table of expectations.
func (c damageCase) licence() *damageLicence {
	l := &damageLicence{
		lose: map[uint64]bool{}, silent: map[uint64]bool{}, back: map[uint64]bool{}, tell: map[uint64]bool{},
		garbled: map[uint64]bool{}, quiet: map[uint64]bool{}, cut: -1,
		asItWas: c.kind == damageOlder && c.file.block > 0,
	}
	w := c.image.world
	if c.kind == damageNothing {
		return l
	}
	if len(w.evicted) > 0 {
		// Where messages are lost there is room for older ones, if blocks still have them.
		maps.Copy(l.back, w.evicted)
		maps.Copy(l.quiet, w.evicted)
	}
	switch {
	case c.file.path == "meta.inf":
		// Limits are not to be guessed.
		l.refuse, l.mustRefuse = true, c.kind == damageMissing && !c.way.warm()
	case c.file.path == "meta.sum":
		// One that is missing is written again, if meta.inf is whole.
		l.refuse = true
	case c.file.block > 0:
		c.licenceOfBlock(l)
	}
	// An index, a cache of nats-server: derived, so nothing is lost with it.
	return l
}

// licenceOfBlock: the records that the damage touches may be lost, no others.
func (c damageCase) licenceOfBlock(l *damageLicence) {
	w := c.image.world
	if c.way.warm() && c.file.tail && (c.kind == damageMissing || c.way == warmReplace) {
		// The store goes on writing to the file that has lost its name.
		l.silent[w.last+1], l.reuse, l.nameless = true, true, true
	}
	from, to := c.touched()
	if from == to {
		c.licenceBehindEnd(l)
		return
	}
	for _, p := range c.file.placed {
		if p.from >= to || p.to <= from {
			continue
		}
		switch p.kind {
		case blockio.KindMessage:
			if w.live[p.sequence] {
				l.lose[p.sequence] = true
				l.garbled[p.sequence] = c.kind == damageFlip && p.foreign
			} else {
				l.tell[p.sequence] = true
			}
		case blockio.KindSkip:
			for sequence := p.skipped; sequence <= p.sequence; sequence++ {
				l.tell[sequence] = true
			}
		case blockio.KindErased:
			l.tell[p.sequence] = true
		}
	}
	before, behind := c.around(from, to)
	// Where something is left of a block, its index says what else there was.
	exact := c.image.indexed(c.file) && c.leaves(from, to)
	for sequence := before + 1; sequence < behind && !exact; sequence++ {
		l.tell[sequence] = l.tell[sequence] || !w.live[sequence]
	}
	l.later = c.image.indexed(c.file) && !exact
	c.licenceOfEnd(l, from, to)
	c.licenceOfRemovals(l, from, to)
	if c.bare(from, to) {
		maps.Copy(l.silent, l.lose)
	}
	if c.kind == damageMissing && c.file.head {
		// The first block that is gone was removed, as far as anybody can tell: limits do that.
		maps.Copy(l.silent, l.lose)
	}
}

// licenceBehindEnd: a bit that is not zero behind the end of a crash image may be what is left of a commit. A sequence
// that nobody was given may be called lost for it.
func (c damageCase) licenceBehindEnd(l *damageLicence) {
	if c.image.openEnd && c.file.tail && c.kind == damageFlip {
		l.tell[c.image.world.last+1] = true
	}
}

// leaves reports whether a message of the block is whole behind the damage from..to, or before it.
func (c damageCase) leaves(from, to int) bool {
	return slices.ContainsFunc(c.file.placed, func(p placedRecord) bool {
		return p.kind == blockio.KindMessage && (p.to <= from || p.from >= to)
	})
}

// around returns the sequences of the records before and behind the damage. Behind the last one there is room
// for as many as could have been in the block.
func (c damageCase) around(from, to int) (before, behind uint64) {
	behind = c.top()
	for _, f := range c.image.files {
		for _, p := range f.placed {
			switch {
			case !p.sequenced():
			case f.block < c.file.block || f == c.file && p.to <= from:
				before = max(before, p.sequence)
			case f.block > c.file.block || p.from >= to:
				behind = min(behind, p.sequence)
			}
		}
	}
	return before, behind
}

// top is a sequence above all that may be given in the case.
func (c damageCase) top() uint64 {
	top := c.image.world.last + 5
	if c.file.tail {
		top += uint64(len(c.file.data)) / uint64(actors.RecordSize(0, 0, 0))
	}
	return top
}

// bare: the damage leaves nothing but a block that ends earlier, at the end of a record, and nothing says how
// long the block was: it is not the last one and has no index.
func (c damageCase) bare(from, to int) bool {
	if !c.file.tail && !c.image.indexed(c.file) && c.kind == damageOlder {
		return true // a block as it was is whole
	}
	if c.file.tail || c.image.indexed(c.file) || to != c.file.dataEnd || c.kind == damageFlip || c.kind == damageNeighbour {
		return false
	}
	return slices.ContainsFunc(c.file.placed, func(p placedRecord) bool { return p.from == from })
}

// licenceOfEnd: what ends a crash image. Whole commits cut or zeroed up to the end, and a last one that is
// not whole, were never there as far as anybody can tell. One bit is always told of.
func (c damageCase) licenceOfEnd(l *damageLicence, from, to int) {
	f := c.file
	if !c.image.openEnd || !f.tail || c.kind == damageFlip || len(f.placed) == 0 || c.way.warm() {
		return // a store that is open knows its end, and writes it down when it is stopped
	}
	c.licenceOfSectors(l, from, to)
	last := f.placed[len(f.placed)-1].frame
	if to <= last {
		return // an intact commit behind it shows that it had been written
	}
	start := last
	if intact := f.placed[len(f.placed)-1]; intact.from < to {
		for _, p := range f.placed {
			if p.from <= from {
				start = p.frame
			}
		}
		start = min(start, last)
	}
	for _, p := range f.placed {
		if p.frame >= start && p.sequence > 0 {
			l.silent[p.sequence] = true
		}
	}
	l.cut, l.reuse = start, true
}

// licenceOfSectors: a sector of zeros behind the last message of a crash image, to its end, may be of commits that were not
// durable yet, as a store leaves them that syncs later than it writes. None is named whose head is gone.
func (c damageCase) licenceOfSectors(l *damageLicence, from, to int) {
	data, _ := c.changed()
	end := (from/512 + 1) * 512 // of the sector that the damage begins in
	_, behind := c.around(from, to)
	if c.kind != damageZero || behind < c.top() || end > len(data) || len(bytes.Trim(data[from:end], "\x00")) > 0 {
		return
	}
	for _, p := range c.file.placed {
		if p.sequenced() && p.from >= from && p.from < to {
			l.silent[p.sequence], l.reuse = true, true
		}
	}
}

// open is the licence for a store that is open while the damage is done. It knows what it had.
func (l *damageLicence) open() *damageLicence {
	strict := *l
	strict.silent, strict.back, strict.reuse = nil, nil, false
	return &strict
}

// touched returns where the damage begins and ends, in what the file held before. What it adds behind that
// touches nothing.
func (c damageCase) touched() (from, to int) {
	before := c.file.data[:c.file.dataEnd]
	after, _ := c.changed()
	after = after[:min(len(after), len(before))]
	for from = 0; from < len(after) && after[from] == before[from]; from++ {
	}
	if len(after) < len(before) {
		return from, len(before)
	}
	for to = len(before); to > from && after[to-1] == before[to-1]; to-- {
	}
	return from, to
}
