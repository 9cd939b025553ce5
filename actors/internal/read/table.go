package read

import (
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// table lists the message records of a part of a block in the order of their sequences. A record is named
// by its place in the list, from 0 on. Messages of some records may be deleted: the block's view tells.
//
// indexTable takes the list from the block's index, tailTable from the memory of the block that is being
// written. An error means that the table cannot be used: the index is damaged or stale, it cannot be
// read, or the memory was dropped.
type table interface {
	// length returns how many records there are.
	length() int
	// search returns the first record at or after a sequence.
	search(sequence uint64) (int, error)
	// sequence returns the sequence of record i.
	sequence(i int) (uint64, error)
	// searchTime returns the first record, from one on, whose time is not before a time.
	searchTime(from int, time int64) (int, error)
	// mark adds those of the records from..to-1 to members that a set selects.
	mark(set *subject.Set, from, to int, members bitset) error
	// count returns how many of the records from..to-1 a set selects.
	count(set *subject.Set, from, to int) (uint64, error)
	// next returns the first of the records from..to-1 that a set selects, or to.
	next(set *subject.Set, from, to int) (int, error)
	// prev returns the last of the records from..to-1 that a set selects, or
	// from-1.
	prev(set *subject.Set, from, to int) (int, error)
	// ends calls visit for each subject that a set selects and that has records
	// among from..to-1, with the first and the last of them. The name is valid
	// until visit returns.
	ends(set *subject.Set, from, to int, visit func(name []byte, first, last int)) error
	// entries says where records are, which are given in ascending or in descending order. Those that
	// are in memory have no checksum. pass is the one of the scan that asks.
	entries(ordinals []int, into []blockindex.Record, pass *blockindex.Pass) error
	// bytes returns the bytes of record i, which are intact, valid until the next call
	// with the same buffer, and where they are in the block. The offset comes with an
	// error, too.
	bytes(i int, buffer *[]byte) (record []byte, offset int64, err error)
}
