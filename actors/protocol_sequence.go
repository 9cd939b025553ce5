package actors

import (
	"context"
	"time"
)

// Requests for a sequence, see Store.FirstSeqForSubject and Store.GetSeqFromTime.
type (
	// FirstSequenceRequest asks for the first sequence of a subject, taken byte for
	// byte; 0 when it has none. See Store.FirstSeqForSubject. Reply: *SequenceReply.
	FirstSequenceRequest struct {
		Subject string
		Tag     any
	}
	// SequenceAtRequest asks for the sequence of the first message whose time is not
	// before one. See Store.GetSeqFromTime. Reply: *SequenceReply.
	SequenceAtRequest struct {
		Time time.Time
		Tag  any
	}
	// SequenceReply answers FirstSequenceRequest and SequenceAtRequest.
	SequenceReply struct {
		Sequence uint64
		Err      error
		Tag      any
	}
)

func (*FirstSequenceRequest) weight() int64 { return opOverhead }

func (m *FirstSequenceRequest) refuse(_ *stream, err error) any {
	return &SequenceReply{Err: err, Tag: m.Tag}
}

func (m *FirstSequenceRequest) carryOut(ctx context.Context, s *stream) any {
	sequence, err := s.handle().FirstSeqForSubject(ctx, m.Subject)
	return &SequenceReply{sequence, err, m.Tag}
}

func (*SequenceAtRequest) weight() int64                   { return opOverhead }
func (m *SequenceAtRequest) refuse(_ *stream, e error) any { return &SequenceReply{Err: e, Tag: m.Tag} }

func (m *SequenceAtRequest) carryOut(ctx context.Context, s *stream) any {
	sequence, err := s.handle().GetSeqFromTime(ctx, m.Time)
	return &SequenceReply{sequence, err, m.Tag}
}
