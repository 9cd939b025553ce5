package disk

import (
	"container/heap"

	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// postings goes over the messages of several subjects of a block index, in order of their place in it.
type postings struct{ list []posting }

// posting is the messages of one subject, and the next of them.
type posting struct {
	name   []byte
	cursor blockindex.Cursor
	next   int
}

// collect adds the subjects that a filter selects.
func (p *postings) collect(x *blockindex.File, filter *subject.Set) error {
	var broken error
	err := x.Walk(filter, func(rank uint32, name []byte, _ blockindex.SubjectInfo) bool {
		if rank == blockindex.EmptySubject {
			return true
		}
		one := posting{name: append([]byte(nil), name...)}
		if one.cursor, broken = x.Postings(rank); broken != nil {
			return false
		}
		var ok bool
		if one.next, ok, broken = one.cursor.Next(); ok {
			p.list = append(p.list, one)
		}
		return broken == nil
	})
	if err == nil {
		err = broken
	}
	return err
}

// inOrder visits the messages, ascending.
func (p *postings) inOrder(visit func(ordinal int, name []byte) error) error {
	heap.Init(p)
	for len(p.list) > 0 {
		top := &p.list[0]
		if err := visit(top.next, top.name); err != nil {
			return err
		}
		next, ok, err := top.cursor.Next()
		switch {
		case err != nil:
			return err
		case ok:
			top.next = next
			heap.Fix(p, 0)
		default:
			heap.Pop(p)
		}
	}
	return nil
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (p *postings) Len() int           { return len(p.list) }
func (p *postings) Less(i, j int) bool { return p.list[i].next < p.list[j].next }
func (p *postings) Swap(i, j int)      { p.list[i], p.list[j] = p.list[j], p.list[i] }
func (p *postings) Push(x any)         { p.list = append(p.list, x.(posting)) }

func (p *postings) Pop() any {
	last := p.list[len(p.list)-1]
	p.list = p.list[:len(p.list)-1]
	return last
}
