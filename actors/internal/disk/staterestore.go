package disk

import (
	"path/filepath"
	"strings"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
	"github.com/seed-d8b58eba/millrace/engine"
)

// An index.db of Millrace says all that the blocks say, so that an opening can go on from it. It does so when every block
// is there, of the size and the modification time that it had, and no other one, and the last one ends with the same
// record: that is what a block index asks of its block, too. A block without an index is read, as nothing else would say
// later what it had if it turned out to be damaged: see tailsum.go for the last one. Otherwise the file is of no use, and proves nothing: everything in it was taken from
// the log.

// restore fills a recovery from an index.db of ours. It reports false when that is of no use. found is all that is in the
// directory of the blocks.
func (r *Recovery) restore(rec *engine.Recovery, s *streamstate.OwnState, list []blockio.BlockInfo, found []blockio.Entry) bool {
	indexed, why := r.sameBlocks(s, list, found)
	if why != "" {
		r.Log.Info("what was written of the stream is not of its blocks as they are; they are read without it", "reason", why)
		return false
	}
	last := &s.Blocks[len(s.Blocks)-1]
	r.Summed = s.Sum != 0 && r.hasSum(last, s.Sum)
	for i := range s.Blocks {
		b := &s.Blocks[i]
		if !indexed[b.ID] && !(b == last && r.Summed) && !r.isWhole(b.ID, b.Size, b.MarkCRC) {
			r.Log.Info("a block is not whole; all are read without what was written of the stream", "path", r.Blocks.Path(b.ID))
			return false
		}
	}
	if !rec.Restore(captureOf(s, indexed), s.Subjects, subjectsOf(s)) {
		r.Log.Warn("what was written of the stream contradicts itself; the blocks are read without it")
		return false
	}
	if err := r.openTail(last); err != nil {
		r.Log.Warn("cannot open the last block as it was written down; the blocks are read", "error", err)
		return false
	}
	return true
}

// subjectsOf returns a function that returns one subject of a state after the other, each until it is called again, and nil
// when there is none.
func subjectsOf(s *streamstate.OwnState) func() *engine.SubjectCapture {
	var subject streamstate.OwnSubject
	var to engine.SubjectCapture
	return func() *engine.SubjectCapture {
		if !s.Next(&subject) {
			return nil
		}
		to.Name, to.Evicted = subject.Name, subject.Flags&ownEvicted != 0
		i := &to.Info
		i.Count, i.First, i.Last, i.LastSize = subject.Messages, subject.First, subject.Last, subject.LastSize
		i.FirstExact, i.LastExact = subject.Flags&ownFirstExact != 0, subject.Flags&ownLastExact != 0
		return &to
	}
}

// openTail opens the last block for the next records, if it has room.
func (r *Recovery) openTail(b *streamstate.OwnBlock) error {
	if b.Size >= r.Config.BlockSize {
		return nil
	}
	return r.Blocks.OpenTail(b.ID, b.Size)
}

// sameBlocks returns why the blocks are not those that were written down, or else which of them have an index file.
func (r *Recovery) sameBlocks(s *streamstate.OwnState, list []blockio.BlockInfo, found []blockio.Entry) (indexed map[uint32]bool, why string) {
	if len(list) != len(s.Blocks) || len(list) == 0 {
		return nil, "other blocks"
	}
	for i := range list {
		b := &s.Blocks[i]
		if b.ID != list[i].ID || b.FileSize != list[i].Size || b.ModTime != list[i].ModTime {
			return nil, "a block has changed"
		}
		if b.Flags&ownCompressed == 0 && b.FileSize != b.Size {
			return nil, "a block was still written to"
		}
	}
	last := &s.Blocks[len(s.Blocks)-1]
	if sum, err := r.sumAt(last.ID, last.Size); err != nil || sum != s.LastSum {
		return nil, "another last record"
	}
	return r.besideBlocks(list, found)
}

// besideBlocks returns which blocks have an index file, or why more than the blocks has to be looked at.
func (r *Recovery) besideBlocks(list []blockio.BlockInfo, found []blockio.Entry) (indexed map[uint32]bool, why string) {
	names := make(map[string]bool, len(found))
	for _, e := range found {
		names[e.Name] = true
	}
	indexed = make(map[uint32]bool, len(list))
	for _, b := range list {
		if name := filepath.Base(blockindex.Path(r.Blocks.Path(b.ID))); names[name] {
			indexed[b.ID] = true
			delete(names, name)
		}
	}
	for name := range names {
		if name == blockio.LostFile || strings.HasSuffix(name, blockindex.Suffix) || strings.HasSuffix(name, blockio.UnfinishedSuffix) {
			return nil, "there is " + name
		}
	}
	return indexed, ""
}

// captureOf turns what was written down into what an engine takes.
func captureOf(s *streamstate.OwnState, indexed map[uint32]bool) *engine.Capture {
	c := &engine.Capture{
		State: engine.State{Messages: s.Messages, Bytes: s.Bytes, LastSequence: s.Last, LastTime: s.Own.LastTime},
		Floor: s.Floor, FloorBlock: s.FloorBlock, TTL: engine.TTLMode(s.TTL), Blocks: make([]engine.BlockCapture, len(s.Blocks)),
	}
	for i := range s.Blocks {
		b := &s.Blocks[i]
		has := func(flag uint64) bool { return b.Flags&flag != 0 }
		to := &c.Blocks[i]
		*to = engine.BlockCapture{
			ID: b.ID, Size: b.Size, First: b.First, Last: b.Last, LastRecord: b.LastRecord, Proves: b.Proves, FirstMessage: b.FirstMessage,
			Messages: b.Messages, Bytes: b.Bytes, FirstLive: b.FirstLive, FirstTime: b.FirstTime, FirstTimeStale: has(ownTimeStale),
			MaxTime: b.MaxTime, AgeFrom: b.AgeFrom, AgeTo: b.AgeTo, MarkCRC: b.MarkCRC, Thinned: has(ownThinned),
			Tombstones: has(ownTombstones), Compressed: has(ownCompressed), LivesKnown: has(ownLivesKnown), Indexed: indexed[b.ID],
		}
		for _, removed := range b.Removed {
			to.Removed = append(to.Removed, engine.SequenceRange(removed))
		}
		for _, l := range b.Lives {
			to.Ends = append(to.Ends, engine.LifeCapture{
				Sequence: l.Sequence, Due: l.Due, ForEver: l.Flags&ownForEver != 0, Marker: l.Flags&ownMarker != 0,
			})
		}
	}
	return c
}
