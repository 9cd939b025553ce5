package duplicates

// table finds the position of an entry by the hash of its id. It is a hash table with open
// addresses: a place is at the home of its hash, or behind it with no free place between.
type table struct {
	places []place // their number is a power of two, or 0
	used   int
}

// place is a hash and a position, or 0 when it is free. The hash is here so that to pass
// over a place, or to move it, needs no look at its entry, which would be a wait for memory.
type place uint64

const (
	taken        = uint32(1) << 31
	fewestPlaces = 8
)

func newPlace(hash, position uint32) place { return place(hash)<<32 | place(position|taken) }

func (p place) hash() uint32     { return uint32(p >> 32) }
func (p place) position() uint32 { return uint32(p) &^ taken }

// home returns where the search for a hash begins.
func (t *table) home(hash uint32) int { return int(hash) & (len(t.places) - 1) }

// after returns the place behind one.
func (t *table) after(at int) int { return (at + 1) & (len(t.places) - 1) }

func (t *table) free(at int) bool { return len(t.places) == 0 || t.places[at] == 0 }

// add adds the position of an entry.
func (t *table) add(hash, position uint32) {
	if 4*(t.used+1) > 3*len(t.places) {
		t.resize(max(2*len(t.places), fewestPlaces))
	}
	t.put(newPlace(hash, position))
	t.used++
}

func (t *table) put(p place) {
	at := t.home(p.hash())
	for !t.free(at) {
		at = t.after(at)
	}
	t.places[at] = p
}

// remove frees a place. Those behind it move up, so that there is no free place between
// them and their homes.
func (t *table) remove(at int) {
	mask := len(t.places) - 1
	for i := t.after(at); !t.free(i); i = t.after(i) {
		if home := t.home(t.places[i].hash()); (i-home)&mask >= (i-at)&mask {
			t.places[at], at = t.places[i], i
		}
	}
	t.places[at] = 0
	t.used--
}

// fit shrinks the table when few of its places are used.
func (t *table) fit() {
	if n := len(t.places); n > fewestPlaces && 8*t.used < n {
		t.resize(n / 2)
	}
}

func (t *table) resize(n int) {
	old := t.places
	t.places = make([]place, n)
	for _, p := range old {
		if p != 0 {
			t.put(p)
		}
	}
}
