package engine

import "unsafe"

// nameLookup finds the numbers of the subjects of a block while it is scanned, once for each record:
// it is an open table with linear probing, in which a subject is at most nameReach slots away from
// where its hash points. What finds no place there, such as subjects that somebody has made collide,
// is in a map.
type nameLookup struct {
	slots    []nameSlot // a power of two of them
	overflow map[string]uint32
	texts    []byte // the rest of the memory for the next subjects
}

// nameSlot has the hash of a subject, and one more than its number; 0 when it is free.
type nameSlot struct{ hash, number uint32 }

const (
	nameReach     = 16
	fewestNames   = 64       // slots of a new table
	nameTextBytes = 16 << 10 // that are allocated at a time
)

func newNameLookup() *nameLookup { return &nameLookup{slots: make([]nameSlot, fewestNames)} }

// find returns the number of a subject, which is its index in list.
func (l *nameLookup) find(list []scannedName, hash uint32, subject []byte) (number uint32, known bool) {
	mask := uint32(len(l.slots) - 1)
	for i := range uint32(nameReach) {
		s := l.slots[(hash+i)&mask]
		if s.number == 0 {
			return 0, false
		}
		if s.hash == hash && list[s.number-1].name == string(subject) {
			return s.number - 1, true
		}
	}
	number, known = l.overflow[string(subject)]
	return number, known
}

// added takes the last subject of list.
func (l *nameLookup) added(list []scannedName) {
	if len(list)*4 <= len(l.slots)*3 {
		l.place(list, len(list)-1)
		return
	}
	l.slots, l.overflow = make([]nameSlot, 2*len(l.slots)), nil
	for i := range list {
		l.place(list, i)
	}
}

func (l *nameLookup) place(list []scannedName, number int) {
	n, mask := &list[number], uint32(len(l.slots)-1)
	for i := range uint32(nameReach) {
		if s := &l.slots[(n.hash+i)&mask]; s.number == 0 {
			*s = nameSlot{n.hash, uint32(number) + 1}
			return
		}
	}
	if l.overflow == nil {
		l.overflow = make(map[string]uint32)
	}
	l.overflow[n.name] = uint32(number)
}

// text returns a copy of a subject. Many of them share one piece of memory, which stays as long as
// any of them.
func (l *nameLookup) text(subject []byte) string {
	if len(subject) > cap(l.texts)-len(l.texts) {
		if len(subject) > nameTextBytes/8 {
			return string(subject)
		}
		l.texts = make([]byte, 0, nameTextBytes)
	}
	start := len(l.texts)
	l.texts = append(l.texts, subject...)
	return unsafe.String(&l.texts[start], len(subject)) // nothing writes there again
}
