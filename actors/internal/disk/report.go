package disk

import (
	"slices"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
)

// A damagedBlock is what the scan of a block with damage has found.
type damagedBlock struct {
	id    uint32
	found blockio.BlockScan
}

// reportDamage logs the damage that the scans have found, when all blocks that could be read were added: where
// tombstones name all that was damaged in a block, nothing was lost. A crash can leave such damage where a
// message was being erased.
func (r *Recovery) reportDamage(rec *engine.Recovery) {
	for _, b := range r.damaged {
		found := &b.found
		if !found.LostHead && !found.LostEnd && len(found.Lost) > 0 &&
			!slices.ContainsFunc(found.Lost, func(sequence uint64) bool { return !rec.Tombstoned(sequence) }) {
			r.Log.Info("what is left of removed messages does not verify", "path", r.Blocks.Path(b.id),
				"stretches", found.DamageCount, "bytes", found.LostBytes, "sequences", len(found.Lost))
			continue
		}
		for _, d := range found.Damage {
			r.Log.Error("damaged record", "error", d, "block", d.Block, "offset", d.Offset, "sequence", d.Sequence)
		}
		r.Log.Error("block is damaged", "path", r.Blocks.Path(b.id),
			"stretches", found.DamageCount, "bytes", found.LostBytes, "sequences", len(found.Lost))
	}
	r.damaged = nil
}
