package engine

import (
	"iter"
	"slices"

	"github.com/seed-d8b58eba/millrace/engine/subjects"
)

// SubjectInfo is what is known of a subject that has messages.
type SubjectInfo = subjects.Info

// Capture is a stream as of one instant, with all that an engine has to know of it to go on from there. It never
// changes. It is made to be written down beside the blocks, so that they need not be read when the stream is opened
// again: see Recovery.Restore.
type Capture struct {
	State
	// Floor is the highest floor in the log, and FloorBlock the block that it is in.
	Floor      uint64
	FloorBlock uint32
	// TTL is what the header Nats-TTL meant.
	TTL       TTLMode
	Blocks    []BlockCapture
	Subjects  *subjects.Tree
	Schedules []ScheduleCapture
	// evicted has the numbers of subjects of which files may hold messages that MaxMsgsPer has evicted.
	evicted idSet
	// Group is how far the log had come, for Settled.
	Group uint64
}

// BlockCapture is what is known of one block.
type BlockCapture struct {
	ID   uint32
	Size int64 // of the records
	// First is the first sequence that the block spans, and Last the last one. LastRecord is that of the last message
	// or skip in the file, 0 when there is none, or it is not known.
	First, Last, LastRecord uint64
	// Proves is the highest sequence that a record of the block shows to have been used.
	Proves         uint64
	FirstMessage   uint64 // of the first message record, live or not; 0 when there is none
	Messages       uint64 // live
	Bytes          uint64
	FirstLive      uint64 // while Messages > 0
	FirstTime      int64  // its time, or that of a message before it if FirstTimeStale
	FirstTimeStale bool
	MaxTime        int64 // the highest time of a message
	// AgeFrom and AgeTo are the lowest and the highest time of a message that MaxAge may remove, or around them. The
	// first is above the second if there is none.
	AgeFrom, AgeTo int64
	MarkCRC        uint32 // of the last mark
	Thinned        bool   // messages of it were removed
	Tombstones     bool   // there may be tombstones in it that are of use to others
	Compressed     bool
	Indexed        bool // Restore alone: it has a block index
	// LivesKnown tells that all messages which have a life of their own, or are markers, are in Lives.
	LivesKnown bool
	lives      []life
	deleted    *deletedSnapshot
	// Removed is what Restore takes for EachDeleted, and Ends for Lives.
	Removed []SequenceRange
	Ends    []LifeCapture
}

// LifeCapture is the life of a live message.
type LifeCapture struct {
	Sequence uint64
	Due      int64 // when it is removed, or never: see HasDue
	ForEver  bool  // MaxAge does not remove it
	Marker   bool
}

// HasDue reports whether the message is to be removed at a time.
func (l *LifeCapture) HasDue() bool { return l.Due != never }

// NoDue is the Due of a message that is not to be removed at any time.
const NoDue = never

// ScheduleCapture is a schedule that counts, and when it is due.
type ScheduleCapture struct {
	Subject  string
	Sequence uint64
	Due      int64
}

// Evicted reports whether files may hold messages of a subject that MaxMsgsPer has evicted.
func (c *Capture) Evicted(info SubjectInfo) bool { return c.evicted.has(info.ID) }

// EachDeleted calls visit for the ranges of sequences within from..to that have no live message, in order, of those
// that the block spans. Of those below the first sequence of the stream it need not know.
func (b *BlockCapture) EachDeleted(from, to uint64, visit func(first, last uint64)) {
	b.deleted.stretches().each(from, to, visit)
}

// Lives returns the lives of messages, in order.
func (b *BlockCapture) Lives() iter.Seq[LifeCapture] {
	return func(yield func(LifeCapture) bool) {
		for _, l := range b.lives {
			if l.due == lifeGone {
				continue
			}
			if !yield(LifeCapture{l.number(), l.due, l.sequence&lifeForEver != 0, l.sequence&lifeMarker != 0}) {
				return
			}
		}
	}
}

// Capture returns the stream as it is now. It reports false when something is under way, and can be asked again
// later: HoldCommands helps when it does not come to rest by itself. It returns nil when not all is known of the
// stream that a Capture has to say: there is damage in it, or a count is being made anew.
//
// It takes time in proportion to the number of blocks and schedules. Afterwards the engine copies what it changes of
// what the Capture has, each part once.
func (e *Engine) Capture() (*Capture, bool) {
	if !e.quiescent() {
		return nil, false
	}
	if e.counts[countLostMessages] > 0 || e.counts[countLostBytes] > 0 || len(e.lost) > 0 || e.counts[countRecounting] > 0 ||
		slices.ContainsFunc(e.blocks, func(b *block) bool { return b.damaged || b.allLost || b.odd }) {
		return nil, true
	}
	s := e.pub.instant()
	c := &Capture{
		State: s.State, Floor: e.floor.first, FloorBlock: e.floor.block, TTL: e.cfg.Limits.MsgTTL, Subjects: s.Subjects,
		Group: e.durability.written.group, evicted: slices.Clone(e.per.evicted), Blocks: make([]BlockCapture, len(e.blocks)),
	}
	e.pub.held.Store(true) // the tree stays as it is
	for i, b := range e.blocks {
		c.Blocks[i] = b.capture()
	}
	if e.schedules != nil {
		for _, s := range e.schedules.bySequence {
			c.Schedules = append(c.Schedules, ScheduleCapture{s.subject, s.sequence, s.due})
		}
	}
	return c, true
}

func (b *block) capture() BlockCapture {
	c := BlockCapture{
		ID: b.id, Size: b.size, First: b.view.First, Last: b.last, LastRecord: b.lastRecord, Proves: b.proves,
		FirstMessage: b.firstMsg, Messages: b.msgs, Bytes: b.bytes, MaxTime: b.maxTime, AgeFrom: b.times.Lowest(), AgeTo: b.times.Highest(),
		MarkCRC: b.markCRC, Thinned: b.thinned, Tombstones: b.tombstones, Compressed: b.compressed,
		LivesKnown: b.unseen == 0, deleted: b.view.deleted.Load(),
	}
	if b.msgs > 0 {
		c.FirstLive, c.FirstTime, c.FirstTimeStale = b.firstLive, b.firstTime, b.timeStale
	}
	if b.lives != nil {
		b.lives.lent = true
		c.lives = b.lives.list[:len(b.lives.list):len(b.lives.list)]
	}
	return c
}

// quiescent reports whether readers are shown all that there is, the files have it, and no file is about to be
// removed or replaced.
func (e *Engine) quiescent() bool {
	d := &e.durability
	return e.failed == nil && e.serving() && e.inflight == nil && !e.current.staged() && !e.current.shown &&
		e.change.step == changeNothing && e.purges == nil && e.truncating == nil &&
		len(d.evicted) == 0 && !d.removing && len(d.unsealed) == 0 && len(d.erasures) == 0 && len(e.compacting.out) == 0
}

// HoldCommands has commands wait until it is called with false, so that the engine comes to rest.
func (e *Engine) HoldCommands(hold bool) {
	if e.holding = hold; !hold {
		e.goOn()
	}
}

// CaptureDurable reports whether the log was durable up to a Capture when it was asked last, and sees to it that it will
// be, but at SyncNever.
func (e *Engine) CaptureDurable(c *Capture) bool {
	if e.durability.durable.group >= c.Group {
		return true
	}
	if e.cfg.Level == SyncInterval {
		e.syncInBackground()
	}
	return false
}

// WrittenGroup returns a number that changes with each group that is written.
func (e *Engine) WrittenGroup() uint64 { return e.durability.written.group }
