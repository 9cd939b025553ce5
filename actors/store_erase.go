package actors

import (
	"context"

	"github.com/seed-d8b58eba/millrace/engine"
)

// EraseMsg removes one message as RemoveMsg does, and overwrites its record with random bytes. When it returns,
// at every sync level, that is on stable storage, and no file of the stream has the message's header, payload or
// subject on account of it: not its block, not an index, not what recovery has set aside. A message that was
// removed before is erased as well, if a file still has it; removed is false then, and there is no error, also
// when the message is before the first.
//
// What the file system and the disk keep of the bytes that were there is out of its reach, see
// docs/operations.md. Other errors are those of RemoveMsg. With ErrOutcomeUnknown the message may be removed
// and not overwritten: erase it again.
func (s *Store) EraseMsg(ctx context.Context, sequence uint64) (removed bool, err error) {
	r, err := s.runCommand(ctx, &engine.Erase{Sequence: sequence})
	return r.Count > 0, err
}
