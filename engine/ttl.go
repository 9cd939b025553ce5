package engine

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/seed-d8b58eba/millrace/engine/wheel"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// A message may have a life of its own, in the header Nats-TTL: so many seconds from its time, or for ever. What is
// due is removed wherever it stands, with a tombstone; a message that lives for ever is not removed for its age.
//
// A wheel has the messages that are to be removed, by when, and each block has a list of those of its messages that
// have a life, or that mark a subject which was deleted (markers.go). Whatever takes a message out of its block takes
// it out of both. The lists are in no file of their own: they are made of the headers when a stream is opened, or
// when Limits.MsgTTL is turned on (ttl_blocks.go).

// TTLMode says what the header Nats-TTL means.
type TTLMode uint8

const (
	// TTLOff: nothing.
	TTLOff TTLMode = iota
	// TTLSpares: a message that lives for ever is not removed for its age. None is removed for its TTL.
	TTLSpares
	// TTLOn: that, and the others are removed when their time has come.
	TTLOn
)

// MessageLife is what the header of a message says of how long it lives.
type MessageLife struct {
	Sequence uint64
	Time     int64
	Life     msgheader.Life
}

// life is MessageLife as a block has it.
type life struct {
	sequence uint64 // and lifeFlags
	due      int64  // when the message is removed, or never
}

const (
	lifeForEver = uint64(1) << 63 // MaxAge does not remove it
	lifeMarker  = uint64(1) << 62
	lifeFlags   = lifeForEver | lifeMarker
	// lifeGone is the due time of a message that is gone.
	lifeGone = int64(math.MinInt64)
)

func (l life) number() uint64 { return l.sequence &^ lifeFlags }

// lives is the messages of a block that have a life, ascending.
type lives struct {
	list []life
	lent bool  // a Capture has the list: it is copied before an entry changes
	gone int   // of them are gone
	ever int   // live for ever
	last int64 // no due time is later
	// expired is the bytes of the messages that have gone by their TTLs since the block was written, as far as is known.
	expired uint64
}

// add adds an entry behind the others.
func (x *lives) add(entry life) {
	x.list = append(x.list, entry)
	x.last = max(x.last, entry.due)
}

// find returns the entry of a sequence, or nil.
func (x *lives) find(sequence uint64) *life {
	if x == nil {
		return nil
	}
	i := sort.Search(len(x.list), func(i int) bool { return x.list[i].number() >= sequence })
	if i == len(x.list) || x.list[i].number() != sequence || x.list[i].due == lifeGone {
		return nil
	}
	return &x.list[i]
}

// ttls is what a stream knows of the lives of its messages.
type ttls struct {
	wheel wheel.Wheel
	due   int64 // when messages are removed next
	ran   int64 // when that was done last
	seek  lifeSeek
}

func newTTLs(l *Limits) *ttls {
	if l.MsgTTL == TTLOff {
		return nil
	}
	return &ttls{due: never, ran: math.MinInt64}
}

// checkLife refuses a message whose TTL cannot be understood.
func (e *Engine) checkLife(m *Message) error {
	switch {
	case e.ttl == nil && m.Mortal:
		return fmt.Errorf("%w: the stream does not look at the TTL of messages", ErrBadHeader)
	case e.ttl == nil || len(m.Header) == 0:
		return nil
	}
	value, _ := msgheader.Find(m.Header, msgheader.TTL)
	if _, err := msgheader.ParseTTL(value); err != nil {
		return fmt.Errorf("%w: %w", ErrBadHeader, err)
	}
	return nil
}

// noteLife notes the life of a message that is added to a block. It reports whether MaxAge may remove the message.
func (e *Engine) noteLife(b *block, m *Message, sequence uint64, time int64) (ages bool) {
	if e.ttl == nil || len(m.Header) == 0 {
		return true
	}
	l := msgheader.LifeOf(m.Header)
	e.addLife(b, MessageLife{sequence, time, l})
	return l.TTL != msgheader.Never
}

// addLife notes a life. Those of a block come in ascending order.
func (e *Engine) addLife(b *block, m MessageLife) {
	entry := life{m.Sequence, msgheader.Due(m.Time, m.Life.TTL)}
	if m.Life.Marker {
		entry.sequence |= lifeMarker
	}
	if m.Life.TTL == msgheader.Never {
		entry.sequence |= lifeForEver
	}
	if e.cfg.Limits.MsgTTL != TTLOn {
		entry.due = never
	}
	if entry.due == never && entry.sequence&lifeFlags == 0 {
		return
	}
	if b.lives == nil {
		b.lives = &lives{}
	}
	b.lives.add(entry)
	if entry.sequence&lifeForEver != 0 {
		b.lives.ever++
	}
	e.awaitEnd(m.Sequence, entry.due)
}

// awaitEnd has a message removed at a time.
func (e *Engine) awaitEnd(sequence uint64, due int64) {
	if due == never {
		return
	}
	x := e.ttl
	x.wheel.Add(sequence, due)
	x.due = min(x.due, max(due, x.ran+expiryDistance))
}

// endLife forgets the life of a message that is taken out of a block.
func (e *Engine) endLife(b *block, sequence uint64) {
	l := b.lives.find(sequence)
	if l == nil {
		return
	}
	if b.lives.lent {
		b.lives.list, b.lives.lent = slices.Clone(b.lives.list), false
		l = b.lives.find(sequence)
	}
	if l.due != never {
		e.ttl.wheel.Remove(sequence, l.due)
	}
	x := b.lives
	if l.sequence&lifeForEver != 0 {
		x.ever--
	}
	l.due = lifeGone
	if x.gone++; x.gone == len(x.list) {
		b.lives = nil
	} else if x.gone > len(x.list)/2 {
		kept := make([]life, 0, len(x.list)-x.gone)
		for _, l := range x.list {
			if l.due != lifeGone {
				kept = append(kept, l)
			}
		}
		x.list, x.gone = kept, 0
	}
}

// endLives forgets the lives of all messages of a block from first to last.
func (e *Engine) endLives(b *block, first, last uint64) {
	if b.lives == nil {
		return
	}
	var ended []uint64
	for _, l := range b.lives.list {
		if n := l.number(); l.due != lifeGone && first <= n && n <= last {
			ended = append(ended, n)
		}
	}
	for _, n := range ended {
		e.endLife(b, n)
	}
}

// livesForEver reports whether MaxAge spares the live message of a sequence.
func (b *block) livesForEver(sequence uint64) bool {
	if b.lives == nil || b.lives.ever == 0 {
		return false
	}
	l := b.lives.find(sequence)
	return l != nil && l.sequence&lifeForEver != 0
}

// hasForEver reports whether a block has messages that MaxAge spares, or may have.
func (b *block) hasForEver() bool { return b.unseen > 0 || b.lives != nil && b.lives.ever > 0 }

// endsBy reports whether all messages of a block are known to be due by a time.
func (b *block) endsBy(at int64) bool {
	return b.unseen == 0 && b.lives != nil && b.lives.last <= at && uint64(len(b.lives.list)-b.lives.gone) == b.msgs
}

const (
	// soonExpired is within what time a block has to expire for it not to be compacted before, in nanoseconds.
	soonExpired = int64(60e9)
	// mostKeptDead bounds what that keeps on the disk: the dead bytes of a block, by the time that they stay, are no more than
	// its live ones by this.
	mostKeptDead = 2 * soonExpired
)

// expiresSoon reports whether what is left of a block expires before long, as what has gone did for the most part: where
// lifetimes are spread all blocks thin out at the same time, and each would be written anew again and again. Where messages go
// for another reason, as in a stream of keys that are written again, as much more goes while what is left is waited for
// as comes in that time.
func (e *Engine) expiresSoon(b *block) bool {
	if !b.endsBy(e.now + soonExpired) {
		return false
	}
	dead := uint64(max(b.size, int64(b.bytes))) - b.bytes
	left := float64(b.lives.last - e.now)
	return 2*b.lives.expired >= dead && float64(dead)*left <= float64(b.bytes)*float64(mostKeptDead)
}

// isMarker reports whether a message marks that its subject was deleted.
func (b *block) isMarker(sequence uint64) bool {
	l := b.lives.find(sequence)
	return l != nil && l.sequence&lifeMarker != 0
}
