package subjects

import "github.com/seed-d8b58eba/millrace/internal/seedhash"

// stagedList is what one group has staged. At most two groups have been staged and not
// yet published; their parity tells them apart.
type stagedList struct {
	ids   []uint32 // of the subjects that the group has messages for, each once
	names []byte   // of new subjects, which are not in the tree yet
	ends  []int    // where each name ends
}

func (s *stagedList) name(i int) []byte {
	from := 0
	if i > 0 {
		from = s.ends[i-1]
	}
	return s.names[from:s.ends[i]]
}

// cut forgets all names but the first n.
func (s *stagedList) cut(n int) {
	s.ends = s.ends[:n]
	if n == 0 {
		s.names = s.names[:0]
	} else {
		s.names = s.names[:s.ends[n-1]]
	}
}

// keepStaged bounds the memory of a list that is kept for the next group.
const keepStaged = 1 << 16

func (s *stagedList) clear() {
	if cap(s.ids) > keepStaged || cap(s.names) > 16*keepStaged {
		*s = stagedList{}
	}
	s.ids, s.names, s.ends = s.ids[:0], s.names[:0], s.ends[:0]
}

// Stage returns the id of a subject for which a group has taken a message in. The id
// stays valid at least until Published of the group. A new subject is in no tree
// before Stored. The empty subject gets NoID.
func (x *Index) Stage(subject string, parity int) uint32 {
	if subject == "" {
		return NoID
	}
	h := seedhash.Sum(x.seed, subject) & x.mask
	id, ok := x.find(h, subject)
	if !ok {
		id = x.stageNew(h, subject, parity)
	}
	x.mark(id, parity)
	return id
}

func (x *Index) mark(id uint32, parity int) {
	if w := x.ids.at(id); *w&mark(parity) == 0 {
		*w |= mark(parity)
		s := &x.staged[parity&1]
		s.ids = append(s.ids, id)
	}
}

// stageNew gives a new subject an id.
func (x *Index) stageNew(hash uint32, subject string, parity int) uint32 {
	id := x.ids.take()
	x.table.add(hash, id)
	s := &x.staged[parity&1]
	s.names = append(s.names, subject...)
	s.ends = append(s.ends, len(s.names))
	*x.ids.at(id) = location(0).stagedAt(len(s.ends)-1, parity&1)
	return id
}

func (x *Index) stagedName(w location) []byte {
	return x.staged[w.index()&1].name(int(w.index() >> 1))
}

// Published tells the index that all messages of a group are counted, and its subjects
// no longer staged. New subjects of which no message was counted are forgotten.
func (x *Index) Published(parity int) {
	s, own := &x.staged[parity&1], mark(parity)
	for _, id := range s.ids {
		w := x.ids.at(id)
		other := *w & marks &^ own
		switch {
		case w.staged() && other != 0:
			x.restage(id, parity)
		case w.staged():
			x.forget(id)
		default:
			*w &^= own
			if other == 0 && x.leaves.at(w.leaf()).to.entries[w.slot()].count == 0 {
				x.forget(id)
			}
		}
	}
	s.clear()
	x.tidy()
}

// restage hands a staged subject over to the other group.
func (x *Index) restage(id uint32, parity int) {
	w := x.ids.at(id)
	to := 1 - parity&1
	if int(w.index()&1) != to {
		s := &x.staged[to]
		s.names = append(s.names, x.stagedName(*w)...)
		s.ends = append(s.ends, len(s.names))
		*w = w.stagedAt(len(s.ends)-1, to)
	}
	*w &^= mark(parity)
}
