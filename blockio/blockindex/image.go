package blockindex

import (
	"fmt"
	"math"
	"slices"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// Finish returns the image of the index: the bytes of its file. id is what the file of
// the block is now, and scan what ScanBlock found in it besides records: where they
// end, and the damage. The image is the caller's. The error wraps ErrLimit: records
// that are not within the block or not in file order, another block, 4 GiB or more.
func (b *Builder) Finish(id Identity, scan *blockio.BlockScan) ([]byte, error) {
	if b.err == nil && (id.Block != b.block || scan.End < b.end || scan.End > id.Size || id.Size > math.MaxUint32) {
		b.err = fmt.Errorf("%w: %d bytes of records in block %d, indexed as %d, with %d bytes",
			ErrLimit, scan.End, id.Block, b.block, id.Size)
	}
	if b.err != nil {
		return nil, b.err
	}
	b.rankSubjects()
	h := &header{id: id, sum: b.sum, overflow: uint32(len(b.dict.overflow))}
	s := &h.sum
	s.settle(b.extras)
	s.End, s.LostBytes = scan.End, scan.LostBytes
	s.Messages, s.Subjects, s.Runs = len(b.records), len(b.subjects), len(b.runs)
	s.Tombstones, s.Lost, s.Damage = len(b.extras), len(scan.Lost), scan.DamageCount
	h.pages = uint32(h.place(uint32(len(b.dict.dict)/PageSize), uint32(len(b.dict.dir)/PageSize)))

	image := make([]byte, int(h.pages)*PageSize)
	h.encode(image)
	copy(section(image, h, kindDictionary), b.dict.dict)
	copy(section(image, h, kindDirectory), b.dict.dir)
	b.putRecords(section(image, h, kindRecords))
	b.putPostings(section(image, h, kindPostings))
	b.putExtras(image, h, scan.Lost)
	seal(image, &id)
	return image, nil
}

func section(image []byte, h *header, kind int) []byte {
	return image[int(h.start[kind])*PageSize : int(h.start[kind+1])*PageSize]
}

// rankSubjects sorts the subjects and lays out the dictionary.
func (b *Builder) rankSubjects() {
	n := len(b.subjects)
	b.order = slices.Grow(b.order[:0], n)[:n]
	b.rank = slices.Grow(b.rank[:0], n)[:n]
	b.next = slices.Grow(b.next[:0], n)[:n]
	b.sorter.sort(b.names, b.subjects, b.order)
	start := uint32(0)
	for rank, number := range b.order {
		b.rank[number], b.next[rank] = uint32(rank), start
		start += b.subjects[number].count
	}
	b.dict.write(b)
}

// entries goes over the entries of a section, page by page: put gets the bytes of
// entry i.
func entries(pages []byte, kind, n, size int, put func(i int, entry []byte)) {
	perPage := payloadSize / size
	for i := 0; i < n; pages = pages[PageSize:] {
		count := min(perPage, n-i)
		initPage(pages, kind, count)
		for at := pageHead; count > 0; at, count, i = at+size, count-1, i+1 {
			put(i, pages[at:at+size])
		}
	}
}

func (b *Builder) putRecords(pages []byte) {
	entries(pages, kindRecords, len(b.records), recordSize, func(i int, entry []byte) {
		b.pace.step()
		r := &b.records[i]
		subject := r.subject
		if subject != EmptySubject {
			subject = b.rank[subject]
		}
		_ = entry[recordSize-1]
		put32(entry, r.offset)
		put32(entry[4:], r.size)
		put32(entry[8:], r.crc)
		put32(entry[12:], subject)
		put64(entry[16:], uint64(r.time))
	})
}

// putPostings puts the ordinal of each message where the list of its subject goes on.
func (b *Builder) putPostings(pages []byte) {
	entries(pages, kindPostings, len(b.records), postingSize, func(int, []byte) {})
	empty := uint32(len(b.records) - b.sum.Empty)
	for ordinal := range b.records {
		b.pace.step()
		at := &empty
		if subject := b.records[ordinal].subject; subject != EmptySubject {
			at = &b.next[b.rank[subject]]
		}
		put32(pages[postingAt(*at):], uint32(ordinal))
		*at++
	}
}

// postingAt is where a posting is in its section.
func postingAt(i uint32) int {
	return int(i/postingsPerPage)*PageSize + pageHead + int(i%postingsPerPage)*postingSize
}

func (b *Builder) putExtras(image []byte, h *header, lost []uint64) {
	if len(b.runs) > 1 {
		entries(section(image, h, kindRuns), kindRuns, len(b.runs), runSize, func(i int, entry []byte) {
			put64(entry, b.runs[i].Sequence)
			put32(entry[8:], uint32(b.runs[i].Ordinal))
		})
	}
	overflow, rest := section(image, h, kindOverflow), b.dict.overflow
	for ; len(rest) > 0; overflow = overflow[PageSize:] {
		n := copy(overflow[pageHead:PageSize], rest)
		initPage(overflow, kindOverflow, n)
		rest = rest[n:]
	}
	entries(section(image, h, kindTombstones), kindTombstones, len(b.extras), tombstoneSize, func(i int, entry []byte) {
		put64(entry, b.extras[i].Sequence)
		put64(entry[8:], uint64(b.extras[i].Time))
	})
	entries(section(image, h, kindLost), kindLost, len(lost), lostSize, func(i int, entry []byte) {
		put64(entry, lost[i])
	})
}
