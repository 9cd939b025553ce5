package disk

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// lives lists the messages in the first size bytes of a block whose headers say how long they live, or that they are
// markers. Where its index says that there are none, the block is not read. One with sectors that cannot be read is
// an error: they may have messages that live for ever.
func (f *Files) lives(id uint32, size int64) ([]engine.MessageLife, error) {
	if f.says(id, size, func(sum *blockindex.Summary) bool { return sum.Plain }) {
		return nil, nil
	}
	data, unreadable, err := f.readAll(id, nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil // the block was removed after somebody asked, who no longer looks at it
	case err != nil:
		return nil, err
	case len(unreadable) > 0:
		return nil, fmt.Errorf("%w: block %d has sectors that cannot be read", errTryAgain, id)
	}
	scan := engine.NewScan(id)
	blockio.ScanBlock(f.Blocks.Path(id), id, f.Blocks.Codec(id), data[:min(int64(len(data)), size)], false,
		func(_ int64, r blockio.Record) {
			if r.Kind == blockio.KindMessage {
				scan.Message(r.Sequence, r.Time, 0, r.Size, nil)
				scan.Life(r.Sequence, r.Time, r.Header)
			}
		})
	return scan.Lives(), nil
}
