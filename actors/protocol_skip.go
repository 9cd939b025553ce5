package actors

import "github.com/seed-d8b58eba/millrace/engine"

type (
	// SkipRequest uses up Count sequences from Sequence (0: the next) on. Reply:
	// *SkipReply.
	SkipRequest struct {
		Sequence, Count uint64
		Tag             any
	}
	// SkipReply answers SkipRequest.
	SkipReply struct {
		Last uint64 // last sequence skipped
		Err  error
		Tag  any
	}
)

func (m *SkipRequest) fill(o *op) error {
	o.command = &engine.Skip{Sequence: m.Sequence, Count: m.Count}
	return nil
}

func (m *SkipRequest) answer(r engine.Reply) any {
	return &SkipReply{Last: r.Sequence, Err: r.Err, Tag: m.Tag}
}
