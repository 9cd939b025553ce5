package engine

import (
	"math"

	"github.com/seed-d8b58eba/millrace/engine/subjects"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

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
	parity  int     // tells this group from the other that is not published yet
	gone    []goneMessage
	lost    uint64 // messages up to here went that no table lists any more

	evicted []uint32 // blocks that readers no longer see
	release []*block // blocks whose memory goes once the group is written
	rolled  []*block // sealed by this group, to be synced by the maintenance lane

	numbers     [counters]uint64 // what to publish
	view        *View            // what to publish, if it changed
	force, stop bool             // sync whatever the level; seal the tail
}

// piece is what a group writes to one block.
type piece struct {
	block    *block
	from, to int64
	create   bool
	seal     bool
	slots    int // records of the block that readers may see afterwards
	indexed  int // records of the block that the subject index knows of already
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
	if b.live != nil {
		p.indexed = b.live.n
	}
	g.pieces = append(g.pieces, p)
	return &g.pieces[len(g.pieces)-1]
}

// closeFrame ends the open frame: its mark is filled in, or taken back when a
// single record needs none.
func (e *Engine) closeFrame() {
	b := e.tail
	if b == nil || !b.memory.frame.open {
		return
	}
	m := &b.memory
	f := m.frame
	m.frame = frame{}
	length := b.size - f.offset - emptyRecord
	chunk := m.chunks[f.chunk].bytes
	if f.records == 1 && !looksCompressed(f.offset, length) {
		copy(chunk[f.at:], chunk[f.at+emptyRecord:f.at+emptyRecord+int(length)])
		m.used -= emptyRecord
		b.size -= emptyRecord
		if f.slots == 1 {
			i := b.live.n - 1
			b.live.chunks[i/slotsPerChunk][i%slotsPerChunk].offset -= emptyRecord
		}
	} else {
		b.codec.PutGroupMark(chunk[f.at:f.at+emptyRecord], f.records, uint32(length))
	}
	e.current.pieceFor(b).to = b.size
}

// looksCompressed reports whether a record of this length at the start of a
// block would be taken for the header of a compressed block, whose first three
// bytes are "cmp". A group mark before it prevents that.
func looksCompressed(offset, length int64) bool {
	return offset == 0 && length&0xffffff == 'c'|'m'<<8|'p'<<16
}

// openFrame makes room for a record of n bytes in the tail, in an open frame.
func (e *Engine) openFrame(n int) {
	b := e.tail
	m := &b.memory
	if m.tail == nil {
		e.startMemory(b)
	}
	if m.frame.open {
		m.room(n, b.size, e.chunkHint, e.cfg.Buffers)
		return
	}
	e.current.pieceFor(b)
	m.room(emptyRecord+n, b.size, e.chunkHint, e.cfg.Buffers)
	m.frame = frame{open: true, chunk: len(m.chunks) - 1, at: m.used, offset: b.size}
	m.used += emptyRecord
	b.size += emptyRecord
}

// appended accounts for a record of n bytes that was encoded into the tail.
func (e *Engine) appended(n int) {
	b := e.tail
	b.memory.used += n
	b.memory.frame.records++
	b.size += int64(n)
	p := e.current.pieceFor(b)
	p.to = b.size
	e.current.commit.Records++
	e.current.size += int64(n)
	e.numbers[countUnacknowledged] += uint64(n)
}

// startMemory gives a block memory for the records from now on.
func (e *Engine) startMemory(b *block) {
	b.memory.tail = newTail(e.last() + 1)
	b.tailFrom, b.oldSize = e.last()+1, b.size
	b.live = &Table{}
	b.view = e.viewOf(b)
	e.viewChanged = true
}

// viewOf returns a reader's view of a block, as it is now.
func (e *Engine) viewOf(b *block) *BlockView {
	if b.view == nil {
		return newBlockView(b.id, e.last()+1, b.memory.tail)
	}
	v := newBlockView(b.id, b.view.First, b.memory.tail)
	v.gaps.Store(b.view.gaps.Load())
	v.lastTime.Store(b.maxTime)
	v.Attached.Store(b.view.Attached.Load())
	return v
}

// roll seals the tail and starts the next block.
func (e *Engine) roll() {
	if old := e.tail; old != nil {
		e.closeFrame()
		p := e.current.pieceFor(old)
		p.seal = true
		if old.live != nil {
			p.slots = old.live.n
		}
		old.sealed = true
		e.current.release = append(e.current.release, old)
		if n := len(old.memory.chunks); n > 0 {
			e.chunkHint = len(old.memory.chunks[n-1].bytes)
		}
	}
	e.lastID++
	b := &block{id: e.lastID, last: e.last(), maxTime: math.MinInt64, codec: e.cfg.Codec.Block(e.lastID)}
	e.blocks = append(e.blocks, b)
	e.tail = b
	b.memory.tail = newTail(e.last() + 1)
	b.live = &Table{}
	b.tailFrom = e.last() + 1
	b.view = e.viewOf(b)
	e.viewChanged = true
	e.current.pieceFor(b).create = true
}

// seal turns the current group into a commit. It returns nil when there is
// nothing to write; what waits for nothing but the group before is then done.
func (e *Engine) seal() *Commit {
	g := e.current
	if !g.staged() && !g.force {
		e.out = append(e.out, g.replies...)
		clear(g.replies)
		g.replies = g.replies[:0]
		return nil
	}
	e.closeFrame()
	e.snapshot(g)
	e.operations(g)
	e.current, e.spare = e.spare, nil
	if e.current == nil {
		e.current = &group{}
	}
	e.current.parity = g.parity ^ 1
	e.inflight = g
	if len(g.commit.Ops) == 0 {
		e.committed()
		return nil
	}
	e.nextID++
	g.commit.ID = e.nextID
	return &g.commit
}

// snapshot fixes what the group publishes.
func (e *Engine) snapshot(g *group) {
	for i := range g.pieces {
		if p := &g.pieces[i]; !p.seal && p.block.live != nil {
			p.slots = p.block.live.n
		}
	}
	e.fillNumbers()
	g.numbers = e.numbers
	if e.viewChanged {
		e.viewChanged = false
		g.view = e.currentView()
	}
}

func (e *Engine) fillNumbers() {
	e.numbers[countSubjects] = uint64(e.index.Tree().Len())
	e.numbers[countBlocks] = uint64(len(e.blocks))
	e.numbers[countDurable] = e.durability.durable.sequence
}

func (e *Engine) currentView() *View {
	v := &View{blocks: make([]*BlockView, len(e.blocks))}
	for i, b := range e.blocks {
		v.blocks[i] = b.view
	}
	return v
}

// operations lists what the commit lane has to do for the group.
func (e *Engine) operations(g *group) {
	always := e.cfg.Level == SyncAlways
	if !e.derivedGone && len(g.pieces)+len(g.evicted) > 0 && len(e.cfg.Derived) > 0 {
		g.add(Op{Kind: OpRemoveDerived})
	}
	for i := range g.pieces {
		p := &g.pieces[i]
		if p.create {
			g.add(Op{Kind: OpCreate, Block: p.block.id})
		}
		if p.to > p.from {
			start := len(g.data)
			g.data = p.block.memory.pieces(g.data, p.from, p.to)
			g.add(Op{
				Kind: OpWrite, Block: p.block.id, Offset: p.from,
				Data: g.data[start:len(g.data):len(g.data)],
				Sync: always && !p.seal,
			})
			g.commit.Bytes += int(p.to - p.from)
		}
		if p.seal {
			if always {
				g.add(Op{Kind: OpSeal, Block: p.block.id, Offset: p.to})
			} else {
				g.rolled = append(g.rolled, p.block)
			}
		}
	}
	if e.tail == nil {
		return
	}
	switch {
	case g.stop:
		g.add(Op{Kind: OpSeal, Block: e.tail.id, Offset: e.tail.size})
	case g.force && !always:
		g.add(Op{Kind: OpSync, Block: e.tail.id})
	}
}

func (g *group) add(op Op) { g.commit.Ops = append(g.commit.Ops, op) }

// publishStaged shows readers what SyncNever has acknowledged: all that is
// staged, unless too much of it waits to be written.
func (e *Engine) publishStaged() {
	g := e.current
	if !g.staged() {
		return
	}
	behind := e.inflight != nil && e.inflight.held
	if g.held = behind || int64(e.numbers[countUnacknowledged]) > e.cfg.MaxUnwritten; g.held {
		return
	}
	if !g.shown {
		g.shown, g.shownAt = true, e.now
	}
	e.closeFrame()
	e.snapshot(g)
	e.publish(g)
	g.view = nil
	e.out = append(e.out, g.replies...)
	clear(g.replies)
	g.replies = g.replies[:0]
}

// worthWriting is the size at which a group does not linger, in bytes. A write
// costs as much as encoding a hundred small records.
const worthWriting = 64 << 10

// lingers reports whether the current group waits for more before it is written.
// Only SyncNever lets it: nobody waits for the write.
func (e *Engine) lingers() bool {
	g := e.current
	return g.shown && g.size < worthWriting && e.now-g.shownAt < int64(e.cfg.Linger) && e.now >= g.shownAt &&
		!g.held && !g.force && !g.stop && len(g.evicted) == 0
}

// publish makes a group visible.
func (e *Engine) publish(g *group) {
	if e.opening != nil {
		return
	}
	e.pub.turn.Add(1)
	if g.view != nil {
		e.pub.view.Store(g.view)
	}
	for i := range g.pieces {
		b := g.pieces[i].block
		b.publishDeleted()
		b.view.lastTime.Store(b.maxTime)
		if b.memory.tail != nil {
			b.memory.tail.visible.Store(int64(g.pieces[i].slots))
		}
	}
	e.indexSubjects(g)
	g.numbers[countSubjects] = uint64(e.index.Tree().Len())
	// Gauges have been published since the group was sealed; they do not go back.
	e.fillGauges(&g.numbers)
	e.pub.publish(&g.numbers)
	e.pub.turn.Add(1)
}

// indexSubjects brings the subject index up to date with a group.
func (e *Engine) indexSubjects(g *group) {
	if e.pub.held.Load() {
		e.pub.held.Store(false)
		e.index.Freeze()
	}
	for i := range g.pieces {
		p := &g.pieces[i]
		for ; p.indexed < p.slots; p.indexed++ {
			c, at := p.block.live.chunks[p.indexed/slotsPerChunk], p.indexed%slotsPerChunk
			e.index.Stored(c[at].subject, c[at].sequence, c[at].size)
		}
	}
	for _, m := range g.gone {
		e.index.Removed(m.subject, m.sequence)
	}
	g.gone = g.gone[:0]
	if g.lost > 0 {
		e.forgetSubjects(g.lost)
		g.lost = 0
	}
	e.index.Published(g.parity)
	e.pub.showTree(e.index.Tree())
}

// forgetSubjects takes subjects out of the index all of whose messages were lost with
// what no table lists any more. Where a subject has later messages too, it is not known
// how many of it were lost: its count stays too high until the stream is opened again.
func (e *Engine) forgetSubjects(through uint64) {
	everything := subject.Everything()
	var gone []subjects.Info
	e.index.Tree().Walk(&everything, func(_ []byte, info subjects.Info) bool {
		if info.Last <= through {
			gone = append(gone, info)
		}
		return true
	})
	for _, info := range gone {
		e.index.RemovedMany(info.ID, info.Count, info.Last)
	}
}

// publishGauges brings the numbers up to date that do not depend on what is
// staged.
func (e *Engine) publishGauges() {
	n := e.pub.written
	e.fillGauges(&n)
	e.pub.publish(&n)
}

func (e *Engine) fillGauges(n *[counters]uint64) {
	for c := countRefusedMsgs; c < counters; c++ {
		n[c] = e.numbers[c]
	}
	n[countDurable] = e.durability.durable.sequence
	n[countUnindexed] = e.indexing.open()
}

// committed completes the group in flight.
func (e *Engine) committed() {
	g := e.inflight
	e.inflight = nil
	if len(g.commit.Ops) > 0 && g.commit.Ops[0].Kind == OpRemoveDerived {
		e.derivedGone = true
	}
	e.numbers[countUnacknowledged] -= uint64(g.size)
	e.durability.committed(e, g)
	if e.cfg.Level != SyncNever || g.held {
		e.publish(g)
	}
	for i := range g.pieces {
		if p := &g.pieces[i]; p.seal && e.cfg.Level == SyncAlways {
			e.indexing.sealed(e, p.block)
		}
	}
	for _, b := range g.release {
		e.indexing.letGo(e, b)
		if !e.indexing.hold(e, b) {
			e.releaseMemory(b)
		}
	}
	e.trimMemory()
	e.out = append(e.out, g.replies...)
	g.reset()
	e.spare = g
}

// trimMemory keeps less of the tail when the process is short of memory.
func (e *Engine) trimMemory() {
	b := e.tail
	if b == nil || b.memory.tail == nil || !e.cfg.Buffers.Tight() {
		return
	}
	if end := e.durability.written.end; end.Block == b.id {
		b.memory.trim(end.Offset, e.cfg.Buffers)
	}
}

// releaseMemory drops the memory of a block that takes no more records. Its
// table stays when a limit is about to need it.
func (e *Engine) releaseMemory(b *block) {
	keep := e.cfg.Limits.evicts() && e.nearHead(b)
	b.memory.drop(b.live, e.cfg.Buffers, &e.spareSlots, keep)
	if !keep {
		b.forgetTables()
	}
}

// dropIdleMemory drops the memory of a tail that nobody has written to for a
// while. Readers find its records in the file.
func (e *Engine) dropIdleMemory() {
	b := e.tail
	if b == nil || b.memory.tail == nil || e.inflight != nil || !e.current.idle() ||
		e.now < e.durability.lastWrite+idleAfter {
		return
	}
	b.memory.drop(b.live, e.cfg.Buffers, &e.spareSlots, false)
	b.forgetTables()
	e.spareSlots, e.chunkHint = nil, smallestChunk
	e.current, e.spare, e.sent = &group{}, nil, nil
	e.prefetch()
}
