package subjects

import "github.com/seed-d8b58eba/millrace/internal/seedhash"

// NoID stands for the empty subject, which is never indexed.
const NoID = ^uint32(0)

// Index is the owner's side of the index. It is not safe for concurrent use.
type Index struct {
	seed  uint64
	mask  uint32 // of hashes; tests force collisions with it
	epoch uint64

	tree   *Tree
	table  table
	ids    ids
	leaves references[leaf]
	nodes  references[node]
	staged [2]stagedList

	name    []byte // scratch
	fetched uint64 // see Fetch
}

// New returns an empty index. Somebody who does not know the seed cannot choose
// subjects that make it slow.
func New(seed uint64) *Index {
	x := &Index{seed: seed, mask: ^uint32(0), epoch: 1}
	x.tree = &Tree{epoch: x.epoch, seed: seed}
	x.reset()
	return x
}

// reset forgets all structure. The index has no subjects.
func (x *Index) reset() {
	x.table, x.ids = newTable(), newIDs()
	x.leaves, x.nodes = newReferences[leaf](), newReferences[node]()
	root := &node{epoch: x.epoch, fence: noFence}
	root.number = x.nodes.take(root, none)
	x.header().root = root
}

// tidy gives memory back when the index has no subjects any more, if it has much.
func (x *Index) tidy() {
	if x.table.used == 0 && x.ids.used > 1<<pageBits {
		x.reset()
	}
}

// Freeze tells the index that somebody may hold the current tree from now on. The tree
// stays as it is: changes that come later are made to copies.
func (x *Index) Freeze() {
	if x.tree.epoch == x.epoch {
		x.epoch++
	}
}

// Tree returns the current tree. It changes with the index up to the next Freeze.
func (x *Index) Tree() *Tree { return x.tree }

// Lookup returns the id of a subject that is live or staged.
func (x *Index) Lookup(subject string) (id uint32, ok bool) {
	if subject == "" {
		return NoID, false
	}
	return x.find(seedhash.Sum(x.seed, subject)&x.mask, subject)
}

func (x *Index) find(hash uint32, subject string) (id uint32, ok bool) {
	s := x.table.segment(hash)
	for i := s.home(hash); s.slots[i] != 0; {
		if slot := s.slots[i]; slot.hash() == hash && x.is(slot.id(), subject) {
			return slot.id(), true
		}
		if i++; i == len(s.slots) {
			i = 0
		}
	}
	return NoID, false
}

// is reports whether an id in use belongs to a subject.
func (x *Index) is(id uint32, subject string) bool {
	w := *x.ids.at(id)
	if w.live() {
		return x.leaves.at(w.leaf()).to.is(w.slot(), subject)
	}
	return string(x.stagedName(w)) == subject
}

// Known reports whether an id is that of a subject which is live or staged.
func (x *Index) Known(id uint32) bool { return id < x.ids.used && !x.ids.at(id).free() }

// AppendName appends the subject of an id that is live or staged.
func (x *Index) AppendName(into []byte, id uint32) []byte {
	w := *x.ids.at(id)
	if w.live() {
		return x.leaves.at(w.leaf()).to.appendName(into, w.slot())
	}
	return append(into, x.stagedName(w)...)
}

// Info returns what is known of the subject of an id, if it has live messages.
func (x *Index) Info(id uint32) (Info, bool) {
	if id >= x.ids.used {
		return Info{}, false
	}
	w := *x.ids.at(id)
	if !w.live() {
		return Info{}, false
	}
	e := &x.leaves.at(w.leaf()).to.entries[w.slot()]
	return x.tree.info(e), e.count > 0
}

// entry returns the entry of a subject to be changed, and its leaf. A subject that was
// only staged gets one without messages.
func (x *Index) entry(id uint32) (*leaf, *entry) {
	w := x.ids.at(id)
	if !w.live() {
		x.enter(id)
	}
	l := x.writableLeaf(w.leaf())
	return l, &l.entries[w.slot()]
}

// live returns what entry does for a subject that has messages, and nil for any other.
func (x *Index) live(id uint32) (*leaf, *entry) {
	if _, ok := x.Info(id); !ok {
		return nil, nil
	}
	return x.entry(id)
}

// Stored counts a message of a subject that was staged. Its sequence is above those of
// all messages that were counted before.
func (x *Index) Stored(id uint32, sequence uint64, size uint32) {
	if id == NoID {
		return
	}
	l, e := x.entry(id)
	t := x.header()
	if e.count == 0 {
		l.zombies--
		t.live++
	}
	e.append(sequence, size)
	if e.count < many-1 {
		e.count++
	} else {
		t.setCount(e, countOf(e, t.over)+1)
	}
	l.sum++
	t.messages++
}

// Removed counts the removal of one message, wherever it was among those of its
// subject. If it was the first or the last, the next one is not known: First and
// Last become bounds, until SetFirst or SetLast. A subject without messages is
// forgotten, unless a message for it is staged.
func (x *Index) Removed(id uint32, sequence uint64) { x.removed(id, 1, sequence, false) }

// RemovedMany counts the removal of all n messages of a subject up to a sequence.
// With n of 1 it is Removed for a message that is known to be the first.
func (x *Index) RemovedMany(id uint32, n, through uint64) { x.removed(id, n, through, true) }

// Lost counts n messages of a subject that are gone, nobody knows which. First and Last become bounds.
func (x *Index) Lost(id uint32, n uint64) {
	if e := x.lower(id, n); e != nil {
		e.set(e.first(), e.last(), false, false)
	}
}

func (x *Index) removed(id uint32, n, sequence uint64, oldest bool) {
	if e := x.lower(id, n); e != nil {
		e.drop(sequence, oldest)
	}
}

// lower lowers the count of a subject. It returns nil when the subject has no messages left, or had none.
func (x *Index) lower(id uint32, n uint64) *entry {
	l, e := x.live(id)
	if e == nil || n == 0 {
		return nil
	}
	t := x.header()
	count := countOf(e, t.over)
	n = min(n, count)
	t.setCount(e, count-n)
	l.sum -= n
	t.messages -= n
	if e.count > 0 {
		return e
	}
	t.live--
	l.zombies++
	if *x.ids.at(id)&marks == 0 {
		x.forget(id)
		x.tidy()
	}
	return nil
}

// Add counts messages that were found in a block: count of them between first and
// last. Blocks come in ascending order, so what is known of the first message stays.
func (x *Index) Add(subject string, count, first, last uint64, firstExact bool, size uint32) (id uint32) {
	if subject == "" || count == 0 {
		return NoID
	}
	h := seedhash.Sum(x.seed, subject) & x.mask
	s := &x.staged[0]
	mark := len(s.ends) // a new name is staged until the end of this function
	id, ok := x.find(h, subject)
	if !ok {
		id = x.stageNew(h, subject, 0)
	}
	l, e := x.entry(id)
	t := x.header()
	if e.count == 0 {
		l.zombies--
		t.live++
		e.set(first, last, firstExact, true)
	} else {
		e.set(e.first(), last, e.firstExact(), true)
	}
	e.size = size
	t.setCount(e, countOf(e, t.over)+count)
	e.settle()
	l.sum += count
	t.messages += count
	s.cut(mark)
	return id
}

// SetFirst says which the first message of a subject is. It is remembered only where
// it is not 2^32 or more before Last; so when both are to be set, SetLast comes first.
func (x *Index) SetFirst(id uint32, sequence uint64) {
	if _, e := x.live(id); e != nil {
		e.set(sequence, e.last(), true, e.lastExact())
		e.settle()
	}
}

// SetLast says which the last message of a subject is, and its size.
func (x *Index) SetLast(id uint32, sequence uint64, size uint32) {
	if _, e := x.live(id); e != nil {
		e.set(e.first(), sequence, e.firstExact(), true)
		e.size = size
		e.settle()
	}
}

// forget takes a subject without messages out of everything.
func (x *Index) forget(id uint32) {
	x.name = x.AppendName(x.name[:0], id)
	x.table.remove(seedhash.Sum(x.seed, x.name)&x.mask, id)
	if w := *x.ids.at(id); w.live() {
		x.take(w.leaf(), w.slot())
	}
	x.ids.give(id)
}
