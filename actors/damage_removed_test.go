package actors_test

import "github.com/seed-d8b58eba/millrace/blockio"

// licenceOfRemovals: what says that a message was removed is a record like any other, a tombstone of its own or
// a floor above it. A removed message may come back when none of these is left whole, and never otherwise; and
// what one of them names is not called lost, whatever was damaged where it had been. One with a flipped bit counts as
// whole: its checksum shows what it said. So does one that the index beside the block names.
func (c damageCase) licenceOfRemovals(l *damageLicence, from, to int) {
	w := c.image.world
	for sequence := range w.stored {
		switch whole, cut := c.explains(l, sequence, from, to); {
		case w.live[sequence]:
		case whole:
			delete(l.tell, sequence)
		case !w.evicted[sequence]:
			l.back[sequence] = true
			// An end that was never written, as far as anybody can tell, and a block as it was before its
			// messages were removed, show no damage.
			l.quiet[sequence] = cut || c.kind == damageOlder || c.bare(from, to) || c.kind == damageMissing && c.file.head
		}
	}
}

// namedBeside reports whether the index of a block names the removals that the block does not name any more.
func (c damageCase) namedBeside() bool {
	return c.image.indexed(c.file) && (c.kind == damageCut || c.kind == damageZero || c.kind == damageEmpty)
}

// explains reports whether a whole record is left that says that a message was removed, and whether all that
// are not were in what may be cut from the end.
func (c damageCase) explains(l *damageLicence, sequence uint64, from, to int) (whole, cut bool) {
	cut = l.cut >= 0
	for _, f := range c.image.files {
		for _, p := range f.placed {
			names := p.kind == blockio.KindTombstone && p.sequence == sequence || p.floor > sequence
			switch {
			case !names:
			case f == c.file && l.cut >= 0 && p.frame >= l.cut:
			case f == c.file && p.from < to && p.to > from && c.kind != damageFlip && !c.namedBeside():
				cut = false
			default:
				return true, false
			}
		}
	}
	return false, cut
}
