package actors

import "github.com/seed-d8b58eba/millrace/engine"

type (
	// FlushRequest is answered when everything before it is durable, whatever
	// the sync level; with ToSystem, when it is written, as of Store.FlushToSystem. Reply: *FlushReply.
	FlushRequest struct {
		ToSystem bool
		Tag      any
	}
	// FlushReply answers FlushRequest.
	FlushReply struct {
		Err error
		Tag any
	}
)

func (m *FlushRequest) fill(o *op) error {
	o.command = &engine.Flush{ToSystem: m.ToSystem}
	return nil
}

func (m *FlushRequest) answer(r engine.Reply) any { return &FlushReply{Err: r.Err, Tag: m.Tag} }
