package subjects

import "math"

// Info is what the index knows of a subject that has live messages.
type Info struct {
	ID    uint32
	Count uint64 // live messages
	// First and Last are the sequences of the oldest and the newest message. When
	// one is not exact, it is a bound: no message comes before First or after Last.
	First, Last           uint64
	FirstExact, LastExact bool
	LastSize              uint32 // accounting size of the newest message, 0 when it is not known
}

// entry is what the index knows of one subject. It has parts of four bytes and no
// pointers: it needs no padding, and the garbage collector does not look into it.
type entry struct {
	lastLo, lastHi uint32
	span           uint32 // last minus first, or farApart if that does not fit
	count          uint32 // messages, or many if that does not fit: see Tree.over
	size           uint32
	tag            uint32 // the id and the two marks below
}

const (
	farApart = math.MaxUint32
	many     = math.MaxUint32

	firstLoose = 1 << 31 // first is a lower bound
	lastLoose  = 1 << 30 // last is an upper bound
	maxIDs     = 1 << 29 // ids are below this
	idMask     = maxIDs - 1
)

func (e *entry) id() uint32   { return e.tag & idMask }
func (e *entry) last() uint64 { return uint64(e.lastHi)<<32 | uint64(e.lastLo) }

func (e *entry) first() uint64 {
	if e.span == farApart {
		return 1
	}
	return e.last() - uint64(e.span)
}

func (e *entry) firstExact() bool { return e.span != farApart && e.tag&firstLoose == 0 }
func (e *entry) lastExact() bool  { return e.tag&lastLoose == 0 }

// set replaces both ends. A first that is behind last becomes last.
func (e *entry) set(first, last uint64, firstExact, lastExact bool) {
	first = min(first, last)
	e.lastLo, e.lastHi = uint32(last), uint32(last>>32)
	e.span = uint32(min(last-first, farApart))
	e.tag = e.id()
	if !firstExact {
		e.tag |= firstLoose
	}
	if !lastExact {
		e.tag |= lastLoose
	}
}

// settle makes both ends the same when a single message is left and one of them is
// exact: it is that message.
func (e *entry) settle() {
	switch {
	case e.count != 1:
	case e.lastExact():
		e.set(e.last(), e.last(), true, true)
	case e.firstExact():
		e.set(e.first(), e.first(), true, true)
	}
}

// append moves the last end on to a message that was stored. The caller has still to
// raise the count.
func (e *entry) append(sequence uint64, size uint32) {
	e.size = size
	if e.count == 0 {
		e.set(sequence, sequence, true, true)
		return
	}
	if e.span != farApart {
		e.span = uint32(min(uint64(e.span)+(sequence-e.last()), farApart))
	}
	e.lastLo, e.lastHi = uint32(sequence), uint32(sequence>>32)
	e.tag &^= lastLoose
}

// drop takes account of a message that was removed. The caller has lowered the count,
// which is not zero. With oldest, all messages up to it were removed as well.
func (e *entry) drop(sequence uint64, oldest bool) {
	first, last := e.first(), e.last()
	switch {
	case sequence == last && !oldest:
		e.set(first, last-1, e.firstExact(), false)
		e.size = 0
	case sequence == first, oldest && sequence > first:
		e.set(sequence+1, last, false, e.lastExact())
	}
	e.settle()
}

func (e *entry) info(count uint64) Info {
	return Info{
		ID: e.id(), Count: count, First: e.first(), Last: e.last(),
		FirstExact: e.firstExact(), LastExact: e.lastExact(), LastSize: e.size,
	}
}
