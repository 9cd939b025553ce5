package actors

import "github.com/seed-d8b58eba/millrace/engine"

// SyncDeletedRequest removes the messages that another copy of the stream has deleted, as Store.SyncDeleted does.
// The ranges must not be changed before the reply has come. It counts for 16 bytes each. Reply: *PurgeReply, which
// with an error also says how many messages were removed before it.
type SyncDeletedRequest struct {
	Deleted []SequenceRange
	Tag     any
}

func (m *SyncDeletedRequest) fill(o *op) error {
	o.command = &engine.SyncDeleted{Ranges: m.Deleted}
	return nil
}

func (m *SyncDeletedRequest) answer(r engine.Reply) any {
	return &PurgeReply{Removed: uint64(r.Count), Err: r.Err, Tag: m.Tag}
}
