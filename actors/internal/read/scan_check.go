package read

import (
	"errors"
	"hash/crc32"
	"sort"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// checker verifies the records of a block, as they come, by the checksums of its
// index. That takes a third of the time that the records' own checksums do, and covers
// the length fields, which those do not.
type checker struct {
	reader  *blockReader // nil: there is no index to go by
	entries [64]blockindex.Record
	filled  int // of entries
	at      int // the next one
	next    int // ordinal of the entry after those
}

// check begins to verify a block from an offset on, if the block has an index.
func (sc *Scan) check(b *engine.BlockView, file *blockio.CachedFile, offset int64) {
	from := sc.IndexFrom
	if size, err := file.Size(); err != nil || from < 0 || size < from || !sc.whole(b) {
		return // to make an index costs more than it saves
	}
	r, err := sc.acquire(b, sc.next)
	if err != nil {
		return // the records' own checksums do
	}
	c := &sc.checker
	c.reader, c.filled, c.at = r, 0, 0
	if r.derived != nil {
		r.derived.Populate()
	}
	err = blockio.Guard(func() (err error) {
		c.next = sort.Search(r.index.Len(), func(i int) bool {
			entry, entryErr := r.index.Record(i)
			err = firstError(err, entryErr)
			return entry.Offset >= offset
		})
		return err
	})
	if err != nil {
		sc.uncheck(err)
	}
}

// uncheck goes on with the records' own checksums. An error says that the index is of
// no use.
func (sc *Scan) uncheck(err error) {
	c := &sc.checker
	if c.reader == nil {
		return
	}
	if err != nil && unusable(err) {
		sc.discard(c.reader, err)
	}
	c.reader.release()
	c.reader = nil
}

// entryAt returns the index's entry of the record at an offset, nil when it has none.
func (sc *Scan) entryAt(offset int64) *blockindex.Record {
	c := &sc.checker
	for c.reader != nil {
		for c.at < c.filled && c.entries[c.at].Offset < offset {
			c.at++
		}
		if c.at < c.filled {
			if c.entries[c.at].Offset == offset {
				return &c.entries[c.at]
			}
			return nil
		}
		err := blockio.Guard(func() (err error) {
			c.filled, err = c.reader.index.Records(c.next, c.entries[:])
			return err
		})
		c.at, c.next = 0, c.next+c.filled
		if err != nil || c.filled == 0 {
			sc.uncheck(err)
		}
	}
	return nil
}

// decode verifies and decodes the record at the start of data, which is at an offset of
// its block.
func (sc *Scan) decode(key *blockio.RecordCodec, offset int64, data []byte) error {
	entry := sc.entryAt(offset)
	if entry == nil {
		return key.DecodeInto(data, &sc.record)
	}
	if len(data) < entry.Size {
		return blockio.ErrShort
	}
	if crc32.Checksum(data[:entry.Size], crcTable) == entry.CRC {
		return blockio.Parse(data[:entry.Size], &sc.record)
	}
	err := key.DecodeInto(data, &sc.record)
	if err == nil {
		// The record is right, and so the index is not of this block, as it is now.
		sc.uncheck(blockindex.ErrStale)
	} else if errors.Is(err, blockio.ErrShort) && len(data) >= entry.Size {
		err = blockio.ErrCorrupt // its length field says more than it had
	}
	return err
}
