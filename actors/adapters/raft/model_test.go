package raftstore

import (
	"fmt"
	"math/rand"

	"github.com/hashicorp/raft"
)

// model is a log as the terms of its entries, and the vote.
type model struct {
	first, last uint64 // zeros when there is no entry
	terms       map[uint64]uint64
	term, vote  uint64
}

// next is a random operation, and what it makes of a model.
func (m *model) next(random *rand.Rand) (do func(*Store) error, step func(*model)) {
	switch at, term := random.Intn(10), m.term+1; {
	case at < 6:
		from := m.last + 1
		if m.last == 0 {
			from = 1 + uint64(random.Intn(50))
		}
		to := from + uint64(random.Intn(20))
		return func(s *Store) error { return s.StoreLogs(entries(from, to, term)) }, func(m *model) {
			if m.first == 0 {
				m.first = from
			}
			for m.last = to; from <= to; from++ {
				m.terms[from] = term
			}
			m.term = term
		}
	case at < 7:
		vote := random.Uint64()
		return func(s *Store) error { return s.SetUint64([]byte("LastVoteTerm"), vote) }, func(m *model) { m.vote = vote }
	case at < 8 && m.last > m.first: // the tail
		low := m.first + 1 + uint64(random.Intn(int(m.last-m.first)))
		return func(s *Store) error { return s.DeleteRange(low, m.last) }, func(m *model) { m.last = low - 1 }
	case at < 9 && m.last > m.first: // the head
		high := m.first + uint64(random.Intn(int(m.last-m.first)))
		return func(s *Store) error { return s.DeleteRange(m.first, high) }, func(m *model) { m.first = high + 1 }
	}
	return func(s *Store) error { return s.DeleteRange(m.first, m.last) }, func(m *model) { m.first, m.last = 0, 0 }
}

// compare says how a Store differs from the model.
func (m *model) compare(s *Store) error {
	first, err := s.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.LastIndex()
	if err != nil {
		return err
	}
	vote, err := s.GetUint64([]byte("LastVoteTerm"))
	if err != nil {
		return err
	}
	if first != m.first || last != m.last || vote != m.vote {
		return fmt.Errorf("%d to %d, vote %d, want %d to %d, vote %d", first, last, vote, m.first, m.last, m.vote)
	}
	for index := first; first > 0 && index <= last; index++ {
		var read raft.Log
		if err := s.GetLog(index, &read); err != nil {
			return err
		}
		if want := entry(index, m.terms[index]); read.Term != want.Term || string(read.Data) != string(want.Data) {
			return fmt.Errorf("index %d: term %d, %q, want term %d", index, read.Term, read.Data, want.Term)
		}
	}
	return nil
}
