package actors

import (
	"context"
	"github.com/seed-d8b58eba/millrace/actors/internal/read"
)

// The request for subjects, see Store.SubjectsTotals and Store.SubjectsState.
type (
	// SubjectsRequest asks how many messages each subject has that the filters
	// select; with States also for the first and the last of them. See
	// Store.SubjectsTotals and Store.SubjectsState. When there are more than Max
	// subjects (0: 10,000; no more than 1,048,576), or more than MaxBytes of their
	// names (0: 1 MiB; no more than 64 MiB), it is ErrTooManyResults: ask again
	// with other bounds, or with filters. It counts for what these allow, with 128
	// bytes a subject. Reply: *SubjectsReply.
	SubjectsRequest struct {
		Filters       []Filters
		States        bool
		Max, MaxBytes int
		Tag           any
	}
	// SubjectsReply answers SubjectsRequest: with States or else with Totals. Both
	// are nil where those of the methods are.
	SubjectsReply struct {
		Totals map[string]uint64
		States map[string]SubjectState
		Err    error
		Tag    any
	}
)

// IgnoreDeadLetterLogging keeps subjects out of the actor library's log.
func (*SubjectsReply) IgnoreDeadLetterLogging() {}

func (m *SubjectsRequest) bounds() read.Bound {
	return read.Bound{
		Subjects: bounded(m.Max, defaultSubjects, mostRow),
		Bytes:    bounded(m.MaxBytes, defaultSubjectBytes, mostSubjectBytes),
	}
}

func (m *SubjectsRequest) weight() int64 {
	most := m.bounds()
	return int64(opOverhead + most.Bytes + most.Subjects*opOverhead)
}

func (m *SubjectsRequest) refuse(_ *stream, e error) any { return &SubjectsReply{Err: e, Tag: m.Tag} }

func (m *SubjectsRequest) carryOut(ctx context.Context, s *stream) any {
	reply := &SubjectsReply{Tag: m.Tag}
	if m.States {
		reply.States, reply.Err = s.subjectsState(ctx, m.Filters, m.bounds())
	} else {
		reply.Totals, reply.Err = s.subjectsTotals(ctx, m.Filters, m.bounds())
	}
	return reply
}
