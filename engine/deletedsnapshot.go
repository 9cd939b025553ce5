package engine

import (
	"slices"
	"sync/atomic"
)

// deletedSnapshot is a deletedSet at one instant. It never changes. A nil snapshot
// is that of an empty set.
type deletedSnapshot struct {
	list   stretches // each of which knows how much is deleted before it
	count  uint64    // in the list
	recent []uint64  // not in the list, in no order
	// whole is a list of all of it, made when somebody asks for that.
	whole atomic.Pointer[stretches]
}

// stretches returns the stretches of the snapshot.
func (d *deletedSnapshot) stretches() stretches {
	switch {
	case d == nil:
		return nil
	case len(d.recent) == 0:
		return d.list
	}
	if whole := d.whole.Load(); whole != nil {
		return *whole
	}
	// It shares the bitmaps of the list, and so changes none of them.
	own := deletedSet{list: slices.Clone(d.list), count: d.count, edit: ^uint64(0)}
	for _, sequence := range d.recent {
		own.addToList(sequence, sequence)
	}
	d.whole.Store(&own.list)
	return own.list
}

// contains reports whether a sequence is deleted.
func (d *deletedSnapshot) contains(sequence uint64) bool {
	return d != nil && (d.list.contains(sequence) || slices.Contains(d.recent, sequence))
}

// within returns how many of the sequences from..to are deleted.
func (d *deletedSnapshot) within(from, to uint64) uint64 {
	if d == nil || from > to {
		return 0
	}
	through := d.count
	if n := len(d.list); n > 0 && to < d.list[n-1].last {
		through = d.below(to + 1)
	}
	n := through - d.below(from)
	for _, sequence := range d.recent {
		if from <= sequence && sequence <= to {
			n++
		}
	}
	return n
}

// below returns how many sequences of the list are below one.
func (d *deletedSnapshot) below(sequence uint64) uint64 {
	i := d.list.search(sequence)
	if i == len(d.list) {
		return d.count
	}
	e := &d.list[i]
	switch {
	case sequence <= e.first:
		return e.before
	case e.bits == nil:
		return e.before + sequence - e.first
	}
	return e.before + e.bits.below(sequence-e.first)
}
