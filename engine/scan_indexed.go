package engine

import (
	"slices"
	"unsafe"

	"github.com/seed-d8b58eba/millrace/engine/stamps"
	"github.com/seed-d8b58eba/millrace/engine/subjects"
)

// IndexSummary is what a block index says of its block as a whole.
type IndexSummary struct {
	Size                int64           // of the block's records
	Messages, Bytes     uint64          // message records, and the sum of their sizes
	First, Last         uint64          // sequences of the first message, and the highest accounted for
	FirstTime, LastTime int64           // of the first message, and as Scan counts it of the last record
	MaxTime             int64           // highest time of a message
	TimesAscend         bool            // no message has an earlier time than the one before
	Timeless            bool            // the last record was of an erased message
	Deleted             []SequenceRange // from First to Last, ascending and disjoint
	Tombstones          []Tombstone
	Floor               uint64   // all messages below are removed; 0 when the block has no floor
	Lost                []uint64 // sequences of damaged records, as far as they are known
	LostBytes           int64
	Plain               bool // no message has a life of its own, nor is it a marker
}

// indexedSubjects is the subjects of a block, as its block index lists them.
type indexedSubjects struct {
	names []byte
	ends  []int // of each name
	sums  []nameSum
}

// NewIndexedScan returns the scan of a sealed block that has messages, filled from its
// block index. Such a scan has no table.
func NewIndexedScan(id uint32, x IndexSummary) *Scan {
	minTime := stamps.None
	if x.TimesAscend {
		minTime = x.FirstTime
	}
	n := len(x.Deleted)
	shown := n > 0 && x.Deleted[n-1].Last == x.Last && slices.ContainsFunc(x.Tombstones, func(t Tombstone) bool { return t.Sequence == x.Last })
	return &Scan{
		id: id, size: x.Size, first: x.First, firstMsg: x.First, firstTime: x.FirstTime,
		last: x.Last, lastRecord: x.Last, lastUnsure: shown, lastTime: x.LastTime, minTime: minTime, maxTime: x.MaxTime, timeless: x.Timeless,
		msgs: x.Messages, bytes: x.Bytes, deleted: x.Deleted, tombstones: x.Tombstones, floor: x.Floor,
		lost: x.Lost, lostBytes: x.LostBytes, livesKnown: x.Plain, index: &indexedSubjects{},
	}
}

// Subject adds a subject of the block: the number of its messages, the sequences
// of the first and the last, and the size of the last.
func (s *Scan) Subject(name []byte, count, first, last uint64, size uint32) {
	x := s.index
	x.names = append(x.names, name...)
	x.ends = append(x.ends, len(x.names))
	x.sums = append(x.sums, nameSum{count, first, last, size})
}

// countSubjects adds the subjects of the block to the subject index, and returns them where they are few.
func (s *Scan) countSubjects(index *subjects.Index) (few *fewSubjects) {
	if x := s.index; x != nil {
		few = fewOf(len(x.ends))
		start := 0
		for i, end := range x.ends {
			// The subject index keeps a copy of the name, and not the name.
			name := unsafe.String(unsafe.SliceData(x.names[start:]), end-start)
			sum := &x.sums[i]
			few.add(index.Add(name, sum.count, sum.first, sum.last, true, sum.size), *sum)
			start = end
		}
		s.index = &indexedSubjects{}
		return few
	}
	few = fewOf(len(s.table.names.list))
	for i := range s.table.names.list {
		sum := &s.table.names.list[i]
		few.add(index.Add(sum.name, sum.count, sum.first, sum.last, true, sum.size), sum.nameSum)
	}
	return few
}
