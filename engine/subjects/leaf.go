package subjects

import "bytes"

const (
	leafMax = 60 // a leaf of so many fills one of the allocator's size classes
	// leafBytes bounds the names of a leaf, without their common prefix, so that a
	// change never moves much, and offsets fit into two bytes. In a leaf of one name
	// all of it is prefix.
	leafBytes = 1 << 14
)

// place tells where in the bytes of a leaf's names a name is, without the common prefix.
type place struct{ at, size uint16 }

// leaf holds up to leafMax subjects. A subject keeps its slot while others come and
// go, so that an id can point at it; order has the slots sorted by name.
//
// Places are not in the entries but beside order, so that a search by name touches few
// cache lines: in a large index the time is spent on these, and not on arithmetic. What
// names holds is never changed in place. So a copy of a leaf shares it with the leaf,
// and can append to it, since the leaf will not be changed any more.
//
// The fields are in the order of the cache lines that they are in: what a message of a known subject changes is in the
// first, and what a look-up by hash reads is in the first three.
type leaf struct {
	entries []entry
	names   []byte // the common prefix, and the rests behind it
	epoch   uint64
	sum     uint64 // messages of all entries

	hints  hints
	prefix uint16 // length of the common prefix
	unused uint16 // bytes in names that no name has any more

	number uint32
	// All names have at least and at most so many tokens. There need not be names
	// with just so many.
	minTokens, maxTokens uint32
	zombies              uint8 // entries without messages, see Index.Removed
	order                [leafMax]uint8
	places               [leafMax]place // by slot
}

func (l *leaf) len() int { return len(l.entries) }

func (l *leaf) slots() []uint8 { return l.order[:len(l.entries)] }

func (l *leaf) lead() []byte { return l.names[:l.prefix] }

// rest returns the name of a slot without the common prefix.
func (l *leaf) rest(slot uint8) []byte {
	p := l.places[slot]
	return l.names[int(l.prefix)+int(p.at):][:p.size]
}

// appendName appends the whole name of a slot.
func (l *leaf) appendName(into []byte, slot uint8) []byte {
	return append(append(into, l.lead()...), l.rest(slot)...)
}

// is reports whether the name of a slot is subject.
func (l *leaf) is(slot uint8, subject string) bool {
	n := int(l.prefix)
	return len(subject) == n+int(l.places[slot].size) &&
		string(l.rest(slot)) == subject[n:] && string(l.lead()) == subject[:n]
}

var dot = []byte{'.'}

func tokens(name []byte) uint32 { return uint32(bytes.Count(name, dot)) + 1 }

// tokensOf returns the number of tokens of the name of a slot.
func (l *leaf) tokensOf(slot uint8) uint32 {
	return uint32(bytes.Count(l.lead(), dot)) + tokens(l.rest(slot))
}

// search returns the position in order of the first name at or after name, from a
// position on, and whether that is name itself.
func (l *leaf) search(name []byte, from int) (position int, found bool) {
	n := int(l.prefix)
	if len(name) < n || string(name[:n]) != string(l.lead()) {
		if string(name) < string(l.lead()) {
			return from, false
		}
		return l.len(), false
	}
	name = name[n:]
	low, high := from, l.len()
	for low < high {
		middle := int(uint(low+high) / 2)
		if string(l.rest(l.order[middle])) < string(name) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < l.len() && string(l.rest(l.order[low])) == string(name)
}

// common returns how many bytes two names have in common at their beginning.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// width returns how long the names behind a prefix are together.
func (l *leaf) width(prefix int) int {
	total := 0
	for _, p := range l.places[:l.len()] {
		total += int(p.size)
	}
	return total + l.len()*(int(l.prefix)-prefix)
}

// fits reports whether one more name has room.
func (l *leaf) fits(name []byte) bool {
	prefix := common(name, l.lead())
	return l.len() < leafMax && l.width(prefix)+len(name)-prefix <= leafBytes
}

// insert adds a name that fits, at a position in order. The name gets the next slot.
func (l *leaf) insert(position int, name []byte, h hint, e entry) {
	prefix := common(name, l.lead())
	rest := name[prefix:]
	at := len(l.names) - prefix
	switch {
	case prefix < int(l.prefix) || at+len(rest) > leafBytes:
		l.repack(prefix, len(rest))
		at = len(l.names) - prefix
	case len(l.names)+len(rest) <= cap(l.names):
	case l.unused > 0:
		l.repack(prefix, len(rest))
		at = len(l.names) - prefix
	default:
		l.names = append(namesFor(len(l.names)+len(rest)), l.names...)
	}
	l.names = append(l.names, rest...)
	l.grow()
	slot := uint8(l.len())
	l.entries = append(l.entries, e)
	l.places[slot] = place{uint16(at), uint16(len(rest))}
	l.hints.set(slot, h)
	copy(l.order[position+1:l.len()], l.order[position:])
	l.order[position] = slot
	n := tokens(name)
	l.minTokens, l.maxTokens = min(l.minTokens, n), max(l.maxTokens, n)
}

// spareEntries is by how many entries a leaf grows.
const spareEntries = 4

// grow makes room for an entry. Doubling would leave a third of the memory unused.
func (l *leaf) grow() {
	if l.len() == cap(l.entries) {
		l.resize(l.len() + spareEntries)
	}
}

// resize moves the entries to memory for so many, and for those more that fit into what
// the allocator rounds that up to.
func (l *leaf) resize(room int) {
	entries := append([]entry(nil), make([]entry, min(room, leafMax))...)[:l.len()]
	copy(entries, l.entries)
	l.entries = entries
}

// namesFor returns memory for so many bytes of names and some more.
func namesFor(total int) []byte { return append([]byte(nil), make([]byte, total+total/16)...)[:0] }

// repack writes the names anew behind a prefix of another length, without unused and
// with room for so many bytes more. The prefix must be common to all names.
func (l *leaf) repack(prefix, room int) {
	old := *l
	total := prefix + l.width(prefix) + room
	l.names = append(namesFor(total), old.lead()[:min(prefix, len(old.lead()))]...)
	cut := prefix - len(l.names) // of each rest, becomes part of the prefix
	if cut > 0 {
		l.names = append(l.names, old.rest(0)[:cut]...)
	}
	l.prefix, l.unused = uint16(prefix), 0
	for slot := range l.entries {
		at := len(l.names) - prefix
		rest := old.rest(uint8(slot))
		if prefix < int(old.prefix) {
			l.names = append(l.names, old.lead()[prefix:]...)
		}
		l.names = append(l.names, rest[cut:]...)
		l.places[slot] = place{uint16(at), uint16(len(l.names) - prefix - at)}
	}
}

// recount sets the bounds of the tokens and the sums from the entries. over has the
// counts that do not fit.
func (l *leaf) recount(over map[uint32]uint64) {
	lead := uint32(bytes.Count(l.lead(), dot))
	l.sum, l.zombies, l.minTokens, l.maxTokens = 0, 0, ^uint32(0), 0
	for slot := range l.entries {
		e := &l.entries[slot]
		l.sum += countOf(e, over)
		if e.count == 0 {
			l.zombies++
		}
		n := lead + tokens(l.rest(uint8(slot)))
		l.minTokens, l.maxTokens = min(l.minTokens, n), max(l.maxTokens, n)
	}
}

// remove takes a slot out. The last slot moves into its place, if it is another.
func (l *leaf) remove(slot uint8) {
	last := uint8(l.len() - 1)
	position := bytes.IndexByte(l.slots(), slot)
	l.unused += l.places[slot].size
	copy(l.order[position:last], l.order[position+1:])
	if slot != last {
		moved := bytes.IndexByte(l.order[:last], last)
		l.order[moved] = slot
		l.entries[slot], l.places[slot] = l.entries[last], l.places[last]
		l.hints.set(slot, l.hints.at(last))
	}
	l.entries = l.entries[:last]
}

// part returns a new leaf with the names and entries of some slots, in their order.
func (l *leaf) part(slots []uint8, room int) *leaf {
	p := &leaf{epoch: l.epoch, names: l.names, prefix: l.prefix}
	p.resize(len(slots) + room)
	for i, slot := range slots {
		p.entries = append(p.entries, l.entries[slot])
		p.places[i], p.order[i] = l.places[slot], uint8(i)
		p.hints.set(uint8(i), l.hints.at(slot))
	}
	first, last := p.rest(0), p.rest(uint8(len(slots)-1))
	p.repack(int(l.prefix)+common(first, last), 0)
	return p
}

// copyOf returns a copy for a later epoch, for the owner to change.
func (l *leaf) copyOf(epoch uint64) *leaf {
	c := *l
	c.epoch = epoch
	c.entries = append([]entry(nil), l.entries...)
	return &c
}
