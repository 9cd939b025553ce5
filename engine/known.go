package engine

// KnownBlock is a block of which all that is to be known is in memory, so that neither it nor its index need be read.
type KnownBlock struct {
	ID   uint32
	Size int64 // of the block's records
	Scan *Scan
}

// known returns what the index of a block says, nil where not all of that is in memory. It is for blocks that are as plain
// as those of a log of another program: messages of a few subjects and nothing else, one sequence after the other, of which
// none was removed or lost, and none has a life of its own.
//
// The time of the last message is not kept for each block. Another block is to be behind this one that shows a later one.
func (e *Engine) known(b *block) *Scan {
	if b.few == nil || !b.sealed || b.msgs == 0 || b.last-b.firstMsg+1 != b.msgs || b.thinned || b.tombstones || b.id == e.floor.block ||
		b.damaged || b.allLost || b.odd || b.lives != nil || b.unseen > 0 {
		return nil
	}
	s := NewIndexedScan(b.id, IndexSummary{
		Size: b.size, Messages: b.msgs, Bytes: b.bytes, First: b.firstMsg, Last: b.last,
		FirstTime: b.firstTime, LastTime: b.maxTime, MaxTime: b.maxTime, Plain: true,
	})
	s.minTime, s.compressed = b.times.Lowest(), b.compressed
	for i := range b.few.list[:b.few.n] {
		f := &b.few.list[i]
		s.Subject(e.subjects.AppendName(nil, f.subject), uint64(f.count), f.first, f.sequence, f.size)
	}
	return s
}
