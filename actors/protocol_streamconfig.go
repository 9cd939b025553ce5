package actors

import "context"

type (
	// StreamConfigRequest asks for the stream's configuration as its directory has it, see Store.StreamConfig. An
	// UpdateConfigRequest changes it. It counts for 64 KiB. Reply: *StreamConfigReply.
	StreamConfigRequest struct{ Tag any }
	// StreamConfigReply answers StreamConfigRequest.
	StreamConfigReply struct {
		StreamConfig []byte // JSON
		Err          error
		Tag          any
	}
)

func (*StreamConfigRequest) weight() int64 { return loadCredit }

func (m *StreamConfigRequest) refuse(_ *stream, err error) any {
	return &StreamConfigReply{Err: err, Tag: m.Tag}
}

func (m *StreamConfigRequest) carryOut(_ context.Context, s *stream) any {
	config, err := s.handle().StreamConfig()
	return &StreamConfigReply{config, err, m.Tag}
}
