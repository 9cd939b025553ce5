package actors

import (
	"context"
	"io"
)

type (
	// SnapshotRequest asks for a snapshot, which is written to Writer on a goroutine of its own: however long it takes,
	// no other request waits for it. See Store.Snapshot. Reply: *SnapshotReply.
	SnapshotRequest struct {
		Writer  io.Writer
		Options SnapshotOptions
		// Context ends the snapshot when it ends. It may be nil.
		Context context.Context
		Tag     any
	}
	// SnapshotReply answers SnapshotRequest.
	SnapshotReply struct {
		Info SnapshotInfo
		Err  error
		Tag  any
	}
)

func (*SnapshotRequest) weight() int64 { return opOverhead }
func (*SnapshotRequest) takesLong()    {}
func (m *SnapshotRequest) refuse(_ *stream, err error) any {
	return &SnapshotReply{Err: err, Tag: m.Tag}
}

func (m *SnapshotRequest) carryOut(ctx context.Context, s *stream) any {
	if m.Context != nil {
		ctx = m.Context
	}
	info, err := s.handle().Snapshot(ctx, m.Writer, m.Options)
	return &SnapshotReply{info, err, m.Tag}
}
