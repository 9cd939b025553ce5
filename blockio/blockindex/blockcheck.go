package blockindex

import (
	"fmt"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// A Verdict says how the bytes of a block compare with its index.
type Verdict struct {
	// Damaged are the messages whose bytes are not those that were indexed, and that
	// do not mark themselves erased, in ascending order. The checksum in such a record
	// may be right: it does not cover the lengths.
	Damaged []OrdinalRange
	// Erased are the messages whose content was overwritten on purpose since, in
	// ascending order: the index is of an earlier state of the block.
	Erased []OrdinalRange
	// Between are stretches between messages, where skips and tombstones are, with
	// more damage than the index counts.
	Between []ByteRange
	// Other says what proves that the block is another than the one that was indexed:
	// an intact record that the index does not have, or that it has otherwise. It is
	// empty when nothing does.
	Other string
}

// An OrdinalRange is the messages with ordinals of First or more, and less than End.
type OrdinalRange struct{ First, End int }

// A ByteRange is the bytes of a block at offsets of First or more, and less than End.
type ByteRange struct{ First, End int64 }

// Same reports whether the block is the one that was indexed, with all of its bytes.
func (v *Verdict) Same() bool {
	return v.Other == "" && len(v.Damaged)+len(v.Erased)+len(v.Between) == 0
}

// CheckBlock holds all bytes of a block against its index in one pass: messages by the
// checksums that the index has of them, and what is between by scanning it. It is for an
// index that is Suspect: what was copied is the same, what was erased on purpose makes
// the index stale, and what else was changed is damage, which an index made anew would
// take for what the block is. A block whose size or last checksum is another does not
// need it.
//
// data may be a mapping. The error wraps ErrStale when data has another size than the
// index says, ErrDamaged when the index is damaged, and blockio.ErrMapped.
func (x *Index) CheckBlock(codec *blockio.RecordCodec, data []byte) (Verdict, error) {
	if int64(len(data)) != x.header.id.Size {
		return Verdict{}, fmt.Errorf("%w: %d bytes of block; it is of %v", ErrStale, len(data), x.header.id)
	}
	c := blockChecker{x: x, codec: codec, data: data}
	err := blockio.Guard(c.check)
	return c.verdict, err
}

// A blockChecker goes through a block from front to back.
type blockChecker struct {
	x       *Index
	codec   *blockio.RecordCodec
	data    []byte
	verdict Verdict

	last       uint64     // highest sequence of a record so far
	tombstones int        // that were found as the index has them
	strange    *Tombstone // the first that was not
	lost       int64      // bytes of damage between messages
	between    []ByteRange
}

func (c *blockChecker) check() error {
	end, summary := int64(0), c.x.Summary()
	for i := range summary.Messages {
		r, err := c.x.Record(i)
		if err != nil {
			return err
		}
		if r.Offset < end {
			return damaged("offset of a record", r.Offset)
		}
		if err := c.gap(end, r.Offset); err != nil {
			return err
		}
		if err := c.message(i, &r); err != nil {
			return err
		}
		end = r.Offset + int64(r.Size)
	}
	if err := c.gap(end, int64(len(c.data))); err != nil {
		return err
	}
	switch {
	case c.lost > summary.LostBytes: // and which tombstones are missing is not known
		c.verdict.Between = c.between
	case c.strange != nil:
		c.other("tombstone of %d, not indexed there", c.strange.Sequence)
	case c.tombstones < summary.Tombstones:
		c.other("%d tombstones, %d indexed", c.tombstones, summary.Tombstones)
	}
	return nil
}

// message checks the bytes of one message.
func (c *blockChecker) message(ordinal int, indexed *Record) error {
	state, sequence, err := c.x.checkRecord(c.codec, ordinal, indexed, c.data[indexed.Offset:][:indexed.Size])
	c.last = max(c.last, sequence)
	switch state {
	case Damaged:
		c.verdict.Damaged = addOrdinal(c.verdict.Damaged, ordinal)
	case Erased:
		c.verdict.Erased = addOrdinal(c.verdict.Erased, ordinal)
	case Another:
		c.other("another record than message %d at %d", sequence, indexed.Offset)
	}
	return err
}

// gap checks what lies between two messages.
func (c *blockChecker) gap(from, to int64) (err error) {
	if from == to {
		return nil
	}
	scan := blockio.ScanBlock("", c.x.header.id.Block, c.codec, c.data[from:to], false, func(offset int64, r blockio.Record) {
		if err == nil {
			err = c.record(from+offset, &r)
		}
	})
	// A scan takes zeros at its end for nothing; here they are in the place of records.
	if lost := scan.LostBytes + to - from - scan.End; lost > 0 {
		c.lost += lost
		c.between = append(c.between, ByteRange{from, to})
	}
	return err
}

// record checks a record between messages: whether the index would have it otherwise.
func (c *blockChecker) record(offset int64, r *blockio.Record) error {
	switch r.Kind {
	case blockio.KindMessage:
		if r.Sequence > c.last {
			c.other("message %d at %d, not indexed", r.Sequence, offset)
		}
	case blockio.KindTombstone:
		if r.Sequence > 0 && c.strange == nil {
			return c.tombstone(Tombstone{r.Sequence, r.Time})
		}
		return nil
	case blockio.KindFloor:
		if c.strange == nil {
			return c.tombstone(Tombstone{0, r.Time})
		}
		return nil
	}
	c.last = max(c.last, r.Sequence)
	return nil
}

// tombstone holds a tombstone against the next one of the index.
func (c *blockChecker) tombstone(t Tombstone) error {
	indexed, ok, err := c.x.tombstone(c.tombstones)
	if err != nil {
		return err
	}
	if !ok || indexed != t {
		c.strange = &t
		return nil
	}
	c.tombstones++
	return nil
}

// other notes the first proof that the block is another.
func (c *blockChecker) other(format string, args ...any) {
	if c.verdict.Other == "" {
		c.verdict.Other = fmt.Sprintf(format, args...)
	}
}

// addOrdinal adds an ordinal behind all that are in a list of ranges.
func addOrdinal(ranges []OrdinalRange, ordinal int) []OrdinalRange {
	if n := len(ranges); n > 0 && ranges[n-1].End == ordinal {
		ranges[n-1].End++
		return ranges
	}
	return append(ranges, OrdinalRange{ordinal, ordinal + 1})
}
