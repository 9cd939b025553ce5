package actors

import "github.com/seed-d8b58eba/millrace/engine"

type (
	// RemoveRequest removes one message, as Store.RemoveMsg does. Reply: *RemoveReply.
	RemoveRequest struct {
		Sequence uint64
		Tag      any
	}
	// RemoveReply answers RemoveRequest.
	RemoveReply struct {
		Removed bool
		Err     error
		Tag     any
	}

	// PurgeRequest removes the messages that Filters select, as Store.PurgeEx does; without
	// Filters, Below and Keep it removes all, as Store.Purge does. Reply: *PurgeReply.
	PurgeRequest struct {
		Filters     []Filters
		Below, Keep uint64
		Tag         any
	}
	// CompactRequest removes the messages below a sequence, as Store.Compact does. Reply:
	// *PurgeReply.
	CompactRequest struct {
		Sequence uint64
		Tag      any
	}
	// PurgeReply answers PurgeRequest and CompactRequest.
	PurgeReply struct {
		Removed uint64
		Err     error
		Tag     any
	}
)

func (m *RemoveRequest) fill(o *op) error {
	o.command = &engine.Remove{Sequence: m.Sequence}
	return nil
}

func (m *RemoveRequest) answer(r engine.Reply) any {
	return &RemoveReply{Removed: r.Count > 0, Err: r.Err, Tag: m.Tag}
}

func (m *PurgeRequest) fill(o *op) error {
	set, err := setOfChange(m.Filters)
	o.command = &engine.Purge{Filter: &set, Sequence: m.Below, Keep: m.Keep}
	return err
}

func (m *PurgeRequest) answer(r engine.Reply) any {
	return &PurgeReply{Removed: uint64(r.Count), Err: r.Err, Tag: m.Tag}
}

func (m *CompactRequest) fill(o *op) error {
	o.command = &engine.Compact{Sequence: m.Sequence}
	return nil
}

func (m *CompactRequest) answer(r engine.Reply) any {
	return &PurgeReply{Removed: uint64(r.Count), Err: r.Err, Tag: m.Tag}
}
