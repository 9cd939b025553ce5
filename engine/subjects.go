package engine

import "strings"

// subjects counts the live messages of every subject. A subject has a small
// number while it has messages, so that tables need not hold strings.
type subjects struct {
	ids    map[string]uint32
	counts []uint64
	names  []string
	free   []uint32
}

// noSubject is the number of the empty subject, which is not tracked.
const noSubject = ^uint32(0)

func newSubjects() subjects { return subjects{ids: make(map[string]uint32)} }

// add counts n more messages of a subject and returns its number.
func (s *subjects) add(subject string, n uint64) uint32 {
	if subject == "" {
		return noSubject
	}
	if id, ok := s.ids[subject]; ok {
		s.counts[id] += n
		return id
	}
	return s.create(subject, n)
}

func (s *subjects) create(subject string, n uint64) uint32 {
	// The caller's string may be part of something large, or borrowed.
	subject = strings.Clone(subject)
	var id uint32
	if k := len(s.free); k > 0 {
		id, s.free = s.free[k-1], s.free[:k-1]
		s.counts[id], s.names[id] = n, subject
	} else {
		id = uint32(len(s.counts))
		s.counts, s.names = append(s.counts, n), append(s.names, subject)
	}
	s.ids[subject] = id
	return id
}

// lookup returns the number of a subject that has messages.
func (s *subjects) lookup(subject string) uint32 {
	if id, ok := s.ids[subject]; ok {
		return id
	}
	return noSubject
}

// remove counts n messages less. A subject without messages is forgotten.
func (s *subjects) remove(id uint32, n uint64) {
	if id == noSubject || n == 0 {
		return
	}
	s.counts[id] -= n
	if s.counts[id] == 0 {
		delete(s.ids, s.names[id])
		s.names[id] = ""
		s.free = append(s.free, id)
	}
}

func (s *subjects) len() int { return len(s.ids) }
