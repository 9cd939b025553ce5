package blockio

// Extraction says which messages of a block go into a copy of it.
type Extraction struct {
	// Live reports whether the message with a sequence of the block is wanted. It is called in
	// the order of the records.
	Live func(sequence uint64) bool
	// ProvesLast, if not 0, is a sequence that the copy is to account for also when no message of
	// it is wanted: a skip of the time LastTime is written then.
	ProvesLast uint64
	LastTime   int64
}

// Extract makes a block of the same number that holds the wanted messages of one and nothing
// else, in frames with marks of their own, as Compact does. data is bytes of the block, which may
// still take records: it is only read. The copy is made in memory, which is replaced when it is too
// small.
//
// Damage is gone around: the caller counts what it got, and finds in the scan what may have kept the
// rest away.
func Extract(path string, id uint32, key *RecordCodec, data, memory []byte, x Extraction) (Compacted, BlockScan) {
	w := frameWriter{key: key, data: memory[:0]}
	out := Compacted{}
	proven := uint64(0)
	scan := ScanBlock(path, id, key, data, false, func(offset int64, r Record) {
		if r.Kind != KindMessage || !x.Live(r.Sequence) {
			return
		}
		out.Messages++
		out.Bytes += int64(r.Size)
		proven = r.Sequence
		w.add(data[offset : offset+int64(r.Size)])
	})
	if proven < x.ProvesLast {
		w.add(key.AppendSkip(nil, x.ProvesLast, x.LastTime))
	}
	out.Data = w.finish()
	return out, scan
}
