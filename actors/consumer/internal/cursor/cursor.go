package cursor

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Settings are what a consumer may change about itself while it runs. They are not part of the state.
type Settings struct {
	// Wait is how long a message may take to be settled. Waits, if there are any, are so for the first delivery, the
	// second, and so on, and the last of them for all that follow.
	Wait  time.Duration
	Waits []time.Duration
	// MaxDeliver is how often a message is delivered at most, 0 for any number.
	MaxDeliver uint64
	// MaxPending bounds the messages that are delivered and not settled, and by itself those that are held.
	MaxPending int
	// Ordered keeps the order of messages that have the same key: one of them is in flight at a time.
	Ordered bool
	// Ahead is how far the time that the cursor is told is ahead of that by which a pause ends, and which notices have.
	Ahead int64
}

// entry is a message that was delivered and is not settled.
type entry struct {
	sequence uint64
	// first and last are the numbers of its first and of its latest delivery.
	first, last uint64
	deliveries  uint64
	due         int64  // when it is to be delivered again, nanoseconds since the epoch
	key         uint64 // if order is kept
	queue       *queue // that it waits in; nil while it is being loaded
	index       int    // in the queue
}

// line is the messages of a key.
type line struct {
	busy    bool     // one of them is in flight
	loading bool     // the first of those that wait is being loaded
	waiting []uint64 // those that are held, ascending
}

// Cursor is the state of one consumer. Make it with New or Restore.
type Cursor struct {
	Settings
	config   []byte // of the caller
	position uint64 // where it reads on
	told     uint64 // the position that events have told
	lasts    uint64 // up to here only the last message of each subject is read; 0: everything is
	number   uint64 // of the latest delivery
	paused   int64  // until when nothing is delivered
	counts   Counts

	pending map[uint64]*entry // by sequence
	later   queue             // those of them that wait for their time
	due     queue             // those whose time has come

	held  map[uint64]uint64 // the keys of messages that wait for one of the same key, by sequence
	lines map[uint64]*line  // by key
	free  freeList          // held messages whose key may be free
	// reserved is how many held messages are being loaded.
	reserved int

	notices []Notice // the latest
	noticed uint64   // number of the latest

	out []byte // events that Take has not returned
}

// Counts are totals since the consumer was made.
type Counts struct {
	Redelivered uint64 // deliveries that were not the first of their message
	Acked       uint64
	Delayed     uint64 // negative acknowledgements
	Extended    uint64 // that they are in progress
	Terminated  uint64
	Exhausted   uint64 // messages that were delivered so often as they may be
	Removed     uint64 // messages that the stream lost before they were settled, by a limit or a removal
	Damaged     uint64 // messages that could not be delivered again for damage
}

// NoticeKind says what a Notice tells of.
type NoticeKind uint8

// The kinds of notices.
const (
	NoticeExhausted  NoticeKind = iota + 1 // delivered so often as it may be, and not acknowledged
	NoticeTerminated                       // whoever had it wants it not to come again
	NoticeRemoved                          // the stream removed it before it was settled
	NoticeDamaged                          // it cannot be read any more
)

// Notice tells of a message that was settled without an acknowledgement.
type Notice struct {
	Number     uint64 // 1 for the first notice of the consumer
	Kind       NoticeKind
	Sequence   uint64
	Deliveries uint64
	Time       int64
}

// mostNotices is how many notices are kept.
const mostNotices = 128

// New returns the state of a consumer that begins at a position. If lasts is not 0, it reads up to there only the last
// message of each subject. config is the caller's, and comes back with the state.
func New(s Settings, config []byte, position, lasts uint64) *Cursor {
	c := empty(s)
	c.config, c.position, c.told, c.lasts = slices.Clone(config), max(position, 1), max(position, 1), lasts
	return c
}

func empty(s Settings) *Cursor {
	c := &Cursor{Settings: s, pending: map[uint64]*entry{}, held: map[uint64]uint64{}, lines: map[uint64]*line{}}
	c.later.less = func(a, b *entry) bool {
		return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.sequence, b.sequence)) < 0
	}
	c.due.less = func(a, b *entry) bool { return a.sequence < b.sequence }
	return c
}

// Config returns what New or SetConfig was given. It must not be changed.
func (c *Cursor) Config() []byte { return c.config }

// Position returns where the consumer reads on, and up to where only the last message of each subject, if not 0.
func (c *Cursor) Position() (position, lasts uint64) { return c.position, c.lasts }

// Counts returns the totals, and Delivered how many deliveries there were.
func (c *Cursor) Counts() Counts    { return c.counts }
func (c *Cursor) Delivered() uint64 { return c.number }

// Pending returns how many messages are delivered and not settled, and Held how many wait for one of their key.
func (c *Cursor) Pending() int { return len(c.pending) }
func (c *Cursor) Held() int    { return len(c.held) }

// Redelivering returns how many of the messages that are not settled were delivered more than once.
func (c *Cursor) Redelivering() (n int) {
	for _, e := range c.pending {
		if e.deliveries > 1 {
			n++
		}
	}
	return n
}

// PausedUntil returns until when nothing is delivered.
func (c *Cursor) PausedUntil() int64 { return c.paused }

// Floor returns the sequence up to which every message is settled or of no interest.
func (c *Cursor) Floor() uint64 {
	floor := c.position
	for sequence := range c.Outstanding() {
		floor = min(floor, sequence)
	}
	return floor - 1
}

// Outstanding gives the sequences of all messages that are not settled, held ones included, in no order.
func (c *Cursor) Outstanding() func(yield func(uint64) bool) {
	return func(yield func(uint64) bool) {
		for sequence := range c.pending {
			if !yield(sequence) {
				return
			}
		}
		for sequence := range c.held {
			if !yield(sequence) {
				return
			}
		}
	}
}

// Notices returns the notices behind a number that are kept.
func (c *Cursor) Notices(after uint64) []Notice {
	first := c.noticed - uint64(len(c.notices)) // the number before that of the first one
	if after >= c.noticed {
		return nil
	}
	return slices.Clone(c.notices[max(after, first)-first:])
}

// Noticed returns the number of the latest notice.
func (c *Cursor) Noticed() uint64 { return c.noticed }

// Pick says what kind of message is to be delivered next.
type Pick uint8

// What can be next.
const (
	PickNone  Pick = iota // nothing, now
	PickAgain             // one that was delivered before
	PickHeld              // one that has waited for its key
	PickNew               // the next that is read
)

// Next says what is to be delivered next. A sequence that it returns is to be loaded, and then given to Loaded or to
// Putback; until then Next does not return it again.
func (c *Cursor) Next(now int64) (sequence uint64, pick Pick) {
	if c.paused > now-c.Ahead {
		return 0, PickNone
	}
	if len(c.due.entries) > 0 {
		e := c.due.entries[0]
		c.due.remove(e)
		return e.sequence, PickAgain
	}
	if len(c.pending)+c.reserved >= c.MaxPending {
		return 0, PickNone
	}
	for len(c.free) > 0 {
		sequence := c.free.pop()
		key, held := c.held[sequence]
		if l := c.lines[key]; held && !l.busy && !l.loading && l.waiting[0] == sequence {
			l.loading = true
			c.reserved++
			return sequence, PickHeld
		}
	}
	if len(c.held) >= c.MaxPending {
		return 0, PickNone
	}
	return 0, PickNew
}

// Putback says that a sequence which Next has returned is not delivered now.
func (c *Cursor) Putback(sequence uint64) {
	if e := c.pending[sequence]; e != nil && e.queue == nil {
		c.due.add(e)
	}
	if c.unreserve(sequence) {
		c.free.push(sequence)
	}
}

// PutOff says that a sequence which Next has returned cannot be delivered before a time. It is no event: a crash forgets it.
func (c *Cursor) PutOff(sequence uint64, until int64) {
	if e := c.pending[sequence]; e != nil && e.queue == nil {
		e.due = until
		c.later.add(e)
		return
	}
	c.Putback(sequence)
}

// unreserve reports whether a held message was being loaded. It is not any more.
func (c *Cursor) unreserve(sequence uint64) bool {
	key, held := c.held[sequence]
	if !held {
		return false
	}
	l := c.lines[key]
	if !l.loading || l.waiting[0] != sequence {
		return false
	}
	l.loading = false
	c.reserved--
	return true
}

// Blocked reports whether a new message of a key has to be held.
func (c *Cursor) Blocked(key uint64) bool { return c.Ordered && c.lines[key] != nil }

// WakeAt returns when something is to be done that nobody asks for, or math.MaxInt64: Expire then.
func (c *Cursor) WakeAt(now int64) int64 {
	at := int64(math.MaxInt64)
	if len(c.later.entries) > 0 {
		at = c.later.entries[0].due
	}
	if c.paused > now-c.Ahead && (c.Ahead < 0 || c.paused < math.MaxInt64-c.Ahead) {
		at = min(at, c.paused+c.Ahead)
	}
	return at
}

// waitFor returns when a message is due again that is delivered for the nth time.
func (c *Cursor) waitFor(now int64, n uint64) int64 {
	wait := c.Wait
	if len(c.Waits) > 0 {
		wait = c.Waits[min(max(n, 1), uint64(len(c.Waits)))-1]
	}
	return after(now, wait)
}

// after adds a time without going around.
func after(now int64, wait time.Duration) int64 {
	if now > math.MaxInt64-int64(wait) {
		return math.MaxInt64
	}
	return now + int64(wait)
}
