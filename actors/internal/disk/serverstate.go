package disk

import (
	"bytes"
	"cmp"
	"iter"
	"slices"
	"sync"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
	"github.com/seed-d8b58eba/millrace/engine"
)

// What a nats-server has written of the stream in index.db can be the only thing that tells which messages are
// deleted and how far sequences were used. It is believed when the server itself would believe it: it is whole, it
// does not contradict itself, all of its blocks are there, and nothing was written behind the last record that it
// knows of. In one point we go further: what is behind may be removals, since a crash leaves that of an opening
// which was writing down what the file says.
//
// Where it is not believed its head still shows how far the blocks once went: see judgeServerEnd.

// serverState is what nats-server has written.
type serverState struct {
	known bool // the head is whole
	head  streamstate.Head
	index *streamstate.Index // nil when it says nothing that can be believed
	// lastThere: the last record that index knows of is there. What does not verify behind it may be torn.
	lastThere bool
	// cut: that record is in a commit that looks torn. A server has cut the block there, since it knows of no commits.
	cut      bool
	current  bool // nothing but removals is behind the last record that index knows of
	believed bool // current, and all blocks are there
	own      bool // it is one of ours
}

// readState reads what was written of the stream, by us or a nats-server.
func (r *Recovery) readState() {
	s := &r.evidence.server
	file, err := r.Blocks.ReadStateFile()
	if err != nil {
		r.Log.Warn("cannot read what was written of the stream", "error", err)
	}
	if file == nil {
		return
	}
	body, err := streamstate.Body(r.Blocks.Stream(), file)
	if err == nil {
		r.evidence.own, err = streamstate.DecodeOwn(body)
	}
	if r.evidence.own != nil {
		return // there is nothing in it that was not taken from the log
	}
	if err == nil {
		s.head, err = streamstate.DecodeHead(body)
	}
	if s.known = err == nil; s.known {
		s.index, err = streamstate.DecodeBlocks(body)
	}
	if err == nil {
		err = s.index.Check()
	}
	if err != nil {
		s.index = nil
		r.Log.Warn("what was written of the stream is not believed", "error", err)
	}
}

// weighServerState decides whether to believe it. The blocks of list were not mended yet.
func (r *Recovery) weighServerState(list []blockio.BlockInfo) {
	s := &r.evidence.server
	if s.index == nil {
		return
	}
	s.current = r.onlyRemovalsSince(s.index, list)
	s.believed = s.current && !slices.ContainsFunc(s.index.Blocks, func(b streamstate.Block) bool {
		return b.Messages() > 0 && !hasBlock(list, b.ID)
	})
	if r.Described = s.believed && !s.own; !s.believed && !s.own {
		r.Log.Info("what nats-server has written of the stream is not of its blocks as they are; they are read without it")
	}
}

func hasBlock(list []blockio.BlockInfo, id uint32) bool {
	_, found := slices.BinarySearchFunc(list, id, func(b blockio.BlockInfo, id uint32) int { return cmp.Compare(b.ID, id) })
	return found
}

// onlyRemovalsSince reports whether the last record that nats-server knew of is there, and behind it nothing but
// removals of what was there.
func (r *Recovery) onlyRemovalsSince(x *streamstate.Index, list []blockio.BlockInfo) bool {
	tail := -1
	for i, b := range list {
		if b.Size > 0 {
			tail = i
		}
	}
	s := &r.evidence.server
	for i, b := range list {
		only := true
		switch {
		case b.ID == x.LastBlock:
			s.lastThere, only = r.behind(b.ID, x.LastSum[:], i == tail, x.Last)
		case b.ID > x.LastBlock:
			_, only = r.behind(b.ID, nil, i == tail, x.Last)
		}
		if !only {
			return false
		}
	}
	return s.lastThere
}

// behind looks at what is in a block behind the last record with a checksum: at all of it when the checksum is
// empty, or of zeros, as that of an empty block is. It reports whether there is such a record, and whether behind it
// there are only removals.
func (r *Recovery) behind(id uint32, sum []byte, tail bool, last uint64) (there, only bool) {
	data, unreadable, err := r.readAll(id, nil)
	if err != nil || len(unreadable) > 0 {
		return false, false // the scan says why
	}
	there, only = len(bytes.Trim(sum, "\x00")) == 0, true
	found := blockio.ScanBlock(r.Blocks.Path(id), id, r.Blocks.Codec(id), data, tail, func(offset int64, rec blockio.Record) {
		switch record := data[offset:][:rec.Size]; {
		case bytes.Equal(record[len(record)-checksumSize:], sum):
			there, only = true, true
		case there && !isRemoval(&rec, last):
			only = false
		}
	})
	if len(sum) == checksumSize && bytes.HasSuffix(data[:found.End], sum) {
		return true, true // whatever is before it
	}
	if tail && found.Torn && !there {
		there, only = r.behind(id, sum, false, last)
		r.evidence.server.cut = there
		return there, only
	}
	return there, there && only && found.DamageCount == 0
}

// checksumSize is how many bytes at the end of a record are its checksum.
const checksumSize = len(streamstate.Index{}.LastSum)

// isRemoval reports whether a record tells no more than that something was removed of a stream that ended with
// a sequence.
func isRemoval(rec *blockio.Record, last uint64) bool {
	switch rec.Kind {
	case blockio.KindTombstone, blockio.KindSkip:
		return rec.Sequence <= last
	case blockio.KindFloor:
		first, _ := rec.Floor()
		return first <= last+1
	}
	return false
}

// judgeServerState tells the engine what nats-server alone has known of the messages.
func (r *Recovery) judgeServerState(rec *engine.Recovery, list []blockio.BlockInfo) {
	s := &r.evidence.server
	if !s.current {
		return
	}
	if s.own {
		r.keepOwn(rec)
		return
	}
	r.tellServerLost(rec, list)
	if !s.believed {
		return
	}
	if limits := &r.Config.Limits; limits.MaxMsgs > 0 || limits.MaxBytes > 0 || limits.MaxAge > 0 {
		rec.StartedAt(s.head.First) // by the limits, nearly always: one record tells of it
	}
	for _, b := range list {
		if b.ID <= s.index.LastBlock {
			// A block that is not among them had no message left when the server began.
			rec.Keep(engine.Kept{Block: b.ID, First: 1, Last: s.head.Last, Deleted: everything{}})
		}
	}
	for i := range s.index.Blocks {
		rec.Keep(kept(&s.index.Blocks[i]))
	}
	if rec.Last() < s.head.Last {
		rec.EndedAt(s.head.Last, s.head.LastTime) // what showed it was removed, too
	}
}

// everything is the set of all sequences.
type everything struct{}

func (everything) Contains(uint64) bool { return true }

func (everything) Ranges() iter.Seq2[uint64, uint64] {
	return func(yield func(first, last uint64) bool) { yield(1, blockio.MaxSequence) }
}

// tellServerLost notes what the blocks had by what nats-server has written, and have no more, unless it may have
// been removed since without a trace: by its age, by a limit that was lowered, or by a server that removes what was
// consumed or has a TTL.
func (r *Recovery) tellServerLost(rec *engine.Recovery, list []blockio.BlockInfo) {
	if r.ServerRemoves {
		return
	}
	lowered := sync.OnceValue(r.serverIsOverLimits)
	for i := range r.evidence.server.index.Blocks {
		b := &r.evidence.server.index.Blocks[i]
		if age := r.Config.Limits.MaxAge; b.Messages() == 0 || age > 0 && b.FirstTime < r.Now-int64(age) {
			continue
		}
		lost, lacks := engine.LostRange{Block: b.ID}, rec.Lacks(kept(b))
		if !hasBlock(list, b.ID) {
			if oneOf(rec, lacks) {
				continue // a server removes the last message of a block with the block
			}
			lost.Bytes = b.Bytes
		}
		if len(lacks) > 0 && lowered() {
			return
		}
		for _, lost.SequenceRange = range lacks {
			r.tellLost(rec, lost)
			lost.Bytes = 0 // all of them are of the first
		}
	}
}

// serverIsOverLimits reports whether nats-server has written of more messages than the limits allow. Then a limit was
// lowered after that, and the server may have removed messages by it, with their blocks, before it was killed: what
// limits remove leaves no tombstones.
func (r *Recovery) serverIsOverLimits() bool {
	head, limits := &r.evidence.server.head, &r.Config.Limits
	if limits.MaxMsgs > 0 && head.Messages > uint64(limits.MaxMsgs) || limits.MaxBytes > 0 && head.Bytes > uint64(limits.MaxBytes) {
		return true
	}
	if r.MaxMsgsPer <= 0 {
		return false
	}
	file, err := r.Blocks.ReadStateFile() // its subjects were not kept
	if err != nil {
		return false
	}
	index, err := streamstate.DecodeIndex(r.Blocks.Stream(), file)
	return err == nil && slices.ContainsFunc(index.Subjects, func(s streamstate.Subject) bool { return s.Messages > uint64(r.MaxMsgsPer) })
}

// oneOf reports whether no more than one message of a list has no tombstone.
func oneOf(rec *engine.Recovery, list []engine.SequenceRange) bool {
	without := 0
	for _, r := range list {
		for sequence := r.First; sequence <= r.Last && without < 2; sequence++ {
			if !rec.Tombstoned(sequence) {
				without++
			}
		}
	}
	return without < 2
}

// kept is what is known of a block, as the engine takes it.
func kept(b *streamstate.Block) engine.Kept {
	return engine.Kept{Block: b.ID, First: b.First, Last: b.Last, Deleted: b.Deleted}
}

// judgeServerEnd compares where the log ends with where nats-server has written that it does. What is missing, and
// was not removed, is lost.
func (r *Recovery) judgeServerEnd(rec *engine.Recovery, list []blockio.BlockInfo) {
	s := &r.evidence.server
	last := rec.Last()
	if !s.known || last > s.head.Last || len(list) == 0 {
		return
	}
	if last < s.head.Last {
		r.tellLost(rec, engine.LostRange{
			SequenceRange: engine.SequenceRange{First: last + 1, Last: s.head.Last}, Block: list[len(list)-1].ID})
	}
	rec.EndedAt(s.head.Last, s.head.LastTime) // damage may have cost the last record alone
}

// serverKnewAll reports whether everything in the last block was there when nats-server wrote what it knows of
// the stream. What was appended later may be torn, unless the server has cut a commit in the middle: it goes on in what that
// announced.
func (r *Recovery) serverKnewAll(id uint32) bool {
	s := &r.evidence.server
	if s.cut {
		return true
	}
	if s.index != nil && (s.lastThere || id > s.index.LastBlock) {
		return false
	}
	data, unreadable, err := r.readAll(id, nil)
	if err != nil {
		return false // the scan says why
	}
	scan, found := r.scanAround(id, data, unreadable, false, false)
	n := len(found.Lost)
	return found.DamageCount > 0 && scan.Last() <= s.head.Last && (n == 0 || found.Lost[n-1] <= s.head.Last)
}

// endCut writes a mark of no records at the end of a block in which a nats-server has cut a commit, so that it looks torn to
// nobody when the file that says so is gone. It replaces the file: half a mark would be damage.
func (r *Recovery) endCut(id uint32, found *blockio.BlockScan) error {
	data, _, err := r.readAll(id, nil)
	if err == nil {
		err = r.mending(id)
	}
	if err != nil {
		return err
	}
	mark := make([]byte, blockio.EmptyRecordSize)
	r.Blocks.Codec(id).PutFrameMark(mark, 0, found.MarkCRC)
	data = append(data[:found.End:found.End], mark...)
	return r.change(id, func() error { return r.Blocks.Rewrite(id, r.Generation, data) })
}
