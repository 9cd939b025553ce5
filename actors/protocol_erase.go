package actors

import "github.com/seed-d8b58eba/millrace/engine"

// EraseRequest removes one message and overwrites it, as Store.EraseMsg does. Reply: *RemoveReply.
type EraseRequest struct {
	Sequence uint64
	Tag      any
}

func (m *EraseRequest) fill(o *op) error {
	o.command = &engine.Erase{Sequence: m.Sequence}
	return nil
}

func (m *EraseRequest) answer(r engine.Reply) any {
	return &RemoveReply{Removed: r.Count > 0, Err: r.Err, Tag: m.Tag}
}
