package disk

import (
	"fmt"
	"sort"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// mostDeleted bounds the deleted sequences between the messages of blocks whose state is written: for a nats-server a
// set of them has a bit for each. Those before the first message of a block, and between two blocks, are in no set.
const mostDeleted = 1 << 26

// stateEncoder makes an index.db of a capture.
type stateEncoder struct {
	files   *Files
	capture *engine.Capture
	last    bool // nothing is appended any more
	whole   bool // the files of the blocks have their records, and nothing behind

	index  streamstate.Index
	own    streamstate.Own
	starts []uint64 // the first sequence that each block spans, as a nats-server would have it
}

// Flags of streamstate.OwnBlock.
const (
	ownTimeStale = 1 << iota
	ownThinned
	ownTombstones
	ownCompressed
	ownLivesKnown
)

// Flags of streamstate.OwnLife and streamstate.OwnSubject.
const (
	ownForEver = 1
	ownMarker  = 2

	ownFirstExact = 1
	ownLastExact  = 2
	ownEvicted    = 4
)

// encode returns the body, nil when a nats-server has no way to say what is so, or could not tell by the last record
// whether the file is of the blocks as they are.
func (e *stateEncoder) encode() (*pieces, error) {
	c := e.capture
	if len(c.Blocks) == 0 || c.LastSequence == 0 {
		return nil, nil
	}
	if err := e.blocks(); err != nil {
		return nil, err
	}
	sum, err := e.lastSum()
	if err != nil {
		return nil, err
	}
	e.index.Head = streamstate.Head{
		Messages: c.Messages, Bytes: c.Bytes, First: c.FirstSequence, Last: c.LastSequence, FirstTime: serverTime(c.FirstTime), LastTime: serverTime(c.LastTime),
	}
	e.index.LastBlock, e.index.LastSum = c.Blocks[len(c.Blocks)-1].ID, sum
	if e.index.LastSum == ([checksumSize]byte{}) {
		return nil, nil // as the end of a file looks that has zeros written ahead
	}
	if err := e.index.Check(); err != nil {
		return nil, err
	}
	if e.last && e.whole && WantsSum(c) {
		e.own.Sum = e.files.sumOfLast(&c.Blocks[len(c.Blocks)-1])
	}
	return e.body(), nil
}

// serverTime returns a time as a nats-server writes it.
func serverTime(t int64) int64 {
	if t == engine.NoTime {
		return streamstate.NoTime
	}
	return t
}

// blocks describes the blocks.
func (e *stateEncoder) blocks() error {
	c := e.capture
	list, err := e.files.Blocks.List()
	if err != nil {
		return err
	}
	if len(list) != len(c.Blocks) {
		return fmt.Errorf("%w: there are %d blocks, and were %d", ErrOutdated, len(list), len(c.Blocks))
	}
	deleted := uint64(0)
	e.whole = true
	for i := range c.Blocks {
		b, file := &c.Blocks[i], list[i]
		if b.ID != file.ID {
			return fmt.Errorf("%w: block %d was not there", ErrOutdated, file.ID)
		}
		if i < len(list)-1 {
			if err := e.files.unchanged(file); err != nil {
				return err
			}
		}
		if b.Messages > 0 && b.LastRecord == 0 {
			if b.LastRecord, err = e.files.lastRecord(b); err != nil {
				return err
			}
		}
		if deleted += betweenMessages(b); deleted > mostDeleted {
			return fmt.Errorf("more than %d deleted sequences between messages", mostDeleted)
		}
		if e.whole = e.whole && (b.Compressed || file.Size == b.Size); i == len(list)-1 && b.Compressed {
			return fmt.Errorf("the last block, %d, is compressed", b.ID)
		}
		e.own.Blocks = append(e.own.Blocks, ownBlock(b, file))
		e.index.Blocks = append(e.index.Blocks, e.serverBlock(b, i == len(list)-1))
		e.starts = append(e.starts, b.First)
	}
	e.own.TTL, e.own.LastTime = uint64(c.TTL), c.LastTime
	e.own.Floor, e.own.FloorBlock = c.Floor, c.FloorBlock
	return nil
}

// flag returns a flag if it is set.
func flag(flag uint64, set bool) uint64 {
	if set {
		return flag
	}
	return 0
}

func ownBlock(b *engine.BlockCapture, file blockio.BlockInfo) streamstate.OwnBlock {
	own := streamstate.OwnBlock{
		ID: b.ID, Size: b.Size, FileSize: file.Size, ModTime: file.ModTime, First: b.First, Last: b.Last, LastRecord: b.LastRecord,
		Proves: b.Proves, FirstMessage: b.FirstMessage, Messages: b.Messages, Bytes: b.Bytes, FirstLive: b.FirstLive, FirstTime: b.FirstTime,
		MaxTime: b.MaxTime, AgeFrom: b.AgeFrom, AgeTo: b.AgeTo, MarkCRC: b.MarkCRC,
	}
	own.Flags = flag(ownTimeStale, b.FirstTimeStale) | flag(ownThinned, b.Thinned) | flag(ownTombstones, b.Tombstones) |
		flag(ownCompressed, b.Compressed) | flag(ownLivesKnown, b.LivesKnown)
	b.EachDeleted(b.First, b.Last, func(first, last uint64) {
		own.Removed = append(own.Removed, streamstate.Range{First: first, Last: last})
	})
	for l := range b.Lives() {
		flags := flag(ownForEver, l.ForEver) | flag(ownMarker, l.Marker)
		own.Lives = append(own.Lives, streamstate.OwnLife{Sequence: l.Sequence, Flags: flags, Due: l.Due})
	}
	return own
}

// betweenMessages returns how many sequences the set of a block has for a nats-server.
func betweenMessages(b *engine.BlockCapture) (n uint64) {
	if b.Messages > 0 {
		b.EachDeleted(b.FirstLive, b.LastRecord, func(first, last uint64) { n += last - first + 1 })
	}
	return n
}

// serverBlock describes a block as a nats-server would that has read its records. When it loads the block, it holds
// the first and the last sequence against them, and reads the block without its tombstones if they differ.
func (e *stateEncoder) serverBlock(b *engine.BlockCapture, last bool) streamstate.Block {
	s := streamstate.Block{ID: b.ID, Bytes: b.Bytes}
	if b.Messages == 0 {
		s.Last = b.Last
		if last {
			s.Last, s.LastTime = e.capture.LastSequence, serverTime(e.capture.LastTime)
		}
		s.First = s.Last + 1
		return s
	}
	s.First, s.Last, s.FirstTime, s.LastTime = b.FirstLive, b.LastRecord, b.FirstTime, b.MaxTime
	s.Deleted = streamstate.NewSet(func(yield func(first, last uint64) bool) {
		more := true
		b.EachDeleted(s.First, s.Last, func(first, last uint64) { more = more && yield(first, last) })
	})
	if s.Deleted.Len() == 0 {
		s.Deleted = nil
	}
	// It looks for TTLs and schedules in no block that has none. What is not known is found that way.
	s.TTLs, s.Schedules = b.Messages, b.Messages
	if b.LivesKnown && e.capture.TTL == engine.TTLOn {
		s.TTLs = 0
		for l := range b.Lives() {
			if l.HasDue() {
				s.TTLs++
			}
		}
	}
	return s
}

// lastSum returns the checksum of the last record.
func (e *stateEncoder) lastSum() (sum [checksumSize]byte, err error) {
	b := &e.capture.Blocks[len(e.capture.Blocks)-1]
	if b.Size < blockio.EmptyRecordSize {
		return sum, nil
	}
	return e.files.sumAt(b.ID, b.Size)
}

// sumAt returns the checksum of the record that ends somewhere in a block.
func (f *Files) sumAt(id uint32, end int64) (sum [checksumSize]byte, err error) {
	block, err := f.lease(id, false)
	if err != nil {
		return sum, err
	}
	defer block.Release()
	n, err := block.ReadAt(sum[:], end-int64(len(sum)))
	if n == len(sum) {
		err = nil
	}
	return sum, err
}

// body puts the parts together.
func (e *stateEncoder) body() *pieces {
	n := e.capture.Subjects.Len()
	body, facts := newPieces(n*40), newPieces(n*8)
	body.last = e.index.AppendHead(body.last, n)
	everything := subject.Everything()
	e.capture.Subjects.Walk(&everything, func(name []byte, info engine.SubjectInfo) bool {
		body.last = streamstate.AppendSubject(body.last, name, info.Count, e.blockOf(info.First), e.blockOf(info.Last))
		body.next()
		s := streamstate.OwnSubject{First: info.First, Last: info.Last, LastSize: info.LastSize}
		s.Flags = flag(ownFirstExact, info.FirstExact) | flag(ownLastExact, info.LastExact) | flag(ownEvicted, e.capture.Evicted(info))
		facts.last = streamstate.AppendOwnSubject(facts.last, &s)
		facts.next()
		return true
	})
	body.last = e.index.AppendBlocks(body.last)
	start := body.len()
	body.last = streamstate.AppendOwn(body.last, &e.own)
	body.take(facts)
	end := streamstate.AppendOwnSum(nil, &e.own)
	body.last = streamstate.EndOwn(end, start-body.len())
	return body
}

// blockOf returns the number of the block that spans a sequence, or of the first one. A block without messages begins
// where the next one does, and is before it: a server that is given the one for the other finds no message of the
// subject there, and purges none.
func (e *stateEncoder) blockOf(sequence uint64) uint32 {
	i := sort.Search(len(e.starts), func(i int) bool { return e.starts[i] > sequence })
	return e.index.Blocks[max(i-1, 0)].ID
}
