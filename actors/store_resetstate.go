package actors

import (
	"context"

	"github.com/seed-d8b58eba/millrace/engine"
)

// ResetState forgets what is of this opening alone, and touches no data. It is for a stream that begins to be the one
// that acts, among copies: schedules that could not fire and wait for another attempt, for up to a minute, are due again
// at once. What has fired does not fire again: that is in the log. Errors are those of Flush.
func (s *Store) ResetState(ctx context.Context) error {
	_, err := s.runCommand(ctx, &engine.ResetState{})
	return err
}

type (
	// ResetStateRequest forgets what is of this opening alone, as Store.ResetState does. Reply: *ResetStateReply.
	ResetStateRequest struct{ Tag any }
	// ResetStateReply answers ResetStateRequest.
	ResetStateReply struct {
		Err error
		Tag any
	}
)

func (*ResetStateRequest) fill(o *op) error {
	o.command = &engine.ResetState{}
	return nil
}

func (m *ResetStateRequest) answer(r engine.Reply) any {
	return &ResetStateReply{Err: r.Err, Tag: m.Tag}
}
