package read

import (
	"context"
	"errors"
	"io/fs"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// PageSize bounds a page: no message is added once so many are in it, or so many bytes of subjects,
// headers and payloads.
type PageSize struct{ Messages, Bytes int }

// take counts a message. It reports whether another one may follow.
func (p *PageSize) take(r *blockio.Record) bool {
	p.Messages--
	p.Bytes -= len(r.Subject) + len(r.Header) + len(r.Payload)
	return p.more()
}

func (p *PageSize) more() bool { return p.Messages > 0 && p.Bytes > 0 }

// Page reads messages, as a scan does, until the page is full, and returns where the next page begins:
// behind all that was looked at, damage too. With Reverse that is below it, and 0 when there is no more.
// An error may come after some messages, and ends the page. Damage that has no sequence does so behind the
// next message only: nothing else says where the next page has to begin for it not to be told again. Where
// a page happens to end at such damage, it goes untold: it has cost no message that is known.
func (s *Source) Page(ctx context.Context, o ScanOptions, left PageSize, add func(*blockio.Record)) (next uint64, err error) {
	sc := s.NewScan(ctx, o, func(r *blockio.Record, problem error) bool {
		if problem != nil {
			placed := !withoutSequence(problem)
			if err == nil || placed {
				err = problem
			}
			return !placed
		}
		add(r)
		return left.take(r) && err == nil
	})
	end := sc.End() // the scan lowers it where it knows that no match follows
	atEnd := sc.Run()
	next = sc.Next()
	if errors.Is(err, ErrCorrupt) && errors.Is(err, fs.ErrNotExist) {
		// The block has no file, which costs all of its messages.
		next = s.beyondBlock(next, end, o.Reverse)
	}
	switch {
	case o.Reverse && (atEnd || next < s.Published.First()):
		next = 0
	case !o.Reverse && atEnd:
		// Behind what was skipped or removed at the end, which need not be looked at again.
		next = max(next, end+1)
	}
	return next, err
}

// withoutSequence reports whether an error is damage of which no sequence is known, such as a group mark's.
func withoutSequence(err error) bool {
	var damage *blockio.CorruptionError
	return errors.As(err, &damage) && damage.Sequence == 0
}

// beyondBlock returns where to go on behind the block of a sequence.
func (s *Source) beyondBlock(sequence, last uint64, reverse bool) uint64 {
	view := s.Published.View()
	b := view.Find(sequence)
	switch {
	case b == nil:
		return sequence
	case reverse:
		return b.First - 1
	}
	if after := view.Next(b); after != nil {
		return after.First
	}
	return last + 1
}

// LastPage reads the last messages of subjects, at or below a sequence (0: the last one), those at or
// above from, until the page is full. It returns where the next page begins, 0 when there are no more.
// Messages that are removed meanwhile are left out. After damage the page ends, with the error.
func (s *Source) LastPage(ctx context.Context, set subject.Set, from, most uint64, left PageSize, add func(*blockio.Record)) (next uint64, err error) {
	var sequences []uint64
	rewinds := s.Published.Rewinds()
	err = s.Ask(ctx, set, func(l *Lookup) (err error) {
		sequences, next, err = l.LastsFrom(from, most, left.Messages)
		return err
	})
	if err != nil {
		return from, err
	}
	for i, sequence := range sequences {
		var b Buffer
		switch err = s.LoadSince(rewinds, sequence, &b); {
		case errors.Is(err, ErrNotFound):
			continue
		case err != nil && !errors.Is(err, ErrCorrupt):
			return sequence, err
		case err == nil:
			add(&b.Record)
		}
		if err != nil || !left.take(&b.Record) {
			if i+1 < len(sequences) {
				next = sequences[i+1]
			}
			return next, err
		}
	}
	return next, nil
}
