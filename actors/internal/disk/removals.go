package disk

import (
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// Removals are the records of a block that remove messages, of whatever blocks.
type Removals struct {
	Tombstones []engine.Tombstone // in their order
	Floor      uint64             // the highest sequence below which all messages are removed; 0 for none
}

// add adds a tombstone, or a floor as a block index has it.
func (r *Removals) add(sequence uint64, time int64) {
	if first, ok := blockio.FloorOf(time); ok && sequence == 0 {
		r.Floor = max(r.Floor, first)
	}
	if sequence > 0 && sequence <= blockio.MaxSequence {
		r.Tombstones = append(r.Tombstones, engine.Tombstone{Sequence: sequence, Time: time})
	}
}

// Removals returns the removals in a block, from its index where that is of use. Those that are damaged are
// missing. The error is fs.ErrNotExist when the block is gone. Sectors that cannot be read are one, unless that was so
// when the stream was opened.
func (f *Files) Removals(id uint32) (Removals, error) {
	list, err := f.removalsFromIndex(id)
	if err == nil {
		return list, nil
	}
	f.warnOfIndex(id, err)
	data, unreadable, err := f.readKnown(id)
	if err != nil {
		return Removals{}, err
	}
	list = Removals{}
	blockio.ScanBlockAround(f.Blocks.Path(id), id, f.Blocks.Codec(id), data, unreadable, false, func(_ int64, r blockio.Record) {
		if r.Kind == blockio.KindTombstone || r.Kind == blockio.KindFloor {
			list.add(r.Sequence, r.Time)
		}
	})
	return list, nil
}

// removalsFromIndex is Removals from the index alone.
func (f *Files) removalsFromIndex(id uint32) (Removals, error) {
	x, _, err := f.openIndex(id)
	if err != nil {
		return Removals{}, err
	}
	defer x.Close() // it was opened for reading, so an error of closing it loses nothing
	return removalsOf(x)
}

// removalsOf returns the removals that an index lists.
func removalsOf(x *blockindex.File) (list Removals, err error) {
	err = x.Tombstones(func(t blockindex.Tombstone) bool {
		list.add(t.Sequence, t.Time)
		return true
	})
	return list, err
}
