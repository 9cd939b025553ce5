package duplicates

import (
	"math"
	"time"

	"github.com/seed-d8b58eba/millrace/internal/seedhash"
)

// MaxID is how many bytes long an id may be. A message with a longer one, or an empty one,
// cannot be remembered, and whoever wants it to be has to refuse it.
const MaxID = 256

// MaxEntries bounds Limits.Entries.
const MaxEntries = 1 << 30

// Limits are the bounds of a window. If one of them is zero, nothing is remembered.
type Limits struct {
	Entries int           // of which the oldest goes when there is one more
	Age     time.Duration // after which an id is forgotten
}

// Window remembers ids of messages. It is not safe for concurrent use.
type Window struct {
	limits  Limits
	seed    uint64
	now     int64
	elapsed uint64 // by how much the clock went forward; it may wrap around

	ring  ring
	table table
}

// New returns a window without ids. seed keeps whoever chooses ids from choosing them so
// that they collide; now is the time.
func New(limits Limits, seed uint64, now int64) *Window {
	w := &Window{seed: seed, now: now}
	w.SetLimits(limits)
	return w
}

// Len returns how many entries take up memory. Some of them may be too old to count: they
// were old already when they were added behind younger ones.
func (w *Window) Len() int { return w.ring.len() }

// Look returns the sequence of the message that was stored with an id.
func (w *Window) Look(id string) (sequence uint64, ok bool) {
	if w.ring.len() == 0 {
		return 0, false
	}
	if at := w.find(seedhash.Sum(w.seed, id), id); at >= 0 {
		if e := w.ring.entry(w.table.places[at].position()); w.remembers(e) {
			return e.sequence, true
		}
	}
	return 0, false
}

// Add remembers the id of a message that was stored at a given time. It reports false, and
// remembers nothing, when that is too long ago, when the id is empty or longer than MaxID,
// and when the id is remembered with an earlier sequence, which stays. A time that is ahead
// of the clock counts as now.
//
// Sequences ascend. If one does not, those from it on have been removed by a truncate, and
// their ids are forgotten first.
func (w *Window) Add(id string, sequence uint64, stored int64) bool {
	age := uint64(0)
	if stored < w.now {
		age = uint64(w.now) - uint64(stored)
	}
	if w.limits.Entries == 0 || age >= uint64(w.limits.Age) || id == "" || len(id) > MaxID {
		return false
	}
	if w.ring.len() > 0 && sequence <= w.ring.entry(w.ring.last()).sequence {
		w.forgetFrom(sequence)
	}
	hash := seedhash.Sum(w.seed, id)
	if at := w.find(hash, id); at >= 0 {
		if w.remembers(w.ring.entry(w.table.places[at].position())) {
			return false
		}
		w.table.remove(at)
	}
	if w.ring.len() == w.limits.Entries {
		w.forgetOldest()
	}
	position := w.ring.push(entry{sequence: sequence, added: w.elapsed - age, hash: hash}, id)
	w.table.add(hash, position)
	return true
}

// Advance tells the window the time, and lets it forget what has become too old.
func (w *Window) Advance(now int64) {
	if now > w.now {
		if step := uint64(now) - uint64(w.now); step < uint64(w.limits.Age) {
			w.elapsed += step
		} else {
			w.Clear()
		}
	}
	w.now = now
	for w.ring.len() > 0 && !w.remembers(w.ring.entry(w.ring.first)) {
		w.forgetOldest()
	}
}

// SetLimits changes the bounds. What was forgotten under the old ones stays forgotten.
func (w *Window) SetLimits(limits Limits) {
	limits.Entries = min(limits.Entries, MaxEntries)
	if limits.Entries <= 0 || limits.Age <= 0 {
		limits = Limits{}
		w.Clear()
	}
	for p := w.ring.first; p != w.ring.next; p = (p + 1) & positions {
		if e := w.ring.entry(p); !w.remembers(e) {
			w.unlink(p, e)
		}
	}
	w.limits = limits
	for w.ring.len() > limits.Entries {
		w.forgetOldest()
	}
	w.Advance(w.now)
}

// Truncate forgets the ids of all sequences above one.
func (w *Window) Truncate(sequence uint64) {
	if sequence < math.MaxUint64 {
		w.forgetFrom(sequence + 1)
	}
}

// Clear forgets all ids and gives up their memory.
func (w *Window) Clear() { w.ring, w.table = ring{}, table{} }

// remembers reports whether an entry is not too old.
func (w *Window) remembers(e *entry) bool {
	return w.elapsed-e.added < uint64(w.limits.Age)
}

// find returns where in the table an id is, or a negative number.
func (w *Window) find(hash uint32, id string) int {
	for at := w.table.home(hash); !w.table.free(at); at = w.table.after(at) {
		if p := w.table.places[at]; p.hash() == hash && string(w.ring.id(p.position())) == id {
			return at
		}
	}
	return -1
}

// forgetFrom forgets the newest entries, down to a sequence.
func (w *Window) forgetFrom(sequence uint64) {
	for w.ring.len() > 0 {
		p := w.ring.last()
		e := w.ring.entry(p)
		if e.sequence < sequence {
			break
		}
		w.unlink(p, e)
		w.ring.pop()
	}
	w.table.fit()
}

func (w *Window) forgetOldest() {
	w.unlink(w.ring.first, w.ring.entry(w.ring.first))
	w.ring.shift()
	w.table.fit()
}

// unlink takes an entry out of the table. An entry whose id was added again is not in it.
func (w *Window) unlink(position uint32, e *entry) {
	for at := w.table.home(e.hash); !w.table.free(at); at = w.table.after(at) {
		if w.table.places[at].position() == position {
			w.table.remove(at)
			return
		}
	}
}
