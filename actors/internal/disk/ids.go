package disk

import (
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/msgheader"
)

// ids lists the ids of the messages in the first size bytes of a block that are not older than a time. An index
// has no headers, so that takes the block.
func (f *Files) ids(id uint32, size, since int64) (list []engine.MessageID, err error) {
	err = f.eachRecord(id, size, func(_ int64, r *blockio.Record) {
		if r.Kind != blockio.KindMessage || r.Time < since || len(r.Header) == 0 {
			return
		}
		if value, ok := msgheader.Find(r.Header, msgheader.MsgID); ok {
			list = append(list, engine.MessageID{Sequence: r.Sequence, Time: r.Time, ID: string(value)})
		}
	})
	return list, err
}
