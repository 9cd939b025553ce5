package actors

import "github.com/seed-d8b58eba/millrace/engine"

type (
	// FlushRequest is answered when everything before it is durable, whatever
	// the sync level. Reply: *FlushReply.
	FlushRequest struct{ Tag any }
	// FlushReply answers FlushRequest.
	FlushReply struct {
		Err error
		Tag any
	}
)

func (*FlushRequest) fill(o *op) error {
	o.command = &engine.Flush{}
	return nil
}

func (m *FlushRequest) answer(r engine.Reply) any { return &FlushReply{Err: r.Err, Tag: m.Tag} }
