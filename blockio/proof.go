package blockio

import (
	"encoding/binary"

	"github.com/minio/highwayhash"
)

// A prover tells where a record ends whose length field is damaged and nothing else of
// what its checksum covers: the checksum does not cover the length. It is asked for ever
// higher ends, and hashes every byte once, however many ends it is asked for.
type prover struct {
	w      *walker
	from   int
	header bool
	skip   int // where the length of the headers is, which is not hashed; 0 if it has no headers
	digest highwayhash.Digest64
	hashed int // up to here, exclusive
	off    bool
}

// newProver makes a prover for the record at from, as one with headers or without.
func newProver(w *walker, from int, header bool) prover {
	p := prover{w: w, from: from, header: header, hashed: from + headSize}
	if len(w.data)-from < EmptyRecordSize {
		p.off = true
		return p
	}
	if header {
		p.skip = p.hashed + int(binary.LittleEndian.Uint16(w.data[from+20:]))
	}
	p.digest = w.key.digest()
	_, _ = p.digest.Write(w.data[from+4 : from+20]) // a digest's Write cannot fail
	return p
}

// proves reports whether the bytes up to to are one intact record but for its length.
func (p *prover) proves(to int) bool {
	least := p.from + EmptyRecordSize
	if p.header {
		least = p.skip + 4 + checksumSize
	}
	if p.off || to < least || to-p.from > MaxRecordSize || to > len(p.w.data) {
		return false
	}
	end := to - checksumSize
	if p.w.spent.proof -= end - p.hashed + candidateCost; p.w.spent.proof < 0 {
		p.off = true
		return false
	}
	if p.header && p.hashed <= p.skip {
		_, _ = p.digest.Write(p.w.data[p.hashed:p.skip])
		p.hashed = p.skip + 4
	}
	_, _ = p.digest.Write(p.w.data[p.hashed:end])
	p.hashed = end
	digest := p.digest // asking for the sum must not end the digest
	return digest.Sum64() == binary.LittleEndian.Uint64(p.w.data[end:])
}

// whole reports whether the bytes from..to are one intact record, but for its length
// field, which the checksum does not cover.
func (w *walker) whole(from, to int) bool {
	if len(w.data)-from < EmptyRecordSize {
		return false
	}
	p := newProver(w, from, w.headerAt(from))
	return p.proves(to)
}

// headerAt reports whether the length field at from says that the record has headers.
func (w *walker) headerAt(from int) bool {
	return binary.LittleEndian.Uint32(w.data[from:])&headerFlag != 0
}

// mended returns where the record at from ends if one flipped bit of its length field is
// all that is wrong with it.
func (w *walker) mended(from, limit int) (to int, ok bool) {
	if limit-from < EmptyRecordSize {
		return 0, false
	}
	raw := binary.LittleEndian.Uint32(w.data[from:])
	size := int(raw &^ headerFlag)
	if to := from + size; size >= EmptyRecordSize && size <= MaxRecordSize && to <= limit {
		p := newProver(w, from, raw&headerFlag == 0)
		if p.proves(to) || w.whole(from, to) {
			return to, true
		}
	}
	for bit := 1; bit < headerFlag; bit <<= 1 {
		size := size ^ bit
		to := from + size
		if size < EmptyRecordSize || size > MaxRecordSize || to > limit {
			continue
		}
		if (to == limit || w.landsOnEnd(to) || w.headAt(to, limit)) && w.whole(from, to) {
			return to, true
		}
	}
	return 0, false
}

// headAt reports whether the bytes at at look like the head of a record, so that it is
// worth hashing what is before them.
func (w *walker) headAt(at, limit int) bool {
	if limit-at < EmptyRecordSize {
		return false
	}
	size := int(binary.LittleEndian.Uint32(w.data[at:]) &^ headerFlag)
	return size >= EmptyRecordSize && size <= MaxRecordSize && w.candidate(w.data[at:], size)
}

// wholeToEnd reports whether all that is left from there on is one record with a bad
// length, and where that ends.
func (w *walker) wholeToEnd(from int) (to int, ok bool) {
	if len(w.data)-from < EmptyRecordSize {
		return 0, false
	}
	p := newProver(w, from, w.headerAt(from))
	for to := w.end; to < w.end+checksumSize; to++ {
		if p.proves(to) {
			return to, true
		}
	}
	return 0, false
}
