package engine

// deletedRanges lists the deleted sequences of a stream, ascending and disjoint.
type deletedRanges struct {
	first, last uint64 // what lies outside does not count
	ranges      []SequenceRange
}

// newDeletedRanges returns the list for a stream of this state.
func newDeletedRanges(s *State) *deletedRanges {
	if s.Messages == 0 {
		return &deletedRanges{first: 1} // nothing lies between the first and the last
	}
	return &deletedRanges{first: s.FirstSequence, last: s.LastSequence}
}

// add adds the deleted sequences of the next block.
func (d *deletedRanges) add(block stretches) {
	if d.first > d.last {
		return
	}
	block.each(d.first, d.last, func(first, last uint64) {
		if n := len(d.ranges); n > 0 && d.ranges[n-1].Last+1 >= first {
			d.ranges[n-1].Last = max(d.ranges[n-1].Last, last)
			return
		}
		d.ranges = append(d.ranges, SequenceRange{first, last})
	})
}
