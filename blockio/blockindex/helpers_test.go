package blockindex

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

const testBlock = 7

// A block is the bytes of a block with what a reader of them must find, kept the
// plain way.
type block struct {
	key    *blockio.RecordCodec
	data   []byte
	record []Record // Subject is set by naive
	seq    []uint64
	names  []string
	tombs  []Tombstone
}

func newBlock() *block { return &block{key: blockio.NewRecordCodec("S", testBlock)} }

func (b *block) message(sequence uint64, time int64, name string, payload string) {
	at := len(b.data)
	b.data = b.key.AppendMessage(b.data, sequence, time, name, nil, []byte(payload))
	record := b.data[at:]
	b.record = append(b.record, Record{Offset: int64(at), Size: len(record), CRC: crcOf(record), Time: time})
	b.seq, b.names = append(b.seq, sequence), append(b.names, name)
}

func (b *block) tombstone(sequence uint64, time int64) {
	b.data = b.key.AppendTombstone(b.data, sequence, time)
	b.tombs = append(b.tombs, Tombstone{sequence, time})
}

func (b *block) skip(sequence uint64, time int64) { b.data = b.key.AppendSkip(b.data, sequence, time) }

func (b *block) stat() blockio.FileStat {
	return blockio.FileStat{Size: int64(len(b.data)), ModTime: 1234567}
}

func (b *block) identity() Identity { return identity(testBlock, b.data, b.stat()) }

func (b *block) image(t require.TestingT) []byte {
	image, scan, err := Build("7.blk", testBlock, b.key, b.data, b.stat())
	require.NoError(t, err)
	require.Zero(t, scan.DamageCount)
	return image
}

func (b *block) open(t require.TestingT) *Index {
	x, err := Open(b.image(t), b.identity(), Options{})
	require.NoError(t, err)
	return x
}

// subjects returns the different subjects, sorted, without the empty one.
func (b *block) subjects() []string {
	names := slices.Clone(b.names)
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > 0 && names[0] == "" {
		names = names[1:]
	}
	return names
}

// postings returns the ordinals of the messages of a subject.
func (b *block) postings(name string) (ordinals []int) {
	for i, other := range b.names {
		if other == name {
			ordinals = append(ordinals, i)
		}
	}
	return ordinals
}

func (b *block) info(name string) SubjectInfo {
	list := b.postings(name)
	last := list[len(list)-1]
	return SubjectInfo{Count: len(list), First: list[0], Last: last, LastSize: b.record[last].Size}
}

// A found is what Walk visits of one subject.
type found struct {
	rank uint32
	name string
	info SubjectInfo
}

// matches returns what Walk must visit.
func (b *block) matches(set *subject.Set) (all []found, messages uint64) {
	if set.Match(nil) && len(b.postings("")) > 0 {
		all = append(all, found{EmptySubject, "", b.info("")})
	}
	for rank, name := range b.subjects() {
		if set.Match([]byte(name)) {
			all = append(all, found{uint32(rank), name, b.info(name)})
		}
	}
	for _, f := range all {
		messages += uint64(f.info.Count)
	}
	return all, messages
}

func walked(x *Index, set *subject.Set) (all []found, err error) {
	err = x.Walk(set, func(rank uint32, name []byte, info SubjectInfo) bool {
		all = append(all, found{rank, string(name), info})
		return true
	})
	return all, err
}

// An answers is everything that an index says, for comparing.
type answers struct {
	summary Summary
	records []Record
	passed  []Record // the same, of a Pass
	seq     []uint64
	runs    []Run
	tombs   []Tombstone
	lost    []uint64
	walk    []found
	names   []string
	post    [][]int
	other   []int // what is counted, and what is found by searching
}

// ask calls every method that has something to say, and stops at the first error.
func ask(x *Index) (a answers, err error) {
	a.summary = x.Summary()
	for i := range x.Len() {
		r, err := x.Record(i)
		if err != nil {
			return a, err
		}
		sequence, err := x.Sequence(i)
		if err != nil {
			return a, err
		}
		a.records, a.seq = append(a.records, r), append(a.seq, sequence)
	}
	for _, call := range []func() error{
		func() error { a.passed, err = passed(x, new(Pass), ordinalsBy(x.Len(), 1)); return err },
		func() error { return x.Runs(func(r Run) bool { a.runs = append(a.runs, r); return true }) },
		func() error {
			return x.Tombstones(func(t Tombstone) bool { a.tombs = append(a.tombs, t); return true })
		},
		func() error { return x.Lost(func(s uint64) bool { a.lost = append(a.lost, s); return true }) },
		func() error { all := subject.Everything(); a.walk, err = walked(x, &all); return err },
		func() error {
			set := subject.NewSet(subject.Compile("a.*.c"), subject.Compile("b.>"))
			n, err := x.Count(&set)
			a.other = append(a.other, int(n))
			return err
		},
		func() error { n, err := x.SearchTime(50); a.other = append(a.other, n); return err },
		func() error {
			n, _, err := x.Ordinal(x.Summary().LastMessage / 2)
			a.other = append(a.other, n)
			return err
		},
	} {
		if err := call(); err != nil {
			return a, err
		}
	}
	for rank := range uint32(a.summary.Subjects) {
		name, err := x.Subject(rank, nil)
		if err != nil {
			return a, err
		}
		if _, _, err := x.Lookup(name); err != nil {
			return a, err
		}
		if _, err := x.Info(rank); err != nil {
			return a, err
		}
		list, err := listed(x, rank)
		if err != nil {
			return a, err
		}
		a.names, a.post = append(a.names, string(name)), append(a.post, list)
		found, err := sought(x, rank)
		if err != nil {
			return a, err
		}
		a.other = append(a.other, found...)
	}
	list, err := listed(x, EmptySubject)
	a.post = append(a.post, list)
	return a, err
}

// ordinalsBy returns every so many of n ordinals.
func ordinalsBy(n, step int) (list []int) {
	for i := 0; i < n; i += step {
		list = append(list, i)
	}
	return list
}

// passed is what a pass reads of some records, 64 at a time.
func passed(x *Index, p *Pass, ordinals []int) (all []Record, err error) {
	var some [64]Record
	for len(ordinals) > 0 {
		n := min(len(ordinals), len(some))
		if err := p.Records(x, ordinals[:n], some[:]); err != nil {
			return nil, err
		}
		all, ordinals = append(all, some[:n]...), ordinals[n:]
	}
	return all, nil
}

// sought is what a cursor finds by searching.
func sought(x *Index, rank uint32) ([]int, error) {
	c, err := x.Postings(rank)
	if err != nil {
		return nil, err
	}
	after, _, err := c.SeekAtLeast(2)
	if err != nil {
		return nil, err
	}
	before, _, err := c.SeekAtMost(x.Len() / 2)
	if err != nil {
		return nil, err
	}
	last, _, err := c.Prev()
	return []int{after, before, last}, err
}

func listed(x *Index, rank uint32) (list []int, err error) {
	c, err := x.Postings(rank)
	if err != nil {
		return nil, err
	}
	for {
		ordinal, ok, err := c.Next()
		if err != nil || !ok {
			return list, err
		}
		list = append(list, ordinal)
	}
}

func mustSet(texts ...string) subject.Set {
	var patterns []subject.Pattern
	for _, text := range texts {
		patterns = append(patterns, subject.Compile(text))
	}
	return subject.NewSet(patterns...)
}

func benchNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "orders.region." + string(rune('a'+i%7)) + "." + decimal(i*7919%1000003) + ".created"
	}
	return names
}

func decimal(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return decimal(n/10) + string(rune('0'+n%10))
}

// benchBlock has n messages of about 160 bytes on some subjects.
func benchBlock(t testing.TB, n, subjects int) *block {
	t.Helper()
	b := newBlock()
	names := benchNames(subjects)
	payload := string(bytes.Repeat([]byte("x"), 160-30-len(names[0])))
	for i := range n {
		b.message(uint64(i+1), int64(i), names[i*31%subjects], payload)
	}
	return b
}

func equalAnswers(a, b answers) bool { return reflect.DeepEqual(a, b) }
