package actors

import "context"

type (
	// EncodedStateRequest asks for the encoded state of the stream, see Store.EncodedStreamState. It counts for 1 MiB.
	// Reply: *EncodedStateReply.
	EncodedStateRequest struct {
		Failed uint64
		Tag    any
	}
	// EncodedStateReply answers EncodedStateRequest.
	EncodedStateReply struct {
		State []byte
		Err   error
		Tag   any
	}
)

func (*EncodedStateRequest) weight() int64 { return 1 << 20 }

func (m *EncodedStateRequest) refuse(_ *stream, err error) any {
	return &EncodedStateReply{Err: err, Tag: m.Tag}
}

func (m *EncodedStateRequest) carryOut(ctx context.Context, s *stream) any {
	if s.stopped.Load() {
		return m.refuse(s, ErrStopped)
	}
	state, err := s.handle().EncodedStreamState(ctx, m.Failed)
	return &EncodedStateReply{state, err, m.Tag}
}
