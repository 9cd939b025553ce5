package read

import (
	"errors"
	"io"
	"sort"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// stretch is a damaged stretch of a block.
type stretch struct {
	before int    // ordinal of the first record behind it; the number of records if there is none
	offset int64  // where it begins in the block
	first  uint64 // a sequence that it holds, 0 when that is not known
	last   uint64 // the highest one that is known
	reason string
	err    error
}

// stretches returns the damage that the index knows of, in the order of the block, with what can be told
// of its sequences. The index keeps only how much there is, so the block is read once to find it.
func (r *blockReader) stretches() ([]stretch, error) {
	if r.sum.Damage == 0 {
		return nil, nil
	}
	if known := r.damage.Load(); known != nil {
		return *known, nil
	}
	data, err := r.block.ReadAll(nil)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	found := blockio.ScanBlock(r.block.Path(), r.block.Ref().ID, r.block.Codec(), data, false, nil)
	list := make([]stretch, 0, len(found.Damage))
	for _, d := range found.Damage {
		s := stretch{offset: d.Offset, first: d.Sequence, last: d.Sequence, reason: d.Reason, err: d.Err}
		s.before = sort.Search(r.index.Len(), func(i int) bool {
			entry, entryErr := r.index.Record(i)
			if entryErr != nil {
				err = entryErr
			}
			return entry.Offset > d.Offset
		})
		list = append(list, s)
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	r.damage.Store(&list)
	return list, nil
}

// holes returns the stretches of from..to that should have messages and have no records: the block is
// damaged there, and nobody knows their subjects. before is the ordinal of the record that follows.
func (p *part) holes(from, to uint64) (holes []stretch, err error) {
	if p.reader == nil || p.reader.sum.Damage == 0 || from > to {
		return nil, nil
	}
	low, high, err := p.bounds(from, to)
	if err != nil {
		return nil, err
	}
	next := max(from, p.from)
	for i := low; i <= high; i++ {
		sequence := min(to, p.to) + 1
		if i < high {
			if sequence, err = p.table.sequence(i); err != nil {
				return nil, err
			}
		}
		for next = p.block.LiveAfter(next); next < sequence; next = p.block.LiveAfter(next) {
			end := sequence - 1
			p.block.EachDeleted(next, end, func(first, _ uint64) { end = min(end, first-1) })
			holes = append(holes, stretch{before: i, first: next, last: end, reason: "no intact record", err: ErrCorrupt})
			next = end + 1
		}
		next = sequence + 1
	}
	return holes, nil
}

// damage returns what a scan of the sequences from..to, which are the records low..high-1, comes by: the
// damaged stretches, with the sequences of the holes that they explain, and the holes that none explains.
func (p *part) damage(from, to uint64, low, high int) ([]stretch, error) {
	if p.reader == nil || p.reader.sum.Damage == 0 {
		return nil, nil
	}
	known, err := p.reader.stretches()
	if err != nil {
		return nil, err
	}
	holes, err := p.holes(from, min(to, p.to))
	if err != nil {
		return nil, err
	}
	var list []stretch
	for _, s := range known {
		for _, hole := range holes {
			if hole.before == s.before {
				if s.first < hole.first || s.first > hole.last {
					s.first = hole.first
				}
				s.last = max(s.last, hole.last)
			}
		}
		inside := s.before > low && s.before < high ||
			s.first >= from && s.first <= to ||
			s.first == 0 && (s.before <= low && from <= p.block.First || s.before >= high && to >= p.to)
		if inside && s.last >= s.first && (s.first == 0 || s.first >= from && s.first <= to) {
			list = append(list, s)
		}
	}
	for _, hole := range holes {
		explained := false
		for _, s := range list {
			explained = explained || s.before == hole.before
		}
		if !explained {
			list = append(list, hole)
		}
	}
	sort.SliceStable(list, func(i, j int) bool {
		if list[i].before != list[j].before {
			return list[i].before < list[j].before
		}
		return list[i].first < list[j].first
	})
	return list, nil
}

// damaged is the error for a damaged stretch of a block.
func (p *part) damaged(s *stretch) error {
	return p.reader.source.corrupt(p.block, s.offset, s.first, s.reason, s.err)
}
