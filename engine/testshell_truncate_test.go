package engine_test

import (
	"maps"
	"slices"

	"github.com/seed-d8b58eba/millrace/engine"
)

// truncate carries out a truncation: the files change at once, and another engine is recovered from them.
func (s *shell) truncate(w engine.Work) {
	t, old := w.Truncation, s.e
	d := s.disk
	d.calls++
	if d.fault != nil {
		if err := d.fault(d.calls, w.String()); err != nil {
			if d.calls%2 == 0 {
				old.LeaveTruncation(err)
			} else {
				old.Done(engine.Done{ID: w.ID, Err: err})
			}
			return
		}
	}
	d.reach("before " + w.String())
	all := change{kind: 'a', parts: s.truncation(t)}
	s.cutting = t
	d.change(all)
	d.reach("within " + w.String())
	d.sync(all.block)
	ready, commit, fault := s.onReady, s.onCommit, d.fault
	s.onReady, s.onCommit, d.fault = nil, nil, nil
	s.mount(0, t.Into)
	for s.e.Opening() {
		s.turn()
		if at, ok := s.e.NextTick(); !s.runAny() && s.e.Opening() && ok {
			s.tick(at)
		}
	}
	s.onReady, s.onCommit, s.cutting, d.fault = ready, commit, nil, fault
	if k := s.taker; k != nil {
		for _, n := range old.Notices() {
			k.take(n)
		}
		k.engine = s.e
		maps.DeleteFunc(k.stored, func(sequence uint64, _ engine.Notice) bool { return sequence > t.Last })
	}
	s.left = make(map[uint64]bool) // before the commands that have come since are carried out
	for _, sequence := range s.live() {
		s.left[sequence] = true
	}
	old.HandOver(s.e)
	if s.onTruncated != nil {
		s.onTruncated(t.Last)
	}
}

// scanOf scans a block that is recovered. Of what a truncation that is carried out knows of it, everything has to be as a scan
// finds it; that is used then.
func (s *shell) scanOf(id uint32, data []byte, last bool) *engine.Scan {
	found := scan(id, data, last)
	if t := s.cutting; t != nil {
		if i := slices.IndexFunc(t.Known, func(k engine.KnownBlock) bool { return k.ID == id }); i >= 0 {
			known := t.Known[i]
			if err := known.Differs(found); err != nil {
				panic(err)
			}
			s.known++
			return known.Scan
		}
	}
	return found
}

// truncation returns what becomes of the files.
func (s *shell) truncation(t *engine.Truncation) (changes []change) {
	b := rebuilt{id: t.Into}
	if t.Floor > 0 {
		b.add(blockCodec(t.Into).AppendFloor(nil, t.Floor))
	}
	keep := func(r record) {
		switch {
		case r.kind == 't' && r.sequence <= t.Last:
			b.add(blockCodec(t.Into).AppendTombstone(nil, r.sequence, r.time))
		case r.kind == 'f':
			b.add(blockCodec(t.Into).AppendFloor(nil, min(r.sequence, t.Last+1)))
		}
	}
	for _, id := range t.Remove {
		if slices.Contains(t.Graves, id) {
			walk(id, s.disk.current[id], func(_ int64, r record) {
				if r.kind == 't' {
					keep(r)
				}
			})
		}
		changes = append(changes, change{kind: 'r', block: id})
	}
	live, time := false, engine.NoTime
	for _, id := range s.disk.blocks() {
		if slices.Contains(t.Remove, id) {
			continue
		}
		if s.planted == "no removal" && !slices.ContainsFunc(s.pub.View().Blocks(), func(b *engine.BlockView) bool { return b.ID == id }) {
			changes = append(changes, change{kind: 'r', block: id}) // the engine has been told that it is gone
			continue
		}
		cut, data := rebuilt{id: id}, s.disk.current[id]
		behind := false
		walk(id, data, func(at int64, r record) {
			above := r.kind != 'g' && r.kind != 'f' && r.sequence > t.Last
			behind = behind || above || r.kind == 'f' && r.sequence > t.Last+1
			if behind {
				keep(r)
			} else if r.kind != 'g' {
				cut.add(data[at : at+int64(r.size)])
			}
			if r.kind == 'm' && r.sequence <= t.Last {
				if _, ok := s.read(r.sequence); ok {
					live, time = live || r.sequence == t.Last, r.time
				} else if t.Bury {
					b.add(blockCodec(t.Into).AppendTombstone(nil, r.sequence, r.time))
				}
			}
		})
		if id == t.Cut && behind {
			changes = append(changes, change{kind: 'w', block: id, data: cut.data()})
		}
	}
	if t.Last == 0 {
		return changes
	}
	if !live {
		b.add(blockCodec(t.Into).AppendSkip(nil, t.Last, time))
	}
	return append(changes, change{kind: 'c', block: t.Into}, change{kind: 'w', block: t.Into, data: b.data()})
}

// rebuilt is the bytes of a block that is made of records, in one frame.
type rebuilt struct {
	id      uint32
	records []byte
	crc     uint32
}

func (b *rebuilt) add(record []byte) {
	b.records = append(b.records, record...)
	b.crc = blockCodec(b.id).LengthsCRC(b.crc, record)
}

func (b *rebuilt) data() []byte {
	if len(b.records) == 0 {
		return nil
	}
	mark := make([]byte, 30)
	blockCodec(b.id).PutFrameMark(mark, uint32(len(b.records)), b.crc)
	return append(mark, b.records...)
}
