package read

import (
	"slices"

	"github.com/seed-d8b58eba/millrace/engine"
)

// beforeBlocks is where a scan goes on, at a sequence that no block of the view spans. What was lost can come before
// all of them, when the block that had it is gone: it is told of. Otherwise the store is stopping.
func (sc *Scan) beforeBlocks(view *engine.View, floor uint64) outcome {
	blocks := view.Blocks()
	if len(blocks) == 0 || sc.next >= blocks[0].First {
		return goOn
	}
	from, to := sc.next, min(blocks[0].First-1, sc.last)
	if sc.Reverse {
		from, to = max(floor, sc.lowest), sc.next
	}
	list := slices.Clone(sc.Published.LostWithin(from, to))
	if sc.Reverse {
		slices.Reverse(list)
	}
	for _, lost := range list {
		if sc.tell(sc.lostError(lost)) != nil {
			return quit
		}
	}
	if sc.next = to + 1; sc.Reverse || sc.next > sc.last {
		return atEnd
	}
	return goOn
}
