package actors

import (
	"context"
	"strings"
)

// Requests for one message, see Store.LoadMsg and its siblings.
type (
	// LoadRequest loads one message. Reply: *LoadReply. Into, if not nil, is the sender's memory for it, as of
	// Store.LoadMsgInto: it belongs to the store until the reply, whose message is in it then.
	LoadRequest struct {
		Sequence uint64
		Into     *MessageBuffer
		Tag      any
	}
	// LoadReply answers LoadRequest.
	LoadReply struct {
		Message Message
		Err     error
		Tag     any
	}

	// LoadNextRequest loads the first message at or after Start that the filters
	// select; with Reverse the last one at or before it. See Store.LoadNextMsg and
	// Store.LoadPrevMsg. It counts for 64 KiB. Reply: *LoadNextReply.
	LoadNextRequest struct {
		Start   uint64
		Filters []Filters
		Reverse bool
		Into    *MessageBuffer // as of LoadRequest
		Tag     any
	}
	// LoadNextReply answers LoadNextRequest. Skip is the message's sequence. With
	// ErrEOF it is the last sequence of the stream, with Reverse the first one.
	LoadNextReply struct {
		Message Message
		Skip    uint64
		Err     error
		Tag     any
	}

	// LoadLastRequest loads the newest message that the filters select. See
	// Store.LoadLastMsg. It counts for 64 KiB. Reply: *LoadReply.
	LoadLastRequest struct {
		Filters []Filters
		Into    *MessageBuffer // as of LoadRequest
		Tag     any
	}

	// SubjectRequest asks for the subject of the message at a sequence. See
	// Store.SubjectForSeq. It counts for 64 KiB. Reply: *SubjectReply.
	SubjectRequest struct {
		Sequence uint64
		Tag      any
	}
	// SubjectReply answers SubjectRequest.
	SubjectReply struct {
		Subject string
		Err     error
		Tag     any
	}
)

// IgnoreDeadLetterLogging keeps payload out of the actor library's log.
func (*LoadReply) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging keeps payload out of the actor library's log.
func (*LoadNextReply) IgnoreDeadLetterLogging() {}

func (*LoadRequest) weight() int64                   { return loadCredit }
func (m *LoadRequest) refuse(_ *stream, e error) any { return &LoadReply{Err: e, Tag: m.Tag} }

func (m *LoadRequest) carryOut(_ context.Context, s *stream) any {
	into := bufferFor(m.Into)
	err := s.load(m.Sequence, into)
	return &LoadReply{into.Message, err, m.Tag}
}

// bufferFor returns the sender's buffer, or a new one.
func bufferFor(into *MessageBuffer) *MessageBuffer {
	if into == nil {
		into = &MessageBuffer{}
	}
	return into
}

func (*LoadNextRequest) weight() int64                   { return loadCredit }
func (m *LoadNextRequest) refuse(_ *stream, e error) any { return &LoadNextReply{Err: e, Tag: m.Tag} }

func (m *LoadNextRequest) carryOut(ctx context.Context, s *stream) any {
	load := s.handle().LoadNextMsgInto
	if m.Reverse {
		load = s.handle().LoadPrevMsgInto
	}
	into := bufferFor(m.Into)
	skip, err := load(ctx, m.Start, into, m.Filters...)
	return &LoadNextReply{into.Message, skip, err, m.Tag}
}

func (*LoadLastRequest) weight() int64                   { return loadCredit }
func (m *LoadLastRequest) refuse(_ *stream, e error) any { return &LoadReply{Err: e, Tag: m.Tag} }

func (m *LoadLastRequest) carryOut(ctx context.Context, s *stream) any {
	into := bufferFor(m.Into)
	err := s.handle().LoadLastMsgInto(ctx, into, m.Filters...)
	return &LoadReply{into.Message, err, m.Tag}
}

func (*SubjectRequest) weight() int64                   { return loadCredit }
func (m *SubjectRequest) refuse(_ *stream, e error) any { return &SubjectReply{Err: e, Tag: m.Tag} }

func (m *SubjectRequest) carryOut(ctx context.Context, s *stream) any {
	subject, err := s.handle().SubjectForSeq(ctx, m.Sequence)
	// It would keep the whole message.
	return &SubjectReply{strings.Clone(subject), err, m.Tag}
}
