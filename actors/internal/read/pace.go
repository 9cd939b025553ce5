package read

import "runtime"

// pace makes a reader yield the processor now and then, as long as the stream is being written to.
// Where readers keep all processors busy, the writer's goroutines would otherwise wait for the end of a
// reader's time slice (10 ms) at each hand-over between them. Where nobody writes, a yield is left out:
// it would only move the reader to another processor.
type pace struct {
	turn uint64 // of the stream's publications, when it was looked at last
	due  int    // how many more yields there are although nothing was published
}

// yieldsAfter is how many times a reader yields after it has last seen a publication. A writer that waits
// for its turn cannot publish, so readers go on to yield for some milliseconds.
const yieldsAfter = 256

// letRun yields if the stream has been written to lately.
func (p *pace) letRun(s *Source) {
	if turn := s.Published.Turn(); turn != p.turn {
		p.turn, p.due = turn, yieldsAfter
	}
	if p.due > 0 {
		p.due--
		runtime.Gosched()
	}
}
