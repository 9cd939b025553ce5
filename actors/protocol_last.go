package actors

import (
	"context"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// Requests for the last messages of subjects, see Store.MultiLastSeqs and Store.MultiLastMsgs.
type (
	// LastSequencesRequest asks for the sequence of the last message at or before
	// MaxSequence (0: of the last message) of each subject that matches a pattern,
	// ascending, or that filters select, when there are any, in place of patterns. Without patterns there is none; > stands for every subject. See
	// Store.MultiLastSeqs and Store.AllLastSeqs. When there are more than MaxAllowed
	// (0: 65,536; no more than 1,048,576), it is ErrTooManyResults. It counts for
	// 16 bytes each. Reply: *LastSequencesReply.
	LastSequencesRequest struct {
		Patterns    []string
		Filters     []Filters
		MaxSequence uint64
		MaxAllowed  int
		Tag         any
	}
	// LastSequencesReply answers LastSequencesRequest.
	LastSequencesReply struct {
		Sequences []uint64
		Err       error
		Tag       any
	}

	// LastMessagesRequest reads the messages whose sequences LastSequencesRequest
	// asks for, those from From on. How many it reads and what it counts for is as
	// for ReadRequest. See Store.MultiLastMsgs. Reply: *ReadReply, with Next 0 when
	// there are no more. Each reply is of an instant of its own: with a MaxSequence
	// no message that is stored between two takes the place of another.
	LastMessagesRequest struct {
		Patterns      []string
		Filters       []Filters
		MaxSequence   uint64
		From          uint64
		Max, MaxBytes int
		Tag           any
	}
)

// IgnoreDeadLetterLogging keeps sequences out of the actor library's log.
func (*LastSequencesReply) IgnoreDeadLetterLogging() {}

func (m *LastSequencesRequest) allowed() int  { return bounded(m.MaxAllowed, defaultRow, mostRow) }
func (m *LastSequencesRequest) weight() int64 { return int64(opOverhead + m.allowed()*rowCredit) }

func (m *LastSequencesRequest) refuse(_ *stream, err error) any {
	return &LastSequencesReply{Err: err, Tag: m.Tag}
}

func (m *LastSequencesRequest) carryOut(ctx context.Context, s *stream) any {
	set, err := setOfLasts(m.Patterns, m.Filters)
	if err != nil {
		return m.refuse(s, err)
	}
	sequences, err := s.lastSeqs(ctx, set, m.MaxSequence, m.allowed())
	return &LastSequencesReply{sequences, err, m.Tag}
}

func (m *LastMessagesRequest) weight() int64 { return pageWeight(pageSize(m.Max, m.MaxBytes)) }

func (m *LastMessagesRequest) refuse(_ *stream, err error) any {
	return &ReadReply{Next: m.From, Err: err, Tag: m.Tag}
}

func (m *LastMessagesRequest) carryOut(ctx context.Context, s *stream) any {
	set, err := setOfLasts(m.Patterns, m.Filters)
	if err != nil {
		return m.refuse(s, err)
	}
	reply := &ReadReply{Tag: m.Tag}
	reply.Next, reply.Err = s.source.LastPage(ctx, set, m.From, m.MaxSequence, pageSize(m.Max, m.MaxBytes),
		func(r *blockio.Record) { reply.Messages = append(reply.Messages, borrowMessage(r)) })
	return reply
}

// setOfLasts is the set of filters or, when there are none, of patterns.
func setOfLasts(patterns []string, filters []Filters) (subject.Set, error) {
	if len(filters) > 0 {
		return setOf(filters)
	}
	return patternSet(patterns)
}
