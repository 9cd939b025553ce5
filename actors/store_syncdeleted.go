package actors

import (
	"context"

	"github.com/seed-d8b58eba/millrace/engine"
)

// SyncDeleted removes what another copy of the stream has deleted: all messages whose sequences are in the ranges,
// which State and Deleted of the other copy return, and returns how many there were, once that is as durable as
// the stream's sync level says. Nothing is ever added or brought back. Sequences before the first one, above the
// last one, or without a message here are passed over. The ranges may be in any order, and overlap.
//
// What the other copy has removed before its first message is not in its ranges: add {1, FirstSequence-1} for that.
//
// It takes time in proportion to the number of ranges, of blocks, and of messages that go; how many sequences a
// range spans is of no matter. Up to 65,536 messages go at once, so that a crash leaves all of them or none,
// as long as they are in few blocks; more go in several steps, the lowest sequences first, and commands behind it
// wait for all. What is at the head of the stream, from the first message on, goes with one small record if whole
// blocks do. Every other message takes 30 bytes in the log, also where all of its block go.
//
// Errors are those of StoreMsg, and ErrUnreadable when a block that may have such messages cannot be read at the
// moment. removed says how many were removed before that. It is safe to call it again with the same ranges after
// any error.
func (s *Store) SyncDeleted(ctx context.Context, deleted []SequenceRange) (removed uint64, err error) {
	r, err := s.runCommand(ctx, &engine.SyncDeleted{Ranges: deleted})
	return uint64(r.Count), err
}
