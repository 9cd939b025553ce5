package actors

import (
	"context"
	"fmt"

	"github.com/seed-d8b58eba/millrace/engine"
)

// Utilization returns how many bytes the block files have, and how many of them are those of live messages, which is
// State.Bytes. The difference is what messages take that were removed and tombstones, marks, and room that is not won back
// yet; a compressed block counts as it is on the disk, so total may be less than reported. Zeros that are
// written ahead do not count, nor do indexes and other files. It lists the directory of the blocks.
func (s *Store) Utilization(ctx context.Context) (total, reported uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, context.Cause(ctx)
	}
	m := &endRequest{reply: make(chan logEnd, 1)}
	if err := s.postControl(m); err != nil {
		return 0, 0, err
	}
	var end logEnd
	select {
	case end = <-m.reply:
	case <-s.gone:
		return 0, 0, ErrStopped
	case <-ctx.Done():
		return 0, 0, context.Cause(ctx)
	}
	list, err := s.newFiles().Blocks.List()
	if err != nil {
		return 0, 0, fmt.Errorf("utilization of %s: %w", s.config.Name, err)
	}
	for _, b := range list {
		if b.ID == end.at.Block {
			b.Size = min(b.Size, end.at.Offset)
		}
		total += uint64(b.Size)
	}
	return total, end.bytes, nil
}

// endRequest asks the store actor where the log ends, and how many bytes its messages have.
type endRequest struct{ reply chan logEnd }

type logEnd struct {
	at    engine.Position
	bytes uint64
}

// Control implements mailbox.Control.
func (*endRequest) Control() {}

// crashed implements waitedFor.
func (m *endRequest) crashed(a *storeActor, _ error) {
	if len(m.reply) == 0 {
		a.onEnd(m)
	}
}

func (a *storeActor) onEnd(m *endRequest) {
	m.reply <- logEnd{a.engine.WrittenTo(), a.published.State().Bytes}
}
