package engine

// Near returns the bytes that begin with the record of a sequence, and where in the block that is. What follows the
// record, up to the next one, may be among the bytes. It returns nil where it does not know at once; then Locate tells.
//
// A message of a block in memory is loaded in some hundred nanoseconds, of which most is waiting for memory. Near reads
// of the table what is in the processor's own cache even if messages are loaded from all over a large block: offsets,
// and the sequences at the ends of chunks. Where those are as far apart as the places in the table, there is a record
// of each sequence in between.
func (t *Tail) Near(sequence uint64) (bytes []byte, offset int64) {
	if sequence < t.from {
		return nil, 0
	}
	t.touch()
	// The count first, as in Locate.
	n := int(t.visible.Load())
	chunks := t.slots.Load()
	if chunks == nil || n == 0 {
		return nil, 0
	}
	table := Table{chunks: *chunks, n: n}
	i, known := table.within(sequence)
	if !known {
		return nil, 0
	}
	offset = int64(table.offset(i))
	return t.Bytes(offset, int(int64(table.offset(i+1))-offset)), offset
}

// within returns the place of the record of a sequence, if it is in a chunk before the last one, and no sequence up to
// the end of that chunk is without a record. There is a record behind it.
func (t *Table) within(sequence uint64) (i int, known bool) {
	first := t.Sequence(0)
	d := sequence - first
	if d >= uint64(t.n) {
		return 0, false
	}
	next := int(d)/slotsPerChunk*slotsPerChunk + slotsPerChunk
	return int(d), next < t.n && t.Sequence(next) == first+uint64(next)
}
