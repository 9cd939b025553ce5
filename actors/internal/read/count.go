package read

// Matches is what a set selects: how many messages, and the sequences of the first and the last.
type Matches struct{ Messages, First, Last uint64 }

// State returns the matches at or after a sequence. When that is above the last sequence of the stream,
// it returns no messages, and the first and the last sequence of the stream.
func (l *Lookup) State(from uint64) (state Matches, err error) {
	if max(from, l.now.FirstSequence) > l.now.LastSequence {
		return Matches{0, l.now.FirstSequence, l.now.LastSequence}, nil
	}
	if state.Messages, err = l.Pending(from); err != nil || state.Messages == 0 {
		return Matches{}, err
	}
	if state.First, err = l.firstFrom(from); err != nil {
		return Matches{}, err
	}
	state.Last, err = l.Newest()
	return state, err
}

// firstFrom returns the sequence of the first match at or after one; there is one.
func (l *Lookup) firstFrom(from uint64) (uint64, error) {
	if name, ok := l.set.Exact(); ok && l.now.Recounting == 0 {
		if info, ok := l.now.Subjects.Get(name); ok && info.FirstExact && info.First >= from {
			return info.First, nil
		}
	}
	first, _, err := l.nextLive(from)
	return first, err
}

// Pending counts the matches at or after a sequence.
func (l *Lookup) Pending(from uint64) (uint64, error) {
	from = max(from, l.now.FirstSequence)
	switch {
	case l.set.None() || from > l.now.LastSequence || l.now.Messages == 0:
		return 0, nil
	case l.set.All():
		return l.live(from), nil
	case l.now.Recounting > 0: // the subject index counts messages that are lost
		return l.countWithin(from, l.now.LastSequence)
	case l.everything():
		return l.live(from), nil
	case from == l.now.FirstSequence:
		_, total := l.subjects().Total(&l.set)
		return total, nil
	}
	total, _, partial := l.subjects().Pending(&l.set, from)
	if !partial {
		return total, nil
	}
	return l.pendingInBlocks(from)
}

// everything reports whether the set plainly selects every message there is: no message is without a subject, and all
// subjects begin as the set wants them to. How many messages there are from a sequence on is known without any subject.
func (l *Lookup) everything() bool {
	return l.now.Subjects.Messages() == l.now.Messages && l.now.Subjects.Covered(&l.set)
}

// PendingLastPerSubject counts the subjects that the set selects and whose last message is at or after a
// sequence.
func (l *Lookup) PendingLastPerSubject(from uint64) (total uint64, err error) {
	err = l.EachLast(from, l.now.LastSequence, func([]byte, uint64) { total++ })
	return total, err
}

// live counts the messages at or after a sequence.
func (l *Lookup) live(from uint64) uint64 {
	n := l.now.LastSequence - from + 1
	blocks := l.now.View.Blocks()
	for i := l.block(from); i < len(blocks); i++ {
		n -= blocks[i].DeletedWithin(max(from, blocks[i].First), l.span(i))
	}
	return n
}

// memoryCost is how many indexed blocks cost as much as one in memory, which has to be
// walked.
const memoryCost = 8

// pendingInBlocks counts the matches at or after a sequence in the blocks from there
// on, or in those before it, whichever is less work.
func (l *Lookup) pendingInBlocks(from uint64) (uint64, error) {
	at, all := l.block(from), len(l.now.View.Blocks())
	if before, after := at+1, all-at+memoryCost; before > after || at == all-1 {
		return l.countWithin(from, l.now.LastSequence)
	}
	_, total := l.subjects().Total(&l.set)
	before, err := l.countWithin(l.now.FirstSequence, from-1)
	return total - min(total, before), err
}

func (l *Lookup) countWithin(from, to uint64) (total uint64, err error) {
	err = l.forward(from, to, func(p *part, low, high int) error {
		n, err := p.count(&l.set, low, high, &l.members)
		total += n
		return err
	})
	return total, err
}
