package engine

import "github.com/seed-d8b58eba/millrace/internal/subject"

// gatherSubject returns the live messages of a subject, if it has any, and the records of those that MaxMsgsPer has
// evicted and that files may still hold. It looks no further than the subject index says that they are: where there is
// one message, at that one, and where there is none, at nothing.
func (e *Engine) gatherSubject(name string) (live, dead []match, outcome gathered) {
	e.track()
	now := e.subjectNow(name)
	if now.count == 0 {
		return nil, nil, gatheredAll
	}
	evicted := e.holdsEvicted() && e.per.evicted.has(now.id)
	low, high := uint64(1), maxSequence
	switch info, indexed := e.subjects.Info(now.id); {
	case evicted:
	case now.count == 1 && now.last != 0:
		low, high = now.last, now.last
	case indexed:
		low = info.First
	}
	set := subject.NewSet(subject.Literal(name))
	list, outcome := e.gather(&set, low, high, evicted)
	live, dead = selectMatches(list, 0, 0)
	return live, dead, outcome
}
