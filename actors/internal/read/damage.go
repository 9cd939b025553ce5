package read

import (
	"errors"
	"io"
	"slices"
	"sort"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// Damage shows in four ways. A record that the index has is not what its checksums say: the read that finds
// it (closely in scan_part.go, load in load.go) tells the store. A message that the view has as live is in
// no record: holes finds it, and tells the store. What the store has been told, or recovery has found, is
// lost: it is deleted, and the view names its sequences. And a block can have damaged stretches of which
// nobody knows what they held: its index counts them.

// stretch is a damaged stretch of a block, as a scan hands it out.
type stretch struct {
	before int    // ordinal of the first record behind it; the number of records if there is none
	offset int64  // where it begins in the block; 0 when that is not known
	first  uint64 // the first sequence that it held, 0 when none is known
	last   uint64 // the last one
	reason string
	err    error
}

const (
	noRecord = "no intact record"
	wasLost  = "message was lost"
)

// stretches returns the damage that the index of the block counts, in the order of the block. The index
// keeps only how much there is, so the block is read once to find it.
func (r *blockReader) stretches() ([]stretch, error) {
	if r.sum.Damage == 0 {
		return nil, nil
	}
	if known := r.damage.Load(); known != nil {
		return *known, nil
	}
	data, err := r.block.ReadAll(nil)
	unreadable := blockio.Unreadable(err)
	if err != nil && unreadable == nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	found := blockio.ScanBlockAround(r.block.Path(), r.block.Ref().ID, r.block.Codec(), data, unreadable, false, nil)
	list := make([]stretch, 0, len(found.Damage))
	err = nil
	for _, d := range found.Damage {
		if errors.Is(d, blockio.ErrSector) && !r.unread {
			continue // the index has what is there, and who reads that tells of it
		}
		s := stretch{offset: d.Offset, first: d.Sequence, last: max(d.Sequence, d.Last), reason: d.Reason, err: d.Err}
		s.before = sort.Search(r.index.Len(), func(i int) bool {
			entry, entryErr := r.index.Record(i)
			err = firstError(err, entryErr)
			return entry.Offset > d.Offset
		})
		list = append(list, s)
	}
	if err != nil {
		return nil, err
	}
	if len(unreadable) == 0 || r.unread {
		r.damage.Store(&list)
	}
	return list, nil
}

// holes returns the stretches of from..to of which the view has live messages and the block no records, and
// tells the store of them. A block that has none now gets none by itself, so it is looked through once.
func (p *part) holes(from, to uint64) (holes []stretch, err error) {
	r := p.reader
	if r == nil || from > to || r.complete.Load() {
		return nil, nil
	}
	from, to = max(from, p.from), min(to, p.to)
	low, high := from, to
	if after := p.view.Next(p.block); r.block.Whole() && after != nil {
		low, high = p.block.First, after.First-1
	}
	all, err := p.holesOf(max(low, r.source.Published.First()), high)
	if err != nil {
		return nil, err
	}
	if len(all) > 0 {
		all = r.source.stillLive(all)
	}
	if len(all) == 0 {
		r.complete.CompareAndSwap(false, r.block.Whole() && low == p.block.First)
		return nil, nil
	}
	for _, hole := range all {
		r.lostWithin(p.block, hole.first, hole.last)
		if hole.last >= from && hole.first <= to {
			hole.first, hole.last = max(hole.first, from), min(hole.last, to)
			holes = append(holes, hole)
		}
	}
	return holes, nil
}

// holesOf returns the stretches of from..to that are live and have no records.
func (p *part) holesOf(from, to uint64) (holes []stretch, err error) {
	next := from
	gap := func(before int, last uint64) {
		for next = p.block.LiveAfter(next); next <= last; next = p.block.LiveAfter(next) {
			end := last
			p.block.EachDeleted(next, last, func(first, _ uint64) { end = min(end, first-1) })
			holes = append(holes, stretch{before: before, first: next, last: end, reason: noRecord, err: ErrCorrupt})
			next = end + 1
		}
	}
	var before blockindex.Run // the run that goes up to the next one
	err = p.reader.index.Runs(func(run blockindex.Run) bool {
		if run.Ordinal > 0 {
			next = max(next, before.Sequence+uint64(run.Ordinal-before.Ordinal))
		}
		if run.Sequence > 0 {
			gap(run.Ordinal, min(run.Sequence-1, to))
		}
		before = run
		return run.Sequence <= to
	})
	if n := p.reader.index.Len(); err == nil && before.Sequence <= to {
		if n > 0 {
			next = max(next, before.Sequence+uint64(n-before.Ordinal))
		}
		gap(n, to)
	}
	return holes, err
}

// live reports whether a message is live now, whatever it was in the view that somebody holds: what was removed since
// may also have been erased.
func (s *Source) live(sequence uint64) bool {
	if sequence < s.Published.First() || sequence > s.Published.Last() {
		return false
	}
	b := s.Published.View().Find(sequence)
	return b != nil && !b.Deleted(sequence)
}

// stillLive returns what is live now of stretches that have no records.
func (s *Source) stillLive(holes []stretch) (left []stretch) {
	now := s.Published.Extent()
	for _, hole := range holes {
		from, to := max(hole.first, now.FirstSequence), min(hole.last, now.LastSequence)
		for from <= to {
			b := now.View.Find(from)
			if b == nil {
				break
			}
			end := to
			if after := now.View.Next(b); after != nil {
				end = min(to, after.First-1)
			}
			for _, live := range liveWithin(b, from, end) {
				part := hole
				part.first, part.last = live.First, live.Last
				left = append(left, part)
			}
			from = end + 1
		}
	}
	return left
}

// liveWithin returns the stretches of from..to that are live in a block.
func liveWithin(b *engine.BlockView, from, to uint64) (live []engine.SequenceRange) {
	if from > to {
		return nil
	}
	b.EachDeleted(from, to, func(first, last uint64) {
		if from < first {
			live = append(live, engine.SequenceRange{First: from, Last: first - 1})
		}
		from = last + 1
	})
	if from <= to {
		live = append(live, engine.SequenceRange{First: from, Last: to})
	}
	return live
}

// damaged returns what a scan of the sequences from..to, which are the records low..high-1, comes by: one
// stretch for each place in the block, with the sequences that are known of it.
func (p *part) damaged(from, to uint64, low, high int, set *subject.Set) ([]stretch, error) {
	to = min(to, p.to)
	var known []stretch
	holes, err := p.holes(from, to)
	if err == nil && p.reader != nil {
		known, err = p.reader.stretches()
	}
	if err != nil {
		return nil, err
	}
	lost, err := p.lost(max(from, p.from), to, set)
	if err != nil {
		return nil, err
	}
	list := holes
	for _, l := range lost {
		// The store may have come to know of a hole meanwhile.
		if !slices.ContainsFunc(holes, func(h stretch) bool { return h.first <= l.last && l.first <= h.last }) {
			list = append(list, l)
		}
	}
	for _, s := range known {
		explained := false
		for i := range list {
			if list[i].before == s.before && !explained {
				// What was there is known already, and here is where.
				list[i].offset, list[i].reason, list[i].err, explained = s.offset, s.reason, s.err, true
			}
		}
		if explained || s.first == 0 && p.toldBehind() {
			continue
		}
		inside := s.before > low && s.before < high || s.first >= from && s.first <= to && s.first > 0 ||
			s.first == 0 && (s.before <= low && from <= p.block.First || s.before >= high && to >= p.to)
		if inside && (s.first == 0 || !p.block.Deleted(s.first)) {
			list = append(list, s)
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

// toldBehind reports whether messages that the block had, and that follow those of its view, are known to be
// lost: unnamed damage in the block is told of with them.
func (p *part) toldBehind() bool {
	after := p.view.Next(p.block)
	if after == nil {
		return false
	}
	lost, ok := p.source.Published.Lost(after.First)
	return ok && lost.Block == p.block.ID
}

// lost returns what the view names as lost of the sequences from..to, as far as a set may select it.
func (p *part) lost(from, to uint64, set *subject.Set) (list []stretch, err error) {
	for _, r := range p.source.Published.LostWithin(from, to) {
		s := stretch{first: r.First, last: r.Last, reason: wasLost, err: ErrCorrupt}
		if s.before, err = p.table.search(r.First); err != nil {
			return nil, err
		}
		if p.reader != nil && !p.reader.maySelect(r, set) {
			continue
		}
		list = append(list, s)
	}
	return list, nil
}

// mostLookedAt bounds how many lost sequences are looked at for their subjects.
const mostLookedAt = 1024

// maySelect reports whether a set may select lost messages: the index of the block still knows the subject
// of a record that was damaged after the index was written.
func (r *blockReader) maySelect(lost engine.LostRange, set *subject.Set) bool {
	if set.All() || lost.Last-lost.First >= mostLookedAt {
		return true
	}
	for sequence := lost.First; sequence <= lost.Last; sequence++ {
		name, ok := r.subjectOf(sequence)
		if !ok || set.Match(name) {
			return true
		}
	}
	return false
}

// subjectOf returns the subject that the index has for a sequence.
func (r *blockReader) subjectOf(sequence uint64) (name []byte, ok bool) {
	err := blockio.Guard(func() error {
		i, found, err := r.index.Ordinal(sequence)
		if err != nil || !found {
			return err
		}
		entry, err := r.index.Record(i)
		if err == nil && entry.Subject != blockindex.EmptySubject {
			name, err = r.index.Subject(entry.Subject, nil)
		}
		ok = err == nil
		return err
	})
	return name, err == nil && ok
}

// lose tells the store that messages of a block are lost. subject is theirs, nil when it is not known.
func (s *Source) lose(b *engine.BlockView, first, last uint64, record *blockindex.Record, subject ...byte) {
	if s.Lose == nil || s.Stopped.Load() {
		return
	}
	l := engine.Loss{Generation: b.Generation}
	l.First, l.Last, l.Block = first, last, b.ID
	if record != nil {
		l.Subject, l.SubjectKnown, l.Bytes = string(subject), true, uint64(record.Size)
	}
	s.Lose(l)
}

// loseRecord tells the store that the record of a message is damaged.
func (r *blockReader) loseRecord(b *engine.BlockView, sequence uint64) {
	name, ok := r.subjectOf(sequence)
	if !ok {
		r.source.lose(b, sequence, sequence, nil)
		return
	}
	var entry blockindex.Record
	if blockio.Guard(func() error {
		i, _, err := r.index.Ordinal(sequence)
		if err == nil {
			entry, err = r.index.Record(i)
		}
		return err
	}) == nil {
		r.source.lose(b, sequence, sequence, &entry, name...)
	}
}

// errorOf is the error for a damaged stretch of a block.
func (s *Source) errorOf(b *engine.BlockView, d *stretch) error {
	return &blockio.CorruptionError{
		Path: s.Path(b.ID), Block: b.ID, Offset: d.offset, Sequence: d.first, Last: d.last, Reason: d.reason, Err: d.err,
	}
}

// lostError is the error for a sequence that the view names as lost.
func (s *Source) lostError(r engine.LostRange) error {
	return &blockio.CorruptionError{
		Path: s.Path(r.Block), Block: r.Block, Sequence: r.First, Last: r.Last, Reason: wasLost, Err: ErrCorrupt,
	}
}
