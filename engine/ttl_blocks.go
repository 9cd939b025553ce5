package engine

import (
	"slices"

	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// Which messages have a life is found out from the blocks. A block that was scanned when the stream was opened says
// it itself, one with an index says at least if there is none; all others are looked into, WorkLives, one after the
// other. While a stream is being opened nothing is removed for its age before that is done; and from a block that
// cannot be read, nothing is removed for its age until it can be.

// lifeSeek is the search for the lives in the blocks.
type lifeSeek struct {
	work    WorkID // that looks into a block, 0 when none does
	retryAt int64  // the last block could not be read; no other one before this time
}

// mostLifeSeeks is how often a block is tried that cannot be read, while the stream is being opened.
const mostLifeSeeks = 3

// retryLives is how long after that the block is tried again.
const retryLives = int64(60e9)

// due returns when the search goes on, if no work is out that will be completed.
func (s *lifeSeek) due(e *Engine) int64 {
	if s.work != 0 || s.retryAt <= e.steady {
		return never
	}
	return s.retryAt
}

// livesFound reports whether the lives in all blocks are known, or, of those that cannot be read, will not be soon.
// It asks for what is missing.
func (e *Engine) livesFound() bool {
	if e.ttl == nil {
		return true
	}
	s := &e.ttl.seek
	if s.work != 0 {
		return false
	}
	if e.steady < s.retryAt {
		return e.serving()
	}
	next := (*block)(nil)
	for _, b := range e.blocks {
		if b.unseen > 0 && b.msgs == 0 {
			b.unseen = 0
		}
		if b.unseen > 0 && (next == nil || b.unseen < next.unseen) && e.mayLookInto(b) {
			next = b
		}
	}
	if next == nil || !e.serving() && next.unseen > mostLifeSeeks {
		return true
	}
	size := next.size
	if !e.serving() {
		size = next.scannedSize
	}
	s.work = e.schedule(WorkLives, next.id, size)
	return false
}

// mayLookInto reports whether the file of a block has all its messages, and stays as it is.
func (e *Engine) mayLookInto(b *block) bool {
	return !e.serving() || b != e.tail && !e.compacting.has(b) &&
		!slices.ContainsFunc(e.durability.unsealed, func(u unsealed) bool { return u.block == b }) && b.memory.tail == nil
}

// tookLives takes what was found in a block.
func (e *Engine) tookLives(w Work, d Done) {
	if e.ttl == nil || e.ttl.seek.work != w.ID {
		return
	}
	s := &e.ttl.seek
	s.work = 0
	b := e.blockNumbered(w.Block)
	if b == nil || b.unseen == 0 {
		return
	}
	if d.Err != nil {
		wait := retryLoad
		if b.unseen++; b.unseen > mostLifeSeeks && e.serving() {
			b.unseen, wait = mostLifeSeeks+1, retryLives
		}
		if s.retryAt = e.steady + wait; !e.serving() {
			e.expiry.retry = min(e.expiry.retry, s.retryAt)
		}
		return
	}
	e.sawLives(b, d.Lives)
}

// Life notes what the header of the message says that was added last.
func (s *Scan) Life(sequence uint64, time int64, header []byte) {
	if n := len(s.lives); len(header) == 0 || sequence != s.last || n > 0 && s.lives[n-1].Sequence == sequence {
		return
	}
	if l := msgheader.LifeOf(header); l != (msgheader.Life{}) {
		s.lives = append(s.lives, MessageLife{sequence, time, l})
	}
}

// LivesKnown tells that Life was told of all messages of the block.
func (s *Scan) LivesKnown() { s.livesKnown = true }

// Lives returns what Life has noted.
func (s *Scan) Lives() []MessageLife { return s.lives }

func livesAbove(list []MessageLife, last uint64) (above []MessageLife) {
	for _, m := range list {
		if m.Sequence > last {
			above = append(above, m)
		}
	}
	return above
}

// addLives notes what the scan of a block says of lives.
func (r *Recovery) addLives(b *block, s *Scan) {
	switch {
	case r.e.ttl == nil:
	case s.livesKnown:
		r.e.sawLives(b, s.lives)
	default:
		b.unseen = 1
	}
}

// sawLives notes the lives that were found in a block.
func (e *Engine) sawLives(b *block, list []MessageLife) {
	b.unseen = 0
	later := b.lives // of messages that were added since
	b.lives = nil
	last := uint64(0)
	for _, m := range list {
		if m.Sequence > last && b.live(m.Sequence) && (later == nil || m.Sequence < later.list[0].number()) {
			e.addLife(b, m)
			last = m.Sequence
		}
	}
	switch {
	case later == nil:
	case b.lives == nil:
		b.lives = later
	default:
		b.lives.list = append(b.lives.list, later.list...)
		b.lives.gone, b.lives.ever = b.lives.gone+later.gone, b.lives.ever+later.ever
		b.lives.last = max(b.lives.last, later.last)
	}
	if e.maxAge() > 0 && b.msgs > 0 {
		e.lookAt(b, e.now)
	}
}

// ttlChanged follows a change of Limits.MsgTTL.
func (e *Engine) ttlChanged() {
	e.ttl = newTTLs(&e.cfg.Limits)
	for _, b := range e.blocks {
		if b.lives != nil && b.lives.ever > 0 {
			b.ageUnknown() // MaxAge takes them, too
		}
		b.lives, b.unseen = nil, 0
		if e.ttl != nil && b.msgs > 0 {
			b.unseen = 1
		}
		e.compacting.consider(e, b) // it may have been left since it would go soon
	}
}
