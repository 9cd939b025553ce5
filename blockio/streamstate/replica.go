package streamstate

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Replica is the state of a stream as a nats-server encodes it for another copy of the stream.
type Replica struct {
	Messages, Bytes uint64
	First, Last     uint64
	// Failed is a number of the server's own, which is passed through.
	Failed uint64
	// Deleted are the sequences from First to Last that have no message.
	Deleted []Range
}

// Range is the sequences from First to Last.
type Range struct{ First, Last uint64 }

// Errors of DecodeReplica.
var (
	// ErrNoReplica: the bytes do not begin as an encoded state does, of a version that is known.
	ErrNoReplica = errors.New("streamstate: not an encoded stream state")
	// ErrBadReplica: an encoded state that is cut, or contradicts itself.
	ErrBadReplica = errors.New("streamstate: corrupt encoded stream state")
)

const (
	replicaMagic = 42
	// Version 2, of nats-server 2.15, has what it knows of its sources before the deleted sequences.
	replicaVersion, replicaVersion2 = 1, 2
	runMagic                        = 33
	mostSequence                    = 1<<62 - 1
)

// deleted returns how many sequences the numbers say are deleted.
func (r *Replica) deleted() uint64 {
	if r.Last <= r.First {
		return 0
	}
	if span := r.Last - r.First + 1; span > r.Messages {
		return span - r.Messages
	}
	return 0
}

// Append appends the encoded state, as version 1. The deleted sequences ascend and are disjoint; they are written as
// runs or as sets, whichever take less room.
func (r *Replica) Append(dst []byte) []byte {
	dst = append(dst, replicaMagic, replicaVersion)
	for _, v := range [...]uint64{r.Messages, r.Bytes, r.First, r.Last, r.Failed, r.deleted()} {
		dst = binary.AppendUvarint(dst, v)
	}
	if r.deleted() == 0 {
		return dst
	}
	var set []Range // that is not written yet
	flush := func() {
		if len(set) > 0 {
			dst = NewSet(func(yield func(first, last uint64) bool) {
				for _, d := range set {
					if !yield(d.First, d.Last) {
						return
					}
				}
			}).Append(dst)
			set = nil
		}
	}
	for list := r.Deleted; len(list) > 0; {
		n, size := sameNode(list)
		head := setHeadSize
		if len(set) > 0 {
			head = 0
		}
		if size > nodeSize+head {
			set = append(set, list[:n]...)
		} else {
			flush()
			for _, d := range list[:n] {
				dst = appendRun(dst, d)
			}
		}
		list = list[n:]
	}
	flush()
	return dst
}

// sameNode returns how many ranges at the front of a list one node of a set can hold, and how many bytes they take as
// runs. The first range is one of them in any case; if it fits no node, it is the only one.
func sameNode(list []Range) (n, size int) {
	node := list[0].First / spanOfNode
	for n < len(list) && list[n].First/spanOfNode == node && list[n].Last/spanOfNode == node {
		size += len(appendRun(nil, list[n]))
		n++
	}
	if n == 0 {
		return 1, 0
	}
	return n, size
}

func appendRun(dst []byte, d Range) []byte {
	dst = binary.AppendUvarint(append(dst, runMagic), d.First)
	return binary.AppendUvarint(dst, d.Last-d.First+1)
}

// DecodeReplica decodes what Append or a nats-server has encoded. The deleted sequences of the result ascend and are
// disjoint, whatever the order was.
func DecodeReplica(data []byte) (*Replica, error) {
	if len(data) < 2 || data[0] != replicaMagic || data[1] != replicaVersion && data[1] != replicaVersion2 {
		return nil, ErrNoReplica
	}
	d := &decoder{file: "state", data: data, at: 2}
	r := &Replica{}
	for _, field := range []struct {
		to   *uint64
		what string
	}{{&r.Messages, "messages"}, {&r.Bytes, "bytes"}, {&r.First, "first sequence"}, {&r.Last, "last sequence"}, {&r.Failed, "failed"}} {
		*field.to = d.uvarint(field.what)
	}
	deleted := d.uvarint("number of deleted sequences")
	if data[1] == replicaVersion2 {
		for range d.count("sources", 3) {
			d.bytes(d.uvarint("length of a source"), "source")
			d.uvarint("sequence of a source")
			d.bytes(d.uvarint("length of an identity"), "identity")
		}
	}
	for deleted > 0 && d.err == nil && d.rest() > 0 {
		switch data[d.at] {
		case setMagic:
			for first, last := range d.set().Ranges() {
				r.Deleted = append(r.Deleted, Range{first, last})
			}
		case runMagic:
			d.at++
			if run := d.run(); d.err == nil {
				r.Deleted = append(r.Deleted, run)
			}
		default:
			d.fail("unknown item %d", data[d.at])
		}
	}
	if d.err == nil && d.rest() > 0 {
		d.fail("%d bytes too many", d.rest())
	}
	if d.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadReplica, d.err)
	}
	r.Deleted = joined(r.Deleted)
	return r, nil
}

// run takes a range of sequences, behind what says that it is one.
func (d *decoder) run() Range {
	first, count := d.uvarint("first of a run"), d.uvarint("length of a run")
	if d.err == nil && (count == 0 || first > mostSequence || count > math.MaxInt64 || first+count-1 > mostSequence) {
		d.fail("a run of %d sequences from %d", count, first)
	}
	return Range{first, first + count - 1}
}

// joined sorts ranges, and joins those that overlap or touch one another.
func joined(list []Range) []Range {
	slices.SortFunc(list, func(a, b Range) int { return cmp.Compare(a.First, b.First) })
	n := 0
	for _, r := range list {
		if n > 0 && r.First <= list[n-1].Last+1 {
			list[n-1].Last = max(list[n-1].Last, r.Last)
			continue
		}
		list[n] = r
		n++
	}
	return list[:n:n]
}
