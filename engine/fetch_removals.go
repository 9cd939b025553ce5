package engine

import "sort"

// A removal from anywhere in the stream reads the row of its message in the table of the block, then what the table
// has of the subject, then what the subject index has: each is somewhere in memory where nobody has been for long, and
// each says where the next one is. fetchRemovals takes each of these steps for several removals before the next step,
// so that the processor waits for all of them at once.

// removalsAtOnce is how many removals are fetched at once.
const removalsAtOnce = 16

// removalFetcher is the removals that are being fetched.
type removalFetcher struct {
	n      int
	tables [removalsAtOnce]*Table
	rows   [removalsAtOnce]*slot
	sum    uint64 // of what was read, so that the compiler does not leave the reads out
}

// fetchRemovals fetches what the removals among n commands need. It changes nothing.
func (e *Engine) fetchRemovals(n int, command func(i int) Command) {
	var f removalFetcher
	for i := range n {
		if c, ok := command(i).(*Remove); ok {
			f.add(e, c.Sequence)
		}
		if f.n == removalsAtOnce || i == n-1 {
			f.names(e)
			f.n = 0
		}
	}
	e.fetched += f.sum
}

// add finds where the row of a message is, if it is where it is in a table without gaps.
func (f *removalFetcher) add(e *Engine, sequence uint64) {
	i := sort.Search(len(e.blocks), func(i int) bool { return e.blocks[i].last >= sequence })
	if i == len(e.blocks) {
		return
	}
	t, loaded := e.blocks[i].table(sequence)
	if !loaded || t == nil || t.n == 0 {
		return
	}
	if d := sequence - t.Sequence(0); d < uint64(t.n) {
		f.tables[f.n], f.rows[f.n] = t, t.slot(int(d))
		f.n++
	}
}

// names reads the rows, then the names of their subjects, and then what the subject index has of these.
func (f *removalFetcher) names(e *Engine) {
	for _, row := range f.rows[:f.n] {
		f.sum += row.sequence + uint64(row.subject) // the row may be in two lines
	}
	var names [removalsAtOnce]string
	var ids [removalsAtOnce]uint32
	for i, t := range f.tables[:f.n] {
		ids[i] = noSubject
		switch number := f.rows[i].subject; {
		case number == noSubject:
		case t.names == nil:
			ids[i] = number
		case t.names.ids != nil && t.names.ids[number] != unresolved:
			ids[i] = t.names.ids[number]
		default:
			names[i] = t.names.list[number].name
		}
	}
	unknown := 0
	for _, name := range names[:f.n] {
		if name != "" {
			names[unknown] = name
			unknown++
		}
	}
	e.subjects.Fetch(unknown, func(i int) string { return names[i] })
	e.subjects.FetchKnown(ids[:f.n])
}
