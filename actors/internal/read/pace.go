package read

import "runtime"

// pace lets others run, once in a while, as long as somebody writes. Where all
// processors are busy with look-ups and scans, a writer would otherwise wait for the end
// of a time slice whenever it has handed something over; where nobody writes, to yield
// would only send the reader to another processor.
type pace struct {
	turn uint64 // of the stream's publications, as it was
	due  int    // yields to come, although nothing is published: the writer may be waiting
}

// yieldsAfter is how often a reader yields after it has last seen something published:
// some milliseconds.
const yieldsAfter = 256

func (p *pace) letRun(s *Source) {
	if turn := s.Published.Turn(); turn != p.turn {
		p.turn, p.due = turn, yieldsAfter
	}
	if p.due > 0 {
		p.due--
		runtime.Gosched()
	}
}
