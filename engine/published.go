package engine

import (
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/engine/subjects"
)

// This file, view.go and tail.go hold what readers on other goroutines look at while
// the engine goes on. One rule is behind all of it: the engine writes, and then stores
// the atomic through which readers find what it wrote; readers load that atomic before
// they look.

// Published is a stream as readers see it: what has been acknowledged at the
// stream's sync level, and nothing else. It outlives its engine, so that reads
// go on while a failed stream recovers. All methods are safe for concurrent
// use and never block.
type Published struct {
	// lost is what was lost through damage, nil when nothing was.
	lost atomic.Pointer[lostList]
	view atomic.Pointer[View]
	// turn is odd while a publication changes anything of what a Snapshot holds:
	// the blocks, what is visible of them, the subjects, and the numbers.
	turn atomic.Uint64
	tree atomic.Pointer[subjects.Tree]
	// held tells the engine that some reader may hold the tree: it then changes
	// copies. Readers set it before they look at turn, and the engine makes turn
	// odd before it looks at held, so one of the two notices the other.
	held atomic.Bool
	// rewinds says how the last sequence went back.
	rewinds atomic.Pointer[rewinds]
	// deleted is what Deleted returns after Close.
	deleted atomic.Pointer[[]SequenceRange]
	// version is odd while the counts and the times change.
	version atomic.Uint64
	counts  [counters]atomic.Uint64
	// The times of the first and the last message belong to the counts.
	firstTime, lastTime atomic.Int64
	// logEnd is where the last commit that succeeded has ended: block and offset, of 32 bits each.
	logEnd atomic.Uint64
	// generations is how many generations of blocks there were. Engines alone use
	// it, one at a time.
	generations uint64
}

// LogEnd returns where the log ended after the last commit that succeeded, at the last turn of the engine: the zero
// Position when there was none.
func (p *Published) LogEnd() Position {
	end := p.logEnd.Load()
	return Position{uint32(end >> 32), int64(uint32(end))}
}

func (p *Published) setLogEnd(end Position) {
	if next := uint64(end.Block)<<32 | uint64(uint32(end.Offset)); next != p.logEnd.Load() {
		p.logEnd.Store(next)
	}
}

// nextGeneration returns the generation of the blocks of a new engine, or of a
// block that is rewritten: one more than any before.
func (p *Published) nextGeneration() uint64 {
	p.generations++
	return p.generations
}

// noSubjects is the subject index of a stream that holds nothing. It never changes.
var noSubjects = subjects.New(0).Tree()

// NewPublished returns the published state of a stream that holds nothing.
func NewPublished() *Published {
	p := &Published{}
	p.view.Store(&View{})
	p.tree.Store(noSubjects)
	p.firstTime.Store(NoTime)
	p.lastTime.Store(NoTime)
	return p
}

// Close forgets the blocks and the subjects. The numbers stay, and what Deleted
// returns.
func (p *Published) Close() {
	_, deleted := p.Deleted()
	p.turn.Add(1)
	p.deleted.Store(&deleted)
	p.view.Store(&View{})
	p.tree.Store(noSubjects)
	p.turn.Add(1)
}

// Forget leaves the state of a stream without messages: it was deleted. The last sequence stays. The engine is of no use
// any more.
func (p *Published) Forget() {
	n := p.numbers()
	for _, c := range [...]counter{countMessages, countBytes, countSubjects, countBlocks, countLostMessages, countLostBytes, countUnindexed, countUncompacted} {
		n.counts[c] = 0
	}
	n.counts[countFirst], n.firstTime = n.counts[countLast]+1, NoTime
	none := []SequenceRange(nil)
	p.turn.Add(1)
	p.deleted.Store(&none)
	p.view.Store(&View{})
	p.tree.Store(noSubjects)
	p.publish(&n)
	p.turn.Add(1)
}

// heal ends a publication that a panic has interrupted, so that readers do not wait for the end of it for ever. What
// they see is right again when the engine that recovers publishes. While the numbers change nothing can panic.
func (p *Published) heal() {
	if p.turn.Load()&1 != 0 {
		p.turn.Add(1)
	}
}

// View returns the current list of blocks.
func (p *Published) View() *View { return p.view.Load() }

// Last returns the highest sequence that readers may see.
func (p *Published) Last() uint64 { return p.counts[countLast].Load() }

// Messages returns the number of live messages.
func (p *Published) Messages() uint64 { return p.counts[countMessages].Load() }

// First returns the lowest sequence that may be live.
func (p *Published) First() uint64 { return p.counts[countFirst].Load() }

// Range returns First and Last as of one instant.
func (p *Published) Range() (first, last uint64) {
	for {
		before := p.version.Load()
		first, last = p.First(), p.Last()
		if before&1 == 0 && p.version.Load() == before {
			return first, last
		}
		runtime.Gosched()
	}
}

// Durable returns the highest sequence known to be on stable storage.
func (p *Published) Durable() uint64 { return p.counts[countDurable].Load() }

// Turn returns a number that changes whenever something is published.
func (p *Published) Turn() uint64 { return p.turn.Load() }

// Snapshot is a stream as of one instant. It never changes, whatever the engine does, but that the files of its
// blocks may be removed, or others take their place.
type Snapshot struct {
	State
	View *View
	// Subjects is the subject index, of all live messages.
	Subjects *subjects.Tree
	turn     uint64
}

// Snapshot returns the stream as of one instant, in constant time. When it comes
// while the engine publishes, it tries again; publishing takes some ten
// nanoseconds a message of the group. After a snapshot the engine copies the parts of
// the subject index that it changes, each once.
func (p *Published) Snapshot() Snapshot {
	for {
		p.held.Store(true)
		s := p.instant()
		// A publication that began before may have taken the mark away, and ended, before its turn was
		// read here: the engine would then change what it takes for nobody's.
		if s.turn&1 == 0 && p.held.Load() && p.turn.Load() == s.turn {
			return s
		}
		runtime.Gosched()
	}
}

// Subjects returns the subject index as of one instant, at less cost than Snapshot.
func (p *Published) Subjects() *subjects.Tree {
	for {
		p.held.Store(true)
		turn := p.turn.Load()
		tree := p.tree.Load()
		if turn&1 == 0 && p.held.Load() && p.turn.Load() == turn {
			return tree
		}
		runtime.Gosched()
	}
}

// Extent is Snapshot without the subjects, at less cost for the engine. What is removed later may be deleted in its
// blocks: it is for who goes through them and wants to know.
func (p *Published) Extent() Snapshot {
	for {
		s := p.instant()
		if s.turn&1 == 0 && p.turn.Load() == s.turn {
			s.Subjects = nil
			return s
		}
		runtime.Gosched()
	}
}

// Freeze returns the stream as of one instant. It takes time in proportion to the number of blocks; when it comes
// while the engine publishes, it tries again.
func (p *Published) Freeze() *Frozen {
	for {
		if s := p.instant(); s.turn&1 == 0 {
			f := freeze(&s)
			if p.turn.Load() == s.turn {
				f.count()
				return f
			}
		}
		runtime.Gosched()
	}
}

// instant reads what Snapshot returns. What it returns is of one instant only if its
// turn is even, and is the turn still.
func (p *Published) instant() Snapshot {
	s := Snapshot{turn: p.turn.Load()}
	if s.turn&1 == 0 {
		s.Subjects, s.View, s.State = p.tree.Load(), p.view.Load(), p.State()
	}
	return s
}

// Deleted returns the state, and the sequences between the first and the last
// that are deleted, ascending and disjoint, as of one instant.
func (p *Published) Deleted() (State, []SequenceRange) {
	var blocks []*deletedSnapshot
	for {
		s := p.instant()
		if last := p.deleted.Load(); last != nil {
			return p.State(), slices.Clone(*last)
		}
		if s.turn&1 == 0 {
			blocks = blocks[:0]
			for _, b := range s.View.blocks {
				blocks = append(blocks, b.deleted.Load())
			}
			if p.turn.Load() == s.turn {
				deleted := newDeletedRanges(&s.State)
				for _, d := range blocks {
					deleted.add(d.stretches())
				}
				return s.State, deleted.ranges
			}
		}
		runtime.Gosched()
	}
}

// numbers copies the counts and the times as of one instant.
func (p *Published) numbers() (n numbers) {
	for {
		before := p.version.Load()
		for c := range n.counts {
			n.counts[c] = p.counts[c].Load()
		}
		n.firstTime, n.lastTime = p.firstTime.Load(), p.lastTime.Load()
		if before&1 == 0 && p.version.Load() == before {
			return n
		}
		runtime.Gosched()
	}
}

// State returns the stream's state as of one instant, in constant time.
func (p *Published) State() State {
	n := p.numbers()
	return n.state()
}

// Counts returns totals and state as of one instant.
func (p *Published) Counts() Counts {
	n := p.numbers()
	return n.toCounts()
}

// showTree publishes the subjects. The engine alone calls it.
func (p *Published) showTree(t *subjects.Tree) {
	if p.tree.Load() != t {
		p.tree.Store(t)
	}
}

// publish makes n the published numbers. The engine alone calls it. To store an atomic costs more than to compare it.
func (p *Published) publish(n *numbers) {
	if p.shows(n) {
		return
	}
	p.version.Add(1)
	for c := range n.counts {
		if n.counts[c] != p.counts[c].Load() {
			p.counts[c].Store(n.counts[c])
		}
	}
	if n.firstTime != p.firstTime.Load() {
		p.firstTime.Store(n.firstTime)
	}
	if n.lastTime != p.lastTime.Load() {
		p.lastTime.Store(n.lastTime)
	}
	p.version.Add(1)
}

// shows reports whether n are the published numbers. The engine alone calls it.
func (p *Published) shows(n *numbers) bool {
	for c := range n.counts {
		if n.counts[c] != p.counts[c].Load() {
			return false
		}
	}
	return n.firstTime == p.firstTime.Load() && n.lastTime == p.lastTime.Load()
}

// showsAtOnce is shows for those of the numbers that readers see without waiting for a group.
func (p *Published) showsAtOnce(n *numbers) bool {
	for _, c := range shownAtOnce {
		if n.counts[c] != p.counts[c].Load() {
			return false
		}
	}
	return true
}
