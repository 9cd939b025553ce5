package subjects

import "github.com/seed-d8b58eba/millrace/internal/seedhash"

// In a large index most of the time is spent waiting for memory: a few reads for each
// subject, each of which needs what the one before has read. The functions here do the
// same reads for many subjects side by side. Those do not depend on each other, so the
// processor waits for all of them at once. Nobody needs the sums that they return, but
// without them the compiler would leave the reads out.

// leavesAtOnce is of how many leaves the entries are fetched at once.
const leavesAtOnce = 4

// fetchEntries reads a little of every cache line of the entries of some leaves.
//
//go:noinline
func fetchEntries(leaves []*leaf) (sum uint32) {
	for _, l := range leaves {
		for i := 0; i < len(l.entries); i += 2 {
			sum += l.entries[i].count
		}
	}
	return sum
}

// Fetch brings what Stage needs for n subjects into the processor's caches; subject
// returns each of them. It changes nothing, but with a million subjects, and dozens of
// messages to store, it halves the time that this takes.
func (x *Index) Fetch(n int, subject func(i int) string) {
	for from := 0; from < n; from += subjectsAtOnce {
		var f fetcher
		for i := from; i < min(n, from+subjectsAtOnce); i++ {
			f.hashed(x, i-from, subject(i))
		}
		x.fetched += f.found(x) + f.looked(x)
	}
}

// FetchKnown is Fetch of what Stored and Removed need, for subjects with ids; some may be NoID, or of subjects that are gone.
func (x *Index) FetchKnown(ids []uint32) {
	for from := 0; from < len(ids); from += subjectsAtOnce {
		var f fetcher
		for i, id := range ids[from:min(len(ids), from+subjectsAtOnce)] {
			f.at[i], f.n = away, i+1
			if id >= x.ids.used {
				continue
			}
			if f.at[i] = *x.ids.at(id); f.at[i].staged() {
				f.fresh[i] = x.tree.leafFor(x.stagedName(f.at[i]))
			}
		}
		x.fetched += f.looked(x)
	}
}

const subjectsAtOnce = 16

// fetcher takes each of the steps that find a subject with all of its subjects, before
// the next step.
type fetcher struct {
	n     int
	sum   uint64
	hash  [subjectsAtOnce]uint32
	at    [subjectsAtOnce]location
	fresh [subjectsAtOnce]*leaf // where those that are only staged will go
}

// hashed touches where the hash table has a subject.
func (f *fetcher) hashed(x *Index, i int, subject string) {
	h := seedhash.Sum(x.seed, subject) & x.mask
	s := x.table.segment(h)
	f.sum += uint64(s.slots[s.home(h)])
	f.hash[i], f.n = h, i+1
}

// found looks for the ids, by hash alone, and touches where they are.
func (f *fetcher) found(x *Index) uint64 {
	for i, h := range f.hash[:f.n] {
		f.at[i] = away
		if id, ok := x.table.guess(h); ok {
			f.at[i] = *x.ids.at(id)
		}
	}
	return f.sum
}

// looked touches what the leaves have of the subjects.
func (f *fetcher) looked(x *Index) (sum uint64) {
	var leaves [subjectsAtOnce]*leaf
	for i, w := range f.at[:f.n] {
		if w.live() {
			leaves[i] = x.leaves.at(w.leaf()).to
			sum += uint64(leaves[i].places[w.slot()].at)
		} else if l := f.fresh[i]; l != nil {
			sum += l.sum + uint64(l.hints.low[0]) + uint64(l.hints.high[0]) + uint64(l.order[0])
			for at := 0; at < leafMax; at += 64 / 4 {
				sum += uint64(l.places[at].at)
			}
		}
	}
	for i, w := range f.at[:f.n] {
		if l := leaves[i]; l != nil {
			sum += uint64(l.entries[w.slot()].count)
			sum += l.named(w.slot())
		} else if l := f.fresh[i]; l != nil {
			sum += l.searched()
		}
	}
	return sum
}

// named touches the two parts of a name that are compared with a subject: where there are many subjects, the leaf's common prefix is
// in another cache line than the rest.
func (l *leaf) named(slot uint8) (sum uint64) {
	if l.prefix > 0 {
		sum = uint64(l.names[0])
	}
	if rest := l.rest(slot); len(rest) > 0 {
		sum += uint64(rest[0]) + uint64(rest[len(rest)-1])
	}
	return sum
}

// mostSearched is how much of the names of a leaf is fetched, in bytes: all of them, where they are of usual length.
const mostSearched = 1024

// searched touches what a leaf has for the search of a new subject's place, and for its entry.
func (l *leaf) searched() (sum uint64) {
	for at := 0; at < min(len(l.names), mostSearched); at += 64 {
		sum += uint64(l.names[at])
	}
	if n := l.len(); n > 0 {
		sum += uint64(l.entries[n-1].count)
	}
	return sum
}
