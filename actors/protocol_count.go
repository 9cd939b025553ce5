package actors

import "context"

// Requests that count, see Store.FilteredState and Store.NumPending.
type (
	// FilteredStateRequest asks how many messages from a sequence on the filters
	// select, and for the first and the last of them. See Store.FilteredState.
	// Reply: *FilteredStateReply.
	FilteredStateRequest struct {
		From    uint64
		Filters []Filters
		Tag     any
	}
	// FilteredStateReply answers FilteredStateRequest.
	FilteredStateReply struct {
		State SubjectState
		Err   error
		Tag   any
	}

	// PendingRequest asks how many messages from a sequence on the filters select;
	// with LastPerSubject, how many of the last messages of their subjects. See
	// Store.NumPending and Store.NumPendingLastPerSubject. Reply: *PendingReply.
	PendingRequest struct {
		From           uint64
		Filters        []Filters
		LastPerSubject bool
		Tag            any
	}
	// PendingReply answers PendingRequest. ValidThrough is the last sequence of the
	// stream as of the same instant.
	PendingReply struct {
		Total, ValidThrough uint64
		Err                 error
		Tag                 any
	}
)

func (*FilteredStateRequest) weight() int64 { return opOverhead }

func (m *FilteredStateRequest) refuse(_ *stream, err error) any {
	return &FilteredStateReply{Err: err, Tag: m.Tag}
}

func (m *FilteredStateRequest) carryOut(ctx context.Context, s *stream) any {
	state, err := s.handle().FilteredState(ctx, m.From, m.Filters...)
	return &FilteredStateReply{state, err, m.Tag}
}

func (*PendingRequest) weight() int64                   { return opOverhead }
func (m *PendingRequest) refuse(_ *stream, e error) any { return &PendingReply{Err: e, Tag: m.Tag} }

func (m *PendingRequest) carryOut(ctx context.Context, s *stream) any {
	count := s.handle().NumPending
	if m.LastPerSubject {
		count = s.handle().NumPendingLastPerSubject
	}
	total, through, err := count(ctx, m.From, m.Filters...)
	return &PendingReply{total, through, err, m.Tag}
}
