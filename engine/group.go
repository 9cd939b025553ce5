package engine

// group is what one commit makes durable: the records that were staged since the
// group before it was closed, and the replies that wait for them.
type group struct {
	commit Commit
	pieces []piece  // in order
	data   [][]byte // Op.Data of the commit's writes are parts of this
	size   int64    // of the records, without marks
	parity int      // see groups.depart

	replies []Reply // to leave when the sync level allows
	flushes []Reply // to leave when the group is durable, at every level
	written []Reply // to leave when the group is written, at every level
	force   bool    // sync the group at every level
	hurries bool    // the group does not linger
	stop    bool    // seal the tail: nothing comes after this group

	// At SyncNever readers are shown the group as it gathers, and replies leave,
	// unless too much waits to be written: then the group is held.
	held    bool
	shown   bool
	shownAt int64 // when readers were first shown something of the group

	removals    []removal
	corrections []correction
	removed     bool     // messages were removed, with a record of that or without
	piece       bool     // a purge has removed a piece
	purged      bool     // all messages that were before the group, or in it before now
	evicted     []uint32 // blocks that were removed from the list
	notices     []stagedNotice
	erasures    []erasure
	// deletedIn are blocks in which messages were deleted.
	deletedIn []*block
	release   []*block // blocks whose memory goes once the group is written
	rolled    []*block // blocks that the maintenance lane has to seal
	// removesDerived tells that the commit removes the files of Config.Derived.
	removesDerived bool
	// secures tells that they go last, since what they say is in the group.
	secures bool

	// What readers are to see; view is nil when the list of blocks is as it was, and numbers until the first group that has
	// used this memory is closed.
	numbers   *numbers
	view      *View
	deletions []deletion
}

// deletion is what readers are to see deleted in a block once a group is published.
type deletion struct {
	block *block
	view  *BlockView // of the block, when the group was closed
	set   *deletedSnapshot
}

// deletes notes that messages of a block were deleted.
func (g *group) deletes(b *block) {
	if n := len(g.deletedIn); n == 0 || g.deletedIn[n-1] != b {
		g.deletedIn = append(g.deletedIn, b)
	}
	g.removed = true
}

// fixDeletions notes what is deleted now in the blocks that the group touches: a later group may be
// removing more from them while this one is on its way.
func (g *group) fixDeletions() {
	fix := func(b *block) {
		if set := b.deleted.snapshot(); set != nil {
			g.deletions = append(g.deletions, deletion{b, b.view, set})
		}
	}
	for i := range g.pieces {
		fix(g.pieces[i].block)
	}
	for _, b := range g.deletedIn {
		fix(b)
	}
}

// piece is what a group writes to one block.
type piece struct {
	block    *block
	from, to int64
	create   bool // the block is new
	seal     bool // the block takes no more records
	slots    int  // how many entries of the block's table readers may see afterwards
	counted  int  // how many of them the subject index has counted already
}

// removal is a message that was removed. The subject index is told of it when the
// group is published.
type removal struct {
	subject  uint32
	count    uint32 // of messages up to the sequence, when it is not that one alone
	sequence uint64
}

// staged reports whether the group holds records, or other changes that readers
// must not see before it is done.
func (g *group) staged() bool {
	return len(g.pieces) > 0 || len(g.evicted) > 0 || g.removed || g.stop
}

// idle reports whether the group has nothing in it, and nobody waits for it.
func (g *group) idle() bool { return !g.staged() && !g.force && len(g.replies) == 0 }

// reset empties the group, and keeps the memory of its lists.
func (g *group) reset() {
	clear(g.pieces)
	clear(g.data)
	clear(g.replies)
	clear(g.flushes)
	clear(g.written)
	clear(g.release)
	clear(g.rolled)
	clear(g.deletedIn)
	clear(g.deletions)
	clear(g.commit.Ops)
	*g = group{
		commit: Commit{Ops: g.commit.Ops[:0]}, parity: g.parity, removals: g.removals[:0], corrections: g.corrections[:0],
		notices: g.notices[:0],
		pieces:  g.pieces[:0], data: g.data[:0],
		replies: g.replies[:0], flushes: g.flushes[:0], written: g.written[:0],
		evicted: g.evicted[:0], release: g.release[:0], rolled: g.rolled[:0], deletedIn: g.deletedIn[:0],
		deletions: g.deletions[:0], numbers: g.numbers,
	}
}

// pieceFor returns the group's last piece. It begins one in block b, at the block's
// end, if that is in another block.
func (g *group) pieceFor(b *block) *piece {
	if n := len(g.pieces); n > 0 && g.pieces[n-1].block == b {
		return &g.pieces[n-1]
	}
	p := piece{block: b, from: b.size, to: b.size}
	if b.appended != nil {
		p.counted = b.appended.n
	}
	g.pieces = append(g.pieces, p)
	return &g.pieces[len(g.pieces)-1]
}
