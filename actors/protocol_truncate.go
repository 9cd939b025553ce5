package actors

import "github.com/seed-d8b58eba/millrace/engine"

// TruncateRequest removes the messages above a sequence, as Store.Truncate does. Reply: *PurgeReply.
type TruncateRequest struct {
	Sequence uint64
	Tag      any
}

func (m *TruncateRequest) fill(o *op) error {
	o.command = &engine.Truncate{Sequence: m.Sequence}
	return nil
}

func (m *TruncateRequest) answer(r engine.Reply) any {
	return &PurgeReply{Removed: uint64(r.Count), Err: r.Err, Tag: m.Tag}
}
