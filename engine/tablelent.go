package engine

// A removal loads the table of the block that has the message. Such a table is lent: it stays for the next
// removals, until the tables of a stream that are lent have more records than mostLent. Those that nobody has
// looked at for the longest time go first.
//
// A table that a limit waits for is not lent: a limit may need several at a time, and they go with their
// blocks.

// mostLent bounds the records in lent tables, of which each takes 24 bytes and a part of its subject.
var mostLent = 1 << 20

// returnLent drops lent tables until those that stay have no more than mostLent records. That of the block
// which was loaded now stays, whatever its size.
func (e *Engine) returnLent(loaded *block) {
	records := 0
	for _, b := range e.blocks {
		records += b.lentRecords()
	}
	for records > mostLent {
		var oldest *block
		for _, b := range e.blocks {
			if b != loaded && b.lentRecords() > 0 && (oldest == nil || b.used < oldest.used) {
				oldest = b
			}
		}
		if oldest == nil {
			return
		}
		records -= oldest.lentRecords()
		oldest.returnTable()
	}
}

// returnAllLent drops all lent tables.
func (e *Engine) returnAllLent() {
	for _, b := range e.blocks {
		if b.lentRecords() > 0 {
			b.returnTable()
		}
	}
}

// lentRecords is the number of records in the table of a block, if that is lent.
func (b *block) lentRecords() int {
	if !b.lent || b.scanned == nil {
		return 0
	}
	return b.scanned.n
}

func (b *block) returnTable() { b.scanned, b.lent = nil, false }
