package engine

// group is what one commit makes durable: the records staged since the last one
// was sealed, and the replies that wait for them.
type group struct {
	commit  Commit
	pieces  []piece
	data    [][]byte // backing of the pieces' data in commit.Ops
	replies []Reply
	flushes []Reply // wait until the group is durable, whatever the level
	size    int64   // of the records, without marks
	held    bool    // SyncNever: not shown yet, too much is unwritten
	shown   bool    // SyncNever: shown, and waits to be worth a write
	shownAt int64   // when that began
	removed bool    // messages went that no record names
	parity  int     // see groups.depart
	gone    []goneMessage
	lost    uint64 // messages up to here went that no table lists any more

	evicted []uint32 // blocks that readers no longer see
	release []*block // blocks whose memory goes once the group is written
	rolled  []*block // sealed by this group, to be synced by the maintenance lane

	numbers        numbers // what to publish
	view           *View   // what to publish, if it changed
	removesDerived bool    // the files of Config.Derived
	force, stop    bool    // sync whatever the level; seal the tail
}

// piece is what a group writes to one block.
type piece struct {
	block    *block
	from, to int64
	create   bool
	seal     bool
	slots    int // records of the block that readers may see afterwards
	counted  int // records of the block that the subject index has counted
}

// goneMessage is a message that was removed: the subject index hears of it when the
// group is published.
type goneMessage struct {
	subject  uint32
	sequence uint64
}

// staged reports whether the group holds records, or other changes that readers
// must not see before it is done.
func (g *group) staged() bool {
	return len(g.pieces) > 0 || len(g.evicted) > 0 || g.removed || g.stop
}

// idle reports whether nothing waits for the group.
func (g *group) idle() bool { return !g.staged() && !g.force && len(g.replies) == 0 }

func (g *group) reset() {
	clear(g.pieces)
	clear(g.data)
	clear(g.replies)
	clear(g.flushes)
	clear(g.release)
	clear(g.rolled)
	clear(g.commit.Ops)
	*g = group{
		commit: Commit{Ops: g.commit.Ops[:0]}, parity: g.parity, gone: g.gone[:0],
		pieces: g.pieces[:0], data: g.data[:0],
		replies: g.replies[:0], flushes: g.flushes[:0],
		evicted: g.evicted[:0], release: g.release[:0], rolled: g.rolled[:0],
	}
}

// pieceFor returns the group's last piece, which is in block b.
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
