package disk

import (
	"errors"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// truncate cuts a block to size bytes, and returns where it ends then. A system reads the sector, or the page, in
// which a file is to end. If the disk cannot, all of that stays: what lies in it behind size is unreadable and so
// costs its sequences, but nobody takes it for stored.
func (r *Recovery) truncate(b blockio.BlockInfo, size int64) (int64, error) {
	err := r.Blocks.Truncate(b.ID, size)
	if err == nil {
		return size, nil
	}
	if !blockio.IsReadFailure(err) || errors.Is(err, blockio.ErrSync) {
		return 0, err
	}
	_, readErr := r.Blocks.ReadAll(b.ID, nil)
	for _, s := range blockio.Unreadable(readErr) {
		if end := min(s.To, b.Size); s.From <= size && size < end {
			r.Log.Warn("cannot cut a block within a sector that cannot be read; it is cut behind that",
				"path", r.Blocks.Path(b.ID), "offset", size, "end", end, "error", err)
			return end, r.Blocks.Truncate(b.ID, end)
		}
	}
	return 0, err
}
