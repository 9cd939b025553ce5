package actors

import (
	"errors"
	"slices"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// blockVerification is the verification of one block.
type blockVerification struct {
	frozen *engine.FrozenBlock
	block  *blockio.Block

	messages uint64 // live ones that are there
	found    []uint64
	lost     []uint64 // with damage that the scan of the block has found
	bytes    int64
	live     int64 // of these, bytes of the records of live messages
	damage   []*blockio.CorruptionError
}

func (c *blockVerification) run(v *verification) error {
	data, err := c.scan(v.buffer)
	if err != nil {
		return err
	}
	v.buffer = data[:0]
	return c.index(v, data)
}

// scan reads the block into a buffer, if that is large enough, and verifies its records.
func (c *blockVerification) scan(buffer []byte) (data []byte, err error) {
	data, err = c.block.ReadAll(buffer)
	unreadable, err := unreadableOr(err)
	if err != nil {
		return nil, err
	}
	c.bytes = int64(len(data))
	scan := blockio.ScanBlockAround(c.block.Path(), c.frozen.View.ID, c.block.Codec(), data, unreadable, false,
		func(_ int64, r blockio.Record) {
			if r.Kind == blockio.KindMessage && c.frozen.Live(r.Sequence) {
				c.found = append(c.found, r.Sequence)
				c.live += int64(r.Size)
			}
		})
	c.messages = uint64(len(c.found))
	c.damage = scan.Damage
	if c.frozen.View.Tail != nil && scan.LostEnd && c.messages == c.frozen.Messages && len(c.damage) > 0 {
		c.damage = c.damage[:len(c.damage)-1] // the end of it is just being written
	}
	c.lost = scan.Lost
	c.missing()
	return data, nil
}

// missing notes live messages of which the block has no record, and no damage in their place.
func (c *blockVerification) missing() {
	b := c.frozen
	if c.messages == b.Messages {
		return
	}
	there := slices.Concat(c.found, c.lost)
	slices.Sort(there)
	for next := b.View.LiveAfter(b.First); next <= b.Last; next = b.View.LiveAfter(next) {
		end := b.Last
		if i, found := slices.BinarySearch(there, next); found {
			next++
			continue
		} else if i < len(there) {
			end = min(end, there[i]-1)
		}
		b.View.EachDeleted(next, end, func(first, _ uint64) { end = min(end, first-1) })
		c.note(0, next, end, "no intact record", blockio.ErrCorrupt)
		next = end + 1
	}
}

func (c *blockVerification) note(offset int64, first, last uint64, reason string, err error) {
	c.damage = append(c.damage, &blockio.CorruptionError{
		Path: c.block.Path(), Block: c.frozen.View.ID, Offset: offset, Sequence: first, Last: last, Reason: reason, Err: err,
	})
}

// index verifies the index beside the block, if there is one, and holds the block against it: it has a checksum of each
// message that covers the lengths, too. One that is of the block as it was before says nothing.
func (c *blockVerification) index(v *verification, data []byte) error {
	id := c.frozen.View.ID
	x, err := blockindex.OpenFileForEvidence(v.store.config.FS, c.block.Path(), id, blockindex.Options{})
	if errors.Is(err, blockindex.ErrDamaged) || blockio.IsReadFailure(err) {
		c.damage = append(c.damage, &blockio.CorruptionError{
			Path: blockindex.Path(c.block.Path()), Reason: "the index of the block is damaged; it can be made anew", Err: err,
		})
		return nil
	}
	if err != nil { // as for the block that is written to, there is none
		return nil
	}
	defer x.Close() // it was opened for reading, so an error of closing it loses nothing
	verdict, err := x.CheckBlock(c.block.Codec(), data)
	if err != nil || verdict.Other != "" || len(verdict.Damaged) == 0 {
		return nil
	}
	ordinal := -1
	return x.Messages(func(m *blockindex.Message) bool {
		ordinal++
		damaged := slices.ContainsFunc(verdict.Damaged, func(r blockindex.OrdinalRange) bool { return ordinal >= r.First && ordinal < r.End })
		if _, known := slices.BinarySearch(c.lost, m.Sequence); damaged && !known && c.frozen.Live(m.Sequence) {
			c.messages--
			c.note(m.Offset, m.Sequence, 0, "differs from what was indexed", blockio.ErrCorrupt)
		}
		return true
	})
}
