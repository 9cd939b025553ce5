package engine

// staging is what the groups that are not published yet have done to subjects. The subject index is of what
// is published; with this a command knows how many messages its subject has when its turn comes, and which
// is the last.
type staging struct {
	// tracks tells that all groups which are not published are in deltas. Streams that never ask do without.
	tracks bool
	deltas map[uint32]delta
	// touched are the subjects of each group, by its parity.
	touched [2][]uint32
}

// delta is what groups have done to one subject, each by its parity.
type delta struct {
	stored, removed [2]uint32
	last            uint64 // of the newest message that they have stored, 0 when there is none
	size            uint32 // of it
}

// subjectNow is what a subject has, staged groups included.
type subjectNow struct {
	id    uint32
	known bool // the subject index has the id
	count uint64
	// last is the sequence of the newest message, and size its size. Either is 0 when it is not known.
	last uint64
	size uint32
}

// track begins to keep account, with what the groups that are not published have done so far.
func (e *Engine) track() {
	s := &e.staging
	if s.tracks {
		return
	}
	s.tracks, s.deltas = true, make(map[uint32]delta)
	for _, g := range [...]*group{e.inflight, e.current} {
		if g == nil {
			continue
		}
		for i := range g.pieces {
			e.trackPiece(g, &g.pieces[i])
		}
		for _, r := range g.removals {
			s.remove(g, r.subject, max(r.count, 1))
		}
	}
}

// trackPiece takes account of the messages of a piece that are not published.
func (e *Engine) trackPiece(g *group, p *piece) {
	t := p.block.appended
	if t == nil {
		return
	}
	to := p.slots
	if g == e.current && !p.seal {
		to = t.n
	}
	for i := p.counted; i < to; i++ {
		slot := t.slot(i)
		e.staging.store(g, slot.subject, slot.sequence, slot.size())
	}
}

// subjectNow returns what a subject has. The engine tracks.
func (e *Engine) subjectNow(name string) subjectNow {
	id, ok := e.subjects.Lookup(name)
	if !ok {
		return subjectNow{}
	}
	n := subjectNow{id: id, known: true}
	if info, ok := e.subjects.Info(id); ok {
		n.count = info.Count
		if info.LastExact {
			n.last, n.size = info.Last, info.LastSize
		}
	}
	d := e.staging.deltas[id]
	n.count += uint64(d.stored[0]) + uint64(d.stored[1]) - uint64(d.removed[0]) - uint64(d.removed[1])
	if q := e.per.queues[id]; q != nil && e.recount.running {
		n.count = e.liveIn(q) // the subject index counts lost ones, too
	}
	if d.last > 0 {
		n.last, n.size = d.last, d.size
	}
	if n.last > 0 && d.removed != [2]uint32{} && e.blockOf(n.last) == nil {
		n.last, n.size = 0, 0
	}
	return n
}

// stagedStore takes account of a message of the current group.
func (e *Engine) stagedStore(id uint32, sequence uint64, size int) {
	if e.staging.tracks {
		e.staging.store(e.current, id, sequence, uint32(size))
	}
}

// stagedRemovals takes account of so many messages that the current group removes.
func (e *Engine) stagedRemovals(id uint32, n uint32) {
	if e.staging.tracks {
		e.staging.remove(e.current, id, n)
	}
}

func (s *staging) store(g *group, id uint32, sequence uint64, size uint32) {
	if id != noSubject {
		d := s.touch(id, g.parity&1)
		d.stored[g.parity&1]++
		d.last, d.size = sequence, size
		s.deltas[id] = d
	}
}

func (s *staging) remove(g *group, id uint32, n uint32) {
	if id != noSubject {
		d := s.touch(id, g.parity&1)
		d.removed[g.parity&1] += n
		s.deltas[id] = d
	}
}

// touch returns the delta of a subject, and notes that the group of that parity has touched it.
func (s *staging) touch(id uint32, parity int) delta {
	d := s.deltas[id]
	if d.stored[parity] == 0 && d.removed[parity] == 0 {
		s.touched[parity] = append(s.touched[parity], id)
	}
	return d
}

// published forgets what a group has done: the subject index has been told.
func (s *staging) published(parity int) {
	if !s.tracks {
		return
	}
	p := parity & 1
	for _, id := range s.touched[p] {
		d := s.deltas[id]
		d.stored[p], d.removed[p] = 0, 0
		if d.stored[1-p] == 0 && d.removed[1-p] == 0 {
			delete(s.deltas, id)
			continue
		}
		s.deltas[id] = d
	}
	s.touched[p] = s.touched[p][:0]
}

// forget forgets everything: the stream was purged, and the ids are of another index.
func (s *staging) forget() {
	clear(s.deltas)
	s.touched[0], s.touched[1] = s.touched[0][:0], s.touched[1][:0]
}
