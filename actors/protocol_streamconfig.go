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

// IgnoreDeadLetterLogging keeps the configuration out of the actor library's log.
func (*StreamConfigReply) IgnoreDeadLetterLogging() {}

func (*StreamConfigRequest) weight() int64 { return loadCredit }

func (m *StreamConfigRequest) refuse(_ *stream, err error) any {
	return &StreamConfigReply{Err: err, Tag: m.Tag}
}

func (m *StreamConfigRequest) carryOut(_ context.Context, s *stream) any {
	config, err := s.handle().StreamConfig()
	return &StreamConfigReply{config, err, m.Tag}
}

// A request that is no reading would be taken for none at all.
var _ = []reading{(*StreamConfigRequest)(nil), (*LostRequest)(nil), (*DiskUsageRequest)(nil)}
