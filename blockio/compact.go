package blockio

// compactFrame is how many bytes of records a frame of a compacted block has at most, if
// it has more than one record: where it cannot be told which lengths in a frame are wrong,
// all records of the frame are lost.
const compactFrame = 64 << 10

// A Tombstone is a record that deletes a message of its own or of another block.
type Tombstone struct {
	Sequence uint64
	Time     int64 // of the deleted message, nanoseconds since 1970
}

// Compaction says what is left of a block. All functions are called in the order of the
// records.
type Compaction struct {
	// Live reports whether the message with a sequence of the block is to stay.
	Live func(sequence uint64) bool
	// KeepTombstone reports whether a tombstone is to stay that names the sequence.
	KeepTombstone func(sequence uint64) bool
	// KeepFloor reports whether a floor is to stay that names the sequence. If it is nil,
	// all stay.
	KeepFloor func(first uint64) bool
	// ProvesLast, if not 0, is a sequence that the block is to account for also when no
	// message of it, or of a higher one, is left: a skip is written then.
	ProvesLast uint64
}

// Compacted is what a compacted block holds.
type Compacted struct {
	// Data is the bytes of the block. It is empty when nothing is left of it: the block is
	// then to be removed.
	Data     []byte
	Messages int
	Bytes    int64 // of the messages
}

// Compact makes the bytes of a block anew from data, all bytes of a block that takes no
// more records: the live messages as they are, and the tombstones and floors to keep, in
// their order, in frames with marks of their own; a mark of nothing is the last record.
// No skips, erased messages, dead messages, and records that every reader ignores are
// left. path is used in errors alone. data is only read.
//
// A block with any damage is not compacted, since a damaged record is no dead one: the
// error is a *CorruptionError then.
func Compact(path string, id uint32, key *RecordCodec, data []byte, c Compaction) (Compacted, error) {
	w := frameWriter{key: key, data: make([]byte, 0, len(data)+EmptyRecordSize)}
	out := Compacted{}
	last, lastTime := uint64(0), int64(0) // of what the block accounts for, up to ProvesLast
	proven := uint64(0)                   // by what is kept
	scan := ScanBlock(path, id, key, data, false, func(offset int64, r Record) {
		if r.Sequence > 0 && r.Sequence >= last && r.Sequence <= c.ProvesLast && r.Time != 0 {
			last, lastTime = r.Sequence, r.Time
		}
		switch r.Kind {
		case KindMessage:
			if !c.Live(r.Sequence) {
				return
			}
			out.Messages++
			out.Bytes += int64(r.Size)
			proven = r.Sequence
		case KindTombstone:
			if r.Sequence == 0 || !c.KeepTombstone(r.Sequence) {
				return
			}
		case KindFloor:
			if first, _ := r.Floor(); c.KeepFloor != nil && !c.KeepFloor(first) {
				return
			}
		default:
			return
		}
		w.add(data[offset : offset+int64(r.Size)])
	})
	if scan.DamageCount > 0 {
		return Compacted{}, scan.Damage[0]
	}
	if proven < c.ProvesLast {
		w.add(key.AppendSkip(nil, c.ProvesLast, lastTime))
	}
	out.Data = w.finish()
	return out, nil
}

// A frameWriter puts records into the frames of a block that is written anew.
type frameWriter struct {
	key   *RecordCodec
	data  []byte
	frame int    // where the mark of the frame is that is not closed yet, if open
	open  bool   // there is one
	crc   uint32 // of the lengths of all records so far
}

// add adds a record, which is copied.
func (w *frameWriter) add(record []byte) {
	if w.open && len(w.data)-w.frame-EmptyRecordSize+len(record) > compactFrame {
		w.close()
	}
	if !w.open {
		w.frame, w.open = len(w.data), true
		w.data = append(w.data, make([]byte, EmptyRecordSize)...)
	}
	w.data = append(w.data, record...)
	w.crc = LengthsCRC(w.crc, record)
}

// close writes the mark of the open frame.
func (w *frameWriter) close() {
	inside := w.frame + EmptyRecordSize
	w.key.PutFrameMark(w.data[w.frame:inside], uint32(len(w.data)-inside), w.crc)
	w.open = false
}

// finish returns the bytes of the block. The mark of nothing at their end shows that all
// before it had been durable, also when the block is the last one with anything in it.
func (w *frameWriter) finish() []byte {
	if !w.open {
		return nil
	}
	w.close()
	at := len(w.data)
	w.data = append(w.data, make([]byte, EmptyRecordSize)...)
	w.key.PutFrameMark(w.data[at:], 0, w.crc)
	return w.data
}
