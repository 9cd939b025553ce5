package engine

// countStored brings the subject index up to date with the messages of a piece.
//
// In an index of many subjects the processor would wait for memory. What was fetched for the look-up when the messages were taken has left
// its own cache since, with some hundred messages in the group; and where a new subject goes was not looked for yet.
func (e *Engine) countStored(p *piece) {
	t := p.block.appended
	many := e.subjects.Tree().Len() >= fetchSubjects && p.slots-p.counted >= fetchCommands
	for p.counted < p.slots {
		to := min(p.counted+countedAtOnce, p.slots)
		if many {
			e.fetchStored(t, p.counted, to)
		}
		for ; p.counted < to; p.counted++ {
			s := t.slot(p.counted)
			e.subjects.Stored(s.subject, s.sequence, s.size())
		}
	}
}

// countedAtOnce is of how many messages the subjects are fetched ahead of being counted.
const countedAtOnce = 32

func (e *Engine) fetchStored(t *Table, from, to int) {
	var ids [countedAtOnce]uint32
	for i := from; i < to; i++ {
		ids[i-from] = t.slot(i).subject
	}
	e.subjects.FetchKnown(ids[:to-from])
}
