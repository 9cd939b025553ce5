package actors

import "context"

type (
	// UtilizationRequest asks for the bytes on the disk, see Store.Utilization. Reply: *UtilizationReply.
	UtilizationRequest struct{ Tag any }
	// UtilizationReply answers UtilizationRequest.
	UtilizationReply struct {
		Total, Reported uint64
		Err             error
		Tag             any
	}
)

func (*UtilizationRequest) weight() int64 { return opOverhead }

func (m *UtilizationRequest) refuse(_ *stream, err error) any {
	return &UtilizationReply{Err: err, Tag: m.Tag}
}

func (m *UtilizationRequest) carryOut(ctx context.Context, s *stream) any {
	total, reported, err := s.handle().Utilization(ctx)
	return &UtilizationReply{total, reported, err, m.Tag}
}
