package actors

import (
	"context"
	"github.com/seed-d8b58eba/millrace/actors/internal/read"
	"github.com/seed-d8b58eba/millrace/blockio"
)

type (
	// ReadRequest reads messages from a sequence on: at most Max (0: 1,000; no
	// more than 65,536), and no more after MaxBytes of subject, header and payload
	// (0: 1 MiB; no more than 8 MiB). It counts for what these allow, with 128 bytes
	// a message. It gives what the filters select, or everything when there are
	// none. With Reverse it reads downwards, from the last message at or below From
	// on (0: from the last one). Reply: *ReadReply.
	ReadRequest struct {
		From          uint64
		Max, MaxBytes int
		Filters       []Filters
		Reverse       bool
		Tag           any
	}
	// ReadReply answers ReadRequest and LastMessagesRequest. Next is where to go on,
	// behind all that was looked at, damage too; it is From when the request was
	// refused. Fewer messages than asked for, with Next above the last sequence,
	// mean that there are no more now. With Reverse, Next is below all that was
	// looked at, and 0 when there are no more. Err may come with messages that were
	// read before it. When it is a *blockio.CorruptionError, the disk has lost what
	// it says, and the next request goes on at Next.
	ReadReply struct {
		Messages []Message
		Next     uint64
		Err      error
		Tag      any
	}
)

// IgnoreDeadLetterLogging keeps payload out of the actor library's log.
func (*ReadReply) IgnoreDeadLetterLogging() {}

// pageSize returns what is asked for within bounds, and pageWeight the credit that it takes.
func pageSize(messages, bytes int) read.PageSize {
	return read.PageSize{
		Messages: bounded(messages, defaultReadMax, mostReadMax),
		Bytes:    bounded(bytes, defaultReadBytes, mostReadBytes),
	}
}

func pageWeight(p read.PageSize) int64 { return int64(opOverhead + p.Bytes + p.Messages*opOverhead) }

func (m *ReadRequest) weight() int64 { return pageWeight(pageSize(m.Max, m.MaxBytes)) }

func (m *ReadRequest) refuse(_ *stream, err error) any {
	return &ReadReply{Next: m.From, Err: err, Tag: m.Tag}
}

func (m *ReadRequest) carryOut(ctx context.Context, s *stream) any {
	set, err := setOf(m.Filters)
	if err != nil {
		return m.refuse(s, err)
	}
	reply := &ReadReply{Tag: m.Tag}
	o := read.ScanOptions{Set: set, From: m.From, Reverse: m.Reverse}
	reply.Next, reply.Err = s.source.Page(ctx, o, pageSize(m.Max, m.MaxBytes),
		func(r *blockio.Record) { reply.Messages = append(reply.Messages, copyMessage(r)) })
	return reply
}
