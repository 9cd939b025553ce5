package blockindex

import (
	"fmt"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// OpenForEvidence returns the index in data, whatever the file of its block is now: for
// one that was cut, overwritten or removed the index is the evidence of what it held.
// All of the index is verified, as Check does, before anything is believed. block is
// the number that the name of the file says.
//
// The error wraps ErrStale when the index is of another block or version, ErrDamaged,
// and blockio.ErrMapped; errors of Populate are returned as they are.
func OpenForEvidence(data []byte, block uint32, opts Options) (*Index, error) {
	x, err := open(data, opts)
	if err != nil {
		return nil, err
	}
	if id := x.header.id; id.Block != block {
		return nil, fmt.Errorf("%w: it is of %v; wanted is block %d", ErrStale, id, block)
	}
	if err := x.checkAll(); err != nil {
		x.DropPages()
		return nil, err
	}
	return x, nil
}

// OpenFileForEvidence is OpenForEvidence of the index file beside a block, which need
// not be there. The error is ErrMissing when there is no index file.
func OpenFileForEvidence(fsys blockio.FS, blockPath string, block uint32, options Options) (*File, error) {
	return openFile(fsys, blockPath, options, func(data []byte, options Options) (*Index, error) {
		return OpenForEvidence(data, block, options)
	})
}

// A Message is what an index says of one message.
type Message struct {
	Sequence uint64
	Time     int64  // nanoseconds since 1970
	Offset   int64  // of its record in the block
	Size     int    // of its record, in bytes
	CRC      uint32 // CRC-32C of all of these bytes
	Subject  []byte // valid during the visit only
}

// Messages calls visit for every message, in order, until it is false. What it takes in
// memory does not grow with the index. The error wraps ErrDamaged.
func (x *Index) Messages(visit func(*Message) bool) error {
	var m Message
	rank, sequences := uint32(EmptySubject), Run{}
	next := 0 // where the run of sequences ends
	for i := range x.Len() {
		r, err := x.Record(i)
		if err != nil {
			return err
		}
		if i == next {
			if sequences, next, err = x.runOf(i); err != nil {
				return err
			}
		}
		if r.Subject != rank {
			if m.Subject, err = x.Subject(r.Subject, m.Subject[:0]); err != nil {
				return err
			}
			rank = r.Subject
		}
		m.Sequence = sequences.Sequence + uint64(i-sequences.Ordinal)
		m.Time, m.Offset, m.Size, m.CRC = r.Time, r.Offset, r.Size, r.CRC
		if !visit(&m) {
			return nil
		}
	}
	return nil
}
