package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// disk holds block files the way an operating system does: what was written, and
// what of it survives power loss.
type disk struct {
	current map[uint32][]byte // as the process sees it
	durable map[uint32][]byte // as it is after power loss
	pending []change          // from durable to current, in order
	calls   int
	fault   func(call int, what string) error // called before each operation
	// point, when set, is called where the power might go.
	point func(what string)
}

type change struct {
	kind   byte // c create, w write, t truncate, r remove, a all of parts
	block  uint32
	offset int64
	data   []byte
	parts  []change
}

func newDisk() *disk {
	return &disk{current: map[uint32][]byte{}, durable: map[uint32][]byte{}}
}

var errNoFile = errors.New("no such block")

func (c change) apply(files map[uint32][]byte) {
	data, ok := files[c.block]
	switch {
	case c.kind == 'a':
		for _, part := range c.parts {
			part.apply(files)
		}
	case c.kind == 'c':
		files[c.block] = []byte{}
	case !ok: // the file was not created, or is gone
	case c.kind == 'w':
		if short := c.offset - int64(len(data)); short > 0 {
			data = append(slices.Clone(data), make([]byte, short)...)
		}
		files[c.block] = append(slices.Clone(data[:c.offset]), c.data...)
	case c.kind == 't':
		files[c.block] = slices.Clone(data[:min(c.offset, int64(len(data)))])
	case c.kind == 'r':
		delete(files, c.block)
	}
}

func (d *disk) change(c change) {
	c.apply(d.current)
	d.pending = append(d.pending, c)
}

// run carries out one operation: its changes, then its sync.
func (d *disk) run(what string, sync bool, block uint32, changes ...change) error {
	d.calls++
	if d.fault != nil {
		if err := d.fault(d.calls, what); err != nil {
			return err
		}
	}
	d.reach("before " + what)
	for _, c := range changes {
		if _, ok := d.current[c.block]; !ok && c.kind != 'c' {
			return fmt.Errorf("%s: %w", what, errNoFile)
		}
		d.change(c)
	}
	d.reach("within " + what)
	if sync {
		if _, ok := d.current[block]; !ok && (len(changes) == 0 || changes[0].kind != 'r') {
			return fmt.Errorf("%s: %w", what, errNoFile)
		}
		d.sync(block)
	}
	return nil
}

func (d *disk) reach(what string) {
	if d.point != nil {
		d.point(what)
	}
}

// sync makes what was done to one block durable.
func (d *disk) sync(block uint32) {
	d.pending = slices.DeleteFunc(d.pending, func(c change) bool {
		if c.block == block {
			c.apply(d.durable)
			return true
		}
		return false
	})
}

// inOrder reports whether nothing is durable that was written behind something that is not.
func (d *disk) inOrder() bool {
	for _, c := range d.pending {
		for block, data := range d.durable {
			if block > c.block && len(data) > 0 {
				return false
			}
		}
	}
	return true
}

// crash returns the disk as it may be after power loss: keep decides about each
// change that was not synced.
func (d *disk) crash(keep func() bool) *disk {
	files := maps.Clone(d.durable)
	for _, c := range d.pending {
		if keep() {
			c.apply(files)
		}
	}
	return &disk{current: files, durable: maps.Clone(files)}
}

func dropAll() bool { return false }
func keepAll() bool { return true }

func keepSome(seed uint64) func() bool {
	r := rand.New(rand.NewPCG(seed, 1))
	return func() bool { return r.IntN(2) == 0 }
}

// blocks returns the numbers of the files, ascending.
func (d *disk) blocks() []uint32 { return slices.Sorted(maps.Keys(d.current)) }

// find returns the message with a sequence in a block. Like recovery it takes a
// record whose sequence is not above all before it for none.
func (d *disk) find(block uint32, sequence uint64) (found record, ok bool) {
	last := uint64(0)
	walk(block, d.current[block], func(_ int64, r record) {
		if r.kind == 'g' || r.kind == 't' || r.kind == 'f' || r.sequence <= last {
			return
		}
		if last = r.sequence; r.kind == 'm' && r.sequence == sequence {
			found, ok = r, true
		}
	})
	return found, ok
}

// equal reports whether two disks hold the same.
func (d *disk) equal(other *disk) bool {
	return maps.EqualFunc(d.current, other.current, bytes.Equal)
}
