package cursor

import (
	"container/heap"
	"slices"
)

// queue is a heap of entries. An entry is in one queue at most.
type queue struct {
	entries []*entry
	less    func(a, b *entry) bool
}

func (q *queue) add(e *entry) {
	e.queue = q
	heap.Push((*entryHeap)(q), e)
}

func (q *queue) remove(e *entry) {
	heap.Remove((*entryHeap)(q), e.index)
	e.queue = nil
}

// leave takes an entry out of the queue that it is in, if there is one.
func (e *entry) leave() {
	if e.queue != nil {
		e.queue.remove(e)
	}
}

// entryHeap implements heap.Interface.
type entryHeap queue

func (h *entryHeap) Len() int           { return len(h.entries) }
func (h *entryHeap) Less(i, j int) bool { return h.less(h.entries[i], h.entries[j]) }

func (h *entryHeap) Swap(i, j int) {
	h.entries[i], h.entries[j] = h.entries[j], h.entries[i]
	h.entries[i].index, h.entries[j].index = i, j
}

func (h *entryHeap) Push(x any) {
	e := x.(*entry)
	e.index = len(h.entries)
	h.entries = append(h.entries, e)
}

func (h *entryHeap) Pop() any {
	last := len(h.entries) - 1
	e := h.entries[last]
	h.entries[last] = nil
	h.entries = h.entries[:last]
	return e
}

// freeList holds sequences in descending order, so that the lowest is taken from its end. It holds each once.
type freeList []uint64

func (f *freeList) push(sequence uint64) {
	at, there := slices.BinarySearchFunc(*f, sequence, func(a, b uint64) int {
		switch {
		case a > b:
			return -1
		case a < b:
			return 1
		}
		return 0
	})
	if !there {
		*f = slices.Insert(*f, at, sequence)
	}
}

func (f *freeList) pop() uint64 {
	last := len(*f) - 1
	sequence := (*f)[last]
	*f = (*f)[:last]
	return sequence
}
