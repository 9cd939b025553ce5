package actors

import (
	"context"

	"github.com/seed-d8b58eba/millrace/engine"
)

// RemoveMsg removes one message and returns once that is as durable as the stream's sync level
// says: the message never comes back then, whatever is lost or reopened with whatever limits. It
// reports whether there was one: false, without an error, when the message of a sequence between
// the first and the last was removed before, or was never there.
//
// Below the first sequence the error is ErrNotFound, above the last one ErrEOF. With
// ErrUnreadable the message's block cannot be read at the moment, and nothing was changed. Other
// errors are those of StoreMsg.
//
// The bytes of the message stay in the file until the space is used again.
func (s *Store) RemoveMsg(ctx context.Context, sequence uint64) (removed bool, err error) {
	o := s.ops.get()
	o.remove.Sequence = sequence
	o.command = &o.remove
	r, err := s.run(ctx, o)
	return r.Count > 0, err
}

// Purge removes all messages and returns how many there were. It costs one small record, whatever
// their number: a crash leaves all of them or none. The last sequence stays as it is. Errors are
// those of StoreMsg.
func (s *Store) Purge(ctx context.Context) (removed uint64, err error) {
	r, err := s.runCommand(ctx, &engine.Purge{})
	return uint64(r.Count), err
}

// PurgeEx removes messages by subject and returns how many: those that filters select and whose
// sequence is below below (0: any), but for the newest keep of all that the filters select. A
// crash leaves all of them or none, as long as there are not more than 2,048.
//
// More than that may go in pieces, from the oldest to the newest, while other operations are carried out: what is
// removed is what there was of it when the purge came. Readers see it going on, a crash may leave the newest, and with
// an error some may be gone: as many as are returned. Stores wait for none of it, unless a limit needs the
// room that it makes, or they expect something of a subject; other purges of everything, compactions, truncations and
// changes of the limits wait for all of it.
//
// What JetStream does in the corners, it does too: with below 1 nothing is removed; with filters that
// select everything and a below above 1 it is Compact, and keep is of no meaning; without either
// it is Purge. Errors are those of StoreMsg, and ErrUnreadable when a block that may have
// such messages cannot be read at the moment. ErrPredicate, for filters of Where, has changed nothing.
func (s *Store) PurgeEx(ctx context.Context, filters Filters, below, keep uint64) (removed uint64, err error) {
	set, err := setOfChange([]Filters{filters})
	if err != nil {
		return 0, s.refused(err)
	}
	r, err := s.runCommand(ctx, &engine.Purge{Filter: &set, Sequence: below, Keep: keep})
	return uint64(r.Count), err
}

// Compact removes all messages below a sequence and returns how many there were. With a sequence above the
// last one it removes all messages, and the next message gets this sequence. With 0 it is Purge. A crash
// leaves all of it or nothing. Errors are those of PurgeEx, and ErrTooLarge for a sequence of 2^62 or more.
func (s *Store) Compact(ctx context.Context, sequence uint64) (removed uint64, err error) {
	r, err := s.runCommand(ctx, &engine.Compact{Sequence: sequence})
	return uint64(r.Count), err
}

// runCommand runs an operation that has no memory of its own in an op.
func (s *Store) runCommand(ctx context.Context, c engine.Command) (engine.Reply, error) {
	o := s.ops.get()
	o.command = c
	return s.run(ctx, o)
}
