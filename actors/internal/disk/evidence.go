package disk

import (
	"errors"
	"hash/crc32"
	"io/fs"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
	"github.com/seed-d8b58eba/millrace/engine"
)

// A block that lost its end at a record's end, that went to zeros, or whose file is gone looks like one that
// never held more. Two things say otherwise: the index beside it, if that is sound in itself, and the proof
// of its end that a clean stop leaves. What they name and the blocks lack is lost, unless something explains
// it: a real nats-server removes messages and leaves our files as they are. docs/recovery.md has the list.

// missing is a message that the index of a block names and that the block does not have.
type missing struct {
	block    uint32
	sequence uint64
	time     int64
	size     int
	subject  string
	emptied  bool // nothing is left of the block, whose file is there
}

// evidence is what speaks for messages that are not there.
type evidence struct {
	missing []missing
	orphans map[uint32]bool // numbers of indexes without a block
	end     blockio.EndProof
	hasEnd  bool
	server  serverState
	own     *streamstate.OwnState  // index.db, when it is one of ours
	gone    []streamstate.OwnBlock // that it has, and of which there is no file
	told    []engine.LostRange
	stale   []uint32 // blocks whose indexes name messages that they do not have
}

// lackedBy returns the messages that the index of a block names and a scan of the block's records has not
// found, and tells the scan which the block had. data and scan are nil when the block has no file. An index that is not sound in itself proves
// nothing, and neither does one that differs from all of those records that it names: it is of another block. One
// beside a whole block that was written anew is of before that; where a nats-server has done so, records are nearer to the
// beginning of the block than the index says. (Where they are further from it, the block is an older one than the index.) The
// error is of the file system.
func (f *Files) lackedBy(id uint32, data []byte, scan *engine.Scan) (lacked []missing, err error) {
	x, err := blockindex.OpenFileForEvidence(f.FS, f.Blocks.Path(id), id, blockindex.Options{})
	if err != nil {
		return nil, unlessItProvesNothing(err)
	}
	defer x.Close() // it was opened for reading, so an error of closing it loses nothing
	emptied := scan != nil && scan.Messages() == 0 && scan.Last() == 0
	if scan != nil && scan.Messages() > 0 && f.Blocks.Codec(id).Complete(data) && !scan.Damaged() {
		return nil, nil
	}
	agree, differ, nearer, further := 0, 0, false, false
	var had []uint64
	err = x.Messages(func(m *blockindex.Message) bool {
		had = append(had, m.Sequence)
		if scan != nil {
			if found, ok := scan.Find(m.Sequence); ok {
				if crc32.Checksum(data[found.Offset:found.Offset+int64(found.Size)], castagnoli) == m.CRC {
					agree++
					nearer, further = nearer || found.Offset < m.Offset, further || found.Offset > m.Offset
				} else {
					differ++
				}
				return true
			}
		}
		lacked = append(lacked, missing{id, m.Sequence, m.Time, m.Size, string(m.Subject), emptied})
		return true
	})
	if err != nil || agree == 0 && differ > 0 {
		return nil, unlessItProvesNothing(err)
	}
	if nearer && !further && !scan.Damaged() {
		return nil, unlessItProvesNothing(hadRemoved(x, scan))
	}
	if agree > 0 { // else the index goes with this opening, and the next one is to find the same
		scan.Had(had)
	}
	if scan != nil {
		err = hadRemoved(x, scan)
	}
	return lacked, unlessItProvesNothing(err)
}

// hadRemoved tells the scan of a damaged block which removals the block named, by its index.
func hadRemoved(x *blockindex.File, scan *engine.Scan) error {
	var tombstones []engine.Tombstone
	floor := uint64(0)
	err := x.Tombstones(func(t blockindex.Tombstone) bool {
		if first, ok := blockio.FloorOf(t.Time); ok && t.Sequence == 0 {
			floor = max(floor, first)
		} else {
			tombstones = append(tombstones, engine.Tombstone{Sequence: t.Sequence, Time: t.Time})
		}
		return true
	})
	if err == nil {
		scan.HadRemoved(tombstones, floor)
	}
	return err
}

// unlessItProvesNothing passes over the errors of an index that is missing, or not sound.
func unlessItProvesNothing(err error) error {
	for _, nothing := range []error{blockindex.ErrMissing, blockindex.ErrDamaged, blockindex.ErrStale, blockio.ErrMapped} {
		if errors.Is(err, nothing) {
			return nil
		}
	}
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// gather looks for the evidence that is not beside a block: indexes without one among the files of the directory, and the
// proof of the end.
func (r *Recovery) gather(files []blockio.Entry) {
	r.evidence.orphans = make(map[uint32]bool)
	for _, id := range blockio.BlocksDescribed(files, blockindex.Suffix) {
		lacked, err := r.lackedBy(id, nil, nil)
		if err != nil {
			r.Log.Warn("cannot read an index, which may show a loss", "path", r.Blocks.Path(id), "error", err)
		}
		if len(lacked) > 0 {
			r.evidence.orphans[id] = true
			r.evidence.missing = append(r.evidence.missing, lacked...)
		}
	}
	r.readEndProof()
	told, err := r.Blocks.ReadLost()
	if err != nil {
		r.Log.Warn("cannot read which messages are known to be lost", "error", err)
	}
	for _, l := range told {
		r.evidence.told = append(r.evidence.told, engine.LostRange{
			SequenceRange: engine.SequenceRange{First: l.First, Last: l.Last}, Block: l.Block, Bytes: l.Bytes})
	}
}

// readEndProof reads what a clean stop has left.
func (r *Recovery) readEndProof() {
	var err error
	if r.evidence.end, r.evidence.hasEnd, err = r.Blocks.ReadEndProof(); err != nil {
		r.Log.Warn("cannot read the proof of the end", "error", err)
	}
}

// judge decides what of the evidence speaks of a loss, and tells the engine. It returns the numbers of
// indexes without a block that are to stay, since they name messages that are lost.
func (r *Recovery) judge(rec *engine.Recovery, list []blockio.BlockInfo) (keep map[uint32]bool) {
	r.keepEvicted(rec, list)
	if !r.ServerWasHere && !r.ServerHad { // else sequences may have been used again
		rec.RemoveAgain()
	}
	r.recall(rec, list) // first: nearly all that the damage names is in it, in order
	rec.Began(r.began(rec, list))
	rec.Settle()
	r.judgeServerState(rec, list)
	r.judgeServerEnd(rec, list)
	keep = make(map[uint32]bool)
	for _, m := range r.evidence.missing {
		if n := len(r.evidence.stale); !r.evidence.orphans[m.block] && !r.unreadable[m.block] && (n == 0 || r.evidence.stale[n-1] != m.block) {
			r.evidence.stale = append(r.evidence.stale, m.block)
		}
	}
	if r.ServerWasHere {
		return keep // it accounts for what is gone in files of its own
	}
	cutoff := int64(0)
	if age := r.Config.Limits.MaxAge; age > 0 {
		cutoff = r.Now - int64(age)
	}
	first := rec.First()
	var run engine.LostRange
	tell := func() {
		if run.Block > 0 {
			r.tellLost(rec, run)
		}
		run = engine.LostRange{}
	}
	var low, high uint64
	for i, m := range r.evidence.missing {
		if i == 0 || m.block != r.evidence.missing[i-1].block {
			low, high = rec.Room(m.block)
		}
		switch {
		case m.sequence <= low || high > 0 && m.sequence >= high, // the index is of another block
			rec.Tombstoned(m.sequence),
			first > 0 && m.sequence < first && !m.emptied,
			cutoff != 0 && m.time < cutoff,
			r.MaxMsgsPer > 0 && rec.SubjectCount(m.subject) >= uint64(r.MaxMsgsPer):
			continue
		}
		if r.evidence.orphans[m.block] {
			keep[m.block] = true
		}
		if run.Block != m.block || m.sequence != run.Last+1 {
			tell()
			run.Block, run.First = m.block, m.sequence
		}
		run.Last = m.sequence
		run.Bytes += uint64(m.size)
	}
	tell()
	r.judgeGone(rec, list)
	r.judgeEnd(rec, list)
	return keep
}

// keepEvicted has what limits had removed before a clean stop stay removed where messages are lost: with fewer messages
// the limits would take them back in. It is written down, since the first change removes what shows it.
func (r *Recovery) keepEvicted(rec *engine.Recovery, list []blockio.BlockInfo) {
	limits := &r.Config.Limits
	evicts := limits.MaxMsgs > 0 || limits.MaxBytes > 0 || limits.MaxAge > 0
	if evicts && r.wasStopped(list) && (len(r.evidence.told) > 0 || len(r.evidence.missing) > 0) {
		rec.StartedAt(r.evidence.end.First)
	}
}

// endsAsProven reports whether the last block is the one in which a clean stop has left the end, and has not
// grown since. Then nothing in it is torn: what does not verify is damaged, and the rest of it is kept. tail is
// the last block with content.
func (r *Recovery) endsAsProven(list []blockio.BlockInfo, tail int) bool {
	n := len(list)
	switch {
	case tail < 0:
		return false
	case r.evidence.server.known:
		return r.serverKnewAll(list[tail].ID)
	}
	return r.evidence.hasEnd && !r.ServerWasHere && list[n-1].ID == r.evidence.end.Block && list[n-1].Size <= r.evidence.end.Size
}

// wasStopped reports whether the stream is as a clean stop has left it, and nothing was written to its last block since.
func (r *Recovery) wasStopped(list []blockio.BlockInfo) bool {
	n := len(list)
	return n > 0 && r.evidence.hasEnd && !r.ServerWasHere && list[n-1].ID == r.evidence.end.Block && list[n-1].Size == r.evidence.end.Size
}

// began returns the sequence that the stream began with before the damage, 0 when nobody knows. What is below
// it was removed.
func (r *Recovery) began(rec *engine.Recovery, list []blockio.BlockInfo) uint64 {
	limits := &r.Config.Limits
	switch {
	case r.evidence.server.known:
		return r.evidence.server.head.First
	case r.evidence.hasEnd && !r.ServerWasHere && r.evidence.end.First > 0:
		return r.evidence.end.First
	case len(list) > 0 && (list[0].ID == 1 || rec.HasFloor()) && !r.ServerWasHere && r.MaxMsgsPer <= 0 &&
		limits.MaxMsgsPer <= 0 && limits.MaxMsgs <= 0 && limits.MaxBytes <= 0 && limits.MaxAge <= 0:
		return max(1, r.Config.FirstSequence) // nothing removes what a stream begins with
	}
	return 0
}

// judgeEnd compares where the log ends with where it ended at the last clean stop.
func (r *Recovery) judgeEnd(rec *engine.Recovery, list []blockio.BlockInfo) {
	end := r.evidence.end
	last := rec.Last()
	if !r.evidence.hasEnd || end.Sequence <= last {
		return
	}
	for _, b := range list {
		if b.ID > end.Block {
			return // somebody has written since
		}
	}
	bytes := end.Size
	for _, b := range list {
		if b.ID == end.Block {
			bytes = max(0, end.Size-b.Size)
		}
	}
	r.tellLost(rec, engine.LostRange{
		SequenceRange: engine.SequenceRange{First: max(last+1, end.First), Last: end.Sequence}, Block: end.Block, Bytes: uint64(bytes)})
}

// tellLost notes a range of messages as lost.
func (r *Recovery) tellLost(rec *engine.Recovery, lost engine.LostRange) {
	if n := rec.Lose(lost); n > 0 {
		r.Log.Error("messages are lost: their block does not have them any more", "path", r.Blocks.Path(lost.Block),
			"first", lost.First, "last", lost.Last, "messages", n, "bytes", lost.Bytes)
	}
}

// recall notes again what was told to be lost before, as far as the head of the stream has not passed it: what is left of its
// block is there, or nothing was between it and what is. What a block had that is gone stands as long as the block behind it
// does, as it does while the stream is open.
func (r *Recovery) recall(rec *engine.Recovery, list []blockio.BlockInfo) {
	floor, last := rec.First(), rec.Last()
	first := uint32(0) // block: what is told of it stands
	if len(list) > 0 {
		first = list[0].ID
	}
	told := r.evidence.told
	from := len(told)
	for ; from > 0; from-- {
		lost := told[from-1]
		if lost.Block+1 < first && lost.Last+1 < floor {
			break // nor does anything before it stand
		}
		floor, first = min(floor, lost.First), min(first, lost.Block)
	}
	for _, lost := range told[from:] {
		if r.ServerWasHere { // it may have taken the end of the stream away
			lost.Last = min(lost.Last, last)
		}
		if lost.First <= lost.Last {
			rec.Lose(lost)
		}
	}
}

// ProveEnd writes where the log ends, when the stream has been stopped cleanly: its last block is sealed and
// synced.
func (f *Files) ProveEnd(last uint64) error {
	list, err := f.Blocks.List()
	if err != nil || len(list) == 0 || last == 0 {
		return err
	}
	if err := f.TellPublished(); err != nil {
		return err
	}
	b := list[len(list)-1]
	return f.Blocks.WriteEndProof(blockio.EndProof{Block: b.ID, Size: b.Size, Sequence: last, First: f.Published.Floor()})
}

// removeUnknown removes indexes that belong to no block and prove nothing.
func (r *Recovery) removeUnknown(keep map[uint32]bool) {
	n, err := r.Blocks.RemoveOrphans(func(id uint32) bool { return keep[id] })
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		r.Log.Warn("cannot remove what is left of block indexes", "error", err)
	case n > 0:
		r.Log.Info("removed what was left of block indexes", "files", n)
	}
}
