package actors

import "github.com/seed-d8b58eba/millrace/engine"

type (
	// StopRequest stops the store as Store.Stop does. Reply: *StopReply.
	StopRequest struct{ Tag any }
	// StopReply answers StopRequest.
	StopReply struct {
		Err error
		Tag any
	}
)

func (*StopRequest) fill(o *op) error {
	o.command = &engine.Stop{}
	return nil
}

func (m *StopRequest) answer(r engine.Reply) any { return &StopReply{Err: r.Err, Tag: m.Tag} }
