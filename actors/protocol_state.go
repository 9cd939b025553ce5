package actors

import (
	"context"
	"slices"
)

// The request for the state with its deleted sequences, see Store.State.
type (
	// FullStateRequest asks for the state with the sequences that have no message.
	// See Store.State. At most Max of their ranges are given (0: 65,536; no more
	// than 1,048,576), those from From on. It counts for 16 bytes each. Reply:
	// *FullStateReply.
	FullStateRequest struct {
		From uint64
		Max  int
		Tag  any
	}
	// FullStateReply answers FullStateRequest. Next is where the ranges go on, 0 when
	// there are no more. With an error there are only the numbers.
	FullStateReply struct {
		State FullState
		Next  uint64
		Err   error
		Tag   any
	}
)

// IgnoreDeadLetterLogging keeps sequences out of the actor library's log.
func (*FullStateReply) IgnoreDeadLetterLogging() {}

func (m *FullStateRequest) most() int     { return bounded(m.Max, defaultRow, mostRow) }
func (m *FullStateRequest) weight() int64 { return int64(opOverhead + m.most()*rowCredit) }

func (m *FullStateRequest) refuse(s *stream, err error) any {
	// The numbers need no room: they are there to be read.
	return &FullStateReply{State: FullState{State: stateOf(s.published.State())}, Err: err, Tag: m.Tag}
}

func (m *FullStateRequest) carryOut(_ context.Context, s *stream) any {
	if s.stopped.Load() {
		return m.refuse(s, ErrStopped)
	}
	state, ranges := s.published.Deleted()
	reply := &FullStateReply{State: FullState{State: stateOf(state)}, Tag: m.Tag}
	from, _ := slices.BinarySearchFunc(ranges, m.From, func(r SequenceRange, from uint64) int {
		if r.Last < from {
			return -1
		}
		return 1
	})
	ranges = ranges[from:]
	if most := m.most(); len(ranges) > most {
		reply.Next = ranges[most].First
		ranges = ranges[:most]
	}
	if len(ranges) > 0 {
		ranges[0].First = max(ranges[0].First, m.From)
		reply.State.DeletedRanges = slices.Clone(ranges)
	}
	return reply
}
