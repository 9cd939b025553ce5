package blockindex

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// A plainScan counts as the engine does when it recovers, the plain way: from the
// same records, in the same words.
type plainScan struct {
	first, last       uint64
	lastTime, maxTime int64
	msgs, bytes       uint64
	timeless          bool
	tombstones        []Tombstone
	firstTime         int64
}

func (s *plainScan) record(r *blockio.Record) {
	switch r.Kind {
	case blockio.KindMessage:
		if r.Sequence <= s.last {
			return
		}
		if s.msgs == 0 {
			s.first, s.firstTime = r.Sequence, r.Time
		}
		s.msgs, s.bytes = s.msgs+1, s.bytes+uint64(r.Size)
		s.last, s.lastTime, s.timeless, s.maxTime = r.Sequence, r.Time, false, max(s.maxTime, r.Time)
	case blockio.KindSkip, blockio.KindErased:
		if r.Sequence <= s.last {
			return
		}
		if s.msgs == 0 {
			s.first = r.Sequence + 1
		}
		s.last = r.Sequence
		if s.timeless = r.Time == 0; !s.timeless {
			s.lastTime = r.Time
		}
	case blockio.KindTombstone:
		if r.Sequence > 0 {
			s.tombstones = append(s.tombstones, Tombstone{r.Sequence, r.Time})
		}
	}
}

func (s *plainScan) finish() {
	for _, t := range s.tombstones {
		if t.Sequence > s.last || t.Sequence == s.last && s.timeless {
			s.last, s.lastTime, s.timeless = t.Sequence, t.Time, false
		}
	}
}

// TestSummaryCountsAsRecovery: with records in any order of sequences.
func TestSummaryCountsAsRecovery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := blockio.NewRecordCodec("S", testBlock)
		plain, builder := plainScan{lastTime: NoTime, maxTime: math.MinInt64, firstTime: NoTime}, NewBuilder(testBlock)
		var data []byte
		for range rapid.IntRange(0, 20).Draw(t, "records") {
			sequence, when := rapid.Uint64Range(1, 30).Draw(t, "sequence"), rapid.Int64Range(0, 3).Draw(t, "time")
			at := len(data)
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				data = key.AppendSkip(data, sequence, when)
			case 1:
				data = key.AppendTombstone(data, sequence, when)
			default:
				data = key.AppendMessage(data, sequence, when, "a", nil, nil)
			}
			r, err := key.Decode(data[at:])
			require.NoError(t, err)
			plain.record(&r)
			builder.Record(data, int64(at), &r)
		}
		plain.finish()
		id := identity(testBlock, data, blockio.FileStat{Size: int64(len(data))})
		image, err := builder.Finish(id, &blockio.BlockScan{End: int64(len(data))})
		require.NoError(t, err)
		require.NoError(t, Check(image, id))
		x, err := Open(image, id, Options{})
		require.NoError(t, err)
		s := x.Summary()
		require.Equal(t, plain, plainScan{
			first: s.First, last: s.Last, lastTime: s.LastTime, maxTime: s.MaxTime, msgs: uint64(s.Messages),
			bytes: s.Bytes, timeless: s.Timeless, tombstones: plain.tombstones, firstTime: s.FirstTime,
		})
		require.Equal(t, len(plain.tombstones), s.Tombstones)
	})
}

// TestBuilderIsReused: what a builder has seen leaves no trace.
func TestBuilderIsReused(t *testing.T) {
	used := NewBuilder(1)
	for i := range 500 {
		used.Message(uint64(i+1), int64(-i), int64(40*i), make([]byte, 40), []byte(decimal(i)))
		used.Tombstone(uint64(i+1), 0)
	}
	_, err := used.Finish(Identity{Block: 1, Size: 40 * 500}, &blockio.BlockScan{End: 40 * 500})
	require.NoError(t, err)
	for _, b := range smallBlocks() {
		used.Reset(testBlock)
		for i, r := range b.record {
			used.Message(b.seq[i], r.Time, r.Offset, b.data[r.Offset:r.Offset+int64(r.Size)], []byte(b.names[i]))
		}
		for _, tomb := range b.tombs {
			used.Tombstone(tomb.Sequence, tomb.Time)
		}
		image, err := used.Finish(b.identity(), &blockio.BlockScan{End: int64(len(b.data))})
		require.NoError(t, err)
		require.Equal(t, b.image(t), image)
	}
}

func TestBuilderRefusesWhatIsNoBlock(t *testing.T) {
	record := make([]byte, 40)
	rows := map[string]func(b *Builder){
		"offset":        func(b *Builder) { b.Message(1, 0, math.MaxUint32-10, record, nil) },
		"below zero":    func(b *Builder) { b.Message(1, 0, -1, record, nil) },
		"overlap":       func(b *Builder) { b.Message(1, 0, 0, record, nil); b.Message(2, 0, 39, record, nil) },
		"short":         func(b *Builder) { b.Message(1, 0, 0, record[:29], nil) },
		"subject":       func(b *Builder) { b.Message(1, 0, 0, record, make([]byte, blockio.MaxSubjectLength+1)) },
		"behind":        func(b *Builder) { b.Message(1, 0, 80, record, nil) },
		"another block": func(b *Builder) { b.Reset(8) },
	}
	for name, row := range rows {
		b := NewBuilder(testBlock)
		row(b)
		_, err := b.Finish(Identity{Block: testBlock, Size: 100}, &blockio.BlockScan{End: 100})
		require.ErrorIs(t, err, ErrLimit, name)
	}
}

func TestPaths(t *testing.T) {
	require.Equal(t, filepath.Join("msgs", "7.bix"), Path(filepath.Join("msgs", "7.blk")))
	m := blocktest.NewMemFS()
	blocks := blockio.NewBlocks(m, "/s", "S", blockio.BlocksOptions{OnStray: func(name string) { t.Error(name) }})
	require.NoError(t, m.MkdirAll(blocks.Dir()))
	b := smallBlocks()["plain"]
	for _, suffix := range []string{"", tempSuffix} {
		require.NoError(t, Write(m, Path(blocks.Path(testBlock))+suffix, b.image(t)))
	}
	list, err := blocks.List()
	require.NoError(t, err)
	require.Empty(t, list, "neither an index nor what is left of one is a block")
}

// TestWriteFailsClean fails every operation in turn: no error leaves a file behind but
// the index that was there before.
func TestWriteFailsClean(t *testing.T) {
	b := smallBlocks()["plain"]
	image := b.image(t)
	for at := 0; ; at++ {
		m := blocktest.NewMemFS()
		require.NoError(t, m.MkdirAll("/d"))
		require.NoError(t, Write(m, "/d/7.bix", image))
		f := blocktest.NewFaultFS(m)
		f.SetHook(blocktest.FailAt(at, blocktest.ErrNoSpace))
		err := Write(f, "/d/7.bix", image)
		entries, listErr := m.ReadDir("/d")
		require.NoError(t, listErr)
		entries[0].ModTime = 0
		require.Equal(t, []blockio.Entry{{Name: "7.bix", Size: int64(len(image))}}, entries)
		if err == nil {
			require.Greater(t, at, 3)
			return
		}
		require.ErrorIs(t, err, blocktest.ErrNoSpace)
	}
}

func TestWriteRefusesWhatIsNoIndexOfASealedBlock(t *testing.T) {
	b := smallBlocks()["plain"]
	b.data = append(b.data, make([]byte, 4096)...)
	require.ErrorIs(t, Write(blocktest.NewMemFS(), "/7.bix", b.image(t)), ErrUnsealed)
	require.ErrorIs(t, Write(blocktest.NewMemFS(), "/7.bix", []byte("text")), ErrDamaged)
	err := Write(blocktest.NewMemFS(), "/none/7.bix", smallBlocks()["gaps"].image(t))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// TestIndexOfAFile goes the whole way on a real file system: block, index, mapping.
func TestIndexOfAFile(t *testing.T) {
	b := benchBlock(t, 5000, 900)
	path := filepath.Join(t.TempDir(), "7.blk")
	require.NoError(t, os.WriteFile(path, b.data, 0o600))
	file, err := blockio.OS.OpenFile(path, blockio.ModeReadWrite)
	require.NoError(t, err)
	stat, err := file.Stat()
	require.NoError(t, err)
	image, _, err := Build(path, testBlock, b.key, b.data, stat)
	require.NoError(t, err)
	require.NoError(t, Write(blockio.OS, Path(path), image))

	written, err := blockio.OS.OpenFile(Path(path), blockio.ModeRead)
	require.NoError(t, err)
	data, stretches := image, map[[2]int64]int{}
	populate := func(from, to int64) error { stretches[[2]int64{from, to}]++; return nil }
	if mapping, ok := blockio.MapFile(written, int64(len(image))); ok {
		data = mapping.Bytes()
		populate = func(from, to int64) error { stretches[[2]int64{from, to}]++; return mapping.Populate(from, to) }
		defer func() { require.NoError(t, mapping.Close()) }()
	}
	require.NoError(t, written.Close())
	id, err := IdentityOf(file, testBlock)
	require.NoError(t, err)
	x, err := Open(data, id, Options{Populate: populate})
	require.NoError(t, err)
	require.Len(t, stretches, 1, "opening looks at the header alone")
	compareAll(t, b, x)
	require.Len(t, stretches, (len(image)+populateStretch-1)/populateStretch)

	_, err = file.WriteAt([]byte{1}, 100)
	require.NoError(t, err)
	require.NoError(t, os.Chtimes(path, time.Unix(0, stat.ModTime+1000), time.Unix(0, stat.ModTime+1000)))
	id, err = IdentityOf(file, testBlock)
	require.NoError(t, err)
	_, err = Open(data, id, Options{StrictModTime: true})
	require.ErrorIs(t, err, ErrStale)
	require.NoError(t, file.Close())
}

func TestPopulateErrorsAreReturned(t *testing.T) {
	b, own := smallBlocks()["plain"], errors.New("own")
	fail := true
	opts := Options{Populate: func(int64, int64) error {
		if fail {
			return own
		}
		return nil
	}}
	_, err := Open(b.image(t), b.identity(), opts)
	require.ErrorIs(t, err, own)
	fail = false
	x, err := Open(b.image(t), b.identity(), opts)
	require.NoError(t, err)
	fail = true
	_, err = x.Record(0)
	require.ErrorIs(t, err, own)
	fail = false
	_, err = x.Record(0)
	require.NoError(t, err, "an error is not kept")
}

func TestIdentityOfFiles(t *testing.T) {
	m := blocktest.NewMemFS()
	for size := range 20 {
		file, err := m.OpenFile("/7.blk", blockio.ModeReplace)
		require.NoError(t, err)
		data := []byte(strings.Repeat("abcdefghi", 3)[:size])
		_, err = file.WriteAt(data, 0)
		require.NoError(t, err)
		id, err := IdentityOf(file, testBlock)
		require.NoError(t, err)
		stat, err := file.Stat()
		require.NoError(t, err)
		require.Equal(t, identity(testBlock, data, stat), id)
		require.Equal(t, int64(size), id.Size)
		require.Positive(t, id.ModTime)
		require.NoError(t, file.Close())
		_, err = IdentityOf(file, testBlock)
		require.Error(t, err)
	}
	f := blocktest.NewFaultFS(m)
	file, err := f.OpenFile("/7.blk", blockio.ModeRead)
	require.NoError(t, err)
	f.SetHook(blocktest.FailAt(f.Count()+1, blocktest.ErrIO))
	_, err = IdentityOf(file, testBlock)
	require.ErrorIs(t, err, blocktest.ErrIO)
}

func TestArgumentsOutOfRange(t *testing.T) {
	x := smallBlocks()["plain"].open(t)
	for _, ordinal := range []int{-1, 5, math.MaxInt} {
		_, err := x.Record(ordinal)
		require.ErrorIs(t, err, ErrRange)
		_, err = x.Sequence(ordinal)
		require.ErrorIs(t, err, ErrRange)
	}
	for _, rank := range []uint32{4, 1 << 31, EmptySubject - 1} {
		_, err := x.Info(rank)
		require.ErrorIs(t, err, ErrRange)
		_, err = x.Subject(rank, nil)
		require.ErrorIs(t, err, ErrRange)
		_, err = x.Postings(rank)
		require.ErrorIs(t, err, ErrRange)
	}
	_, err := x.Info(EmptySubject)
	require.ErrorIs(t, err, ErrRange)
	c, err := x.Postings(EmptySubject)
	require.NoError(t, err)
	require.Zero(t, c.Len())
}

// TestDamageIsInTheIndex: what a scan says of damage, an index says again.
func TestDamageIsInTheIndex(t *testing.T) {
	b := smallBlocks()["plain"]
	b.data[b.record[2].Offset+30] ^= 1
	image, scan, err := Build("7.blk", testBlock, b.key, b.data, b.stat())
	require.NoError(t, err)
	require.Equal(t, []uint64{12}, scan.Lost)
	require.NoError(t, Check(image, b.identity()))
	x, err := Open(image, b.identity(), Options{})
	require.NoError(t, err)
	s := x.Summary()
	require.Equal(t, []int{4, 2, 1, 1}, []int{s.Messages, s.Runs, s.Lost, s.Damage})
	require.Equal(t, int64(b.record[2].Size), s.LostBytes)
	require.Equal(t, b.identity(), x.Identity())
	require.NoError(t, x.Lost(func(sequence uint64) bool { return sequence == 12 }))
	ordinal, found, err := x.Ordinal(12)
	require.NoError(t, err)
	require.False(t, found)
	require.Equal(t, 2, ordinal)
}

func TestBuildOfAFileThatChanged(t *testing.T) {
	b := smallBlocks()["plain"]
	stat := b.stat()
	stat.Size++
	_, scan, err := Build("7.blk", testBlock, b.key, b.data, stat)
	require.ErrorIs(t, err, ErrStale)
	require.Equal(t, int64(len(b.data)), scan.End)
}

// TestVisitorsStop: a visitor that is false is not called again.
func TestVisitorsStop(t *testing.T) {
	b := smallBlocks()["gaps"]
	x, err := Open(imageOf(t, b, b.identity()), b.identity(), Options{})
	require.NoError(t, err)
	for _, texts := range [][]string{{">"}, {"a.*.c"}, {"a.1.c", "a.2.c"}, {"a.>", "b.1"}} {
		set, calls := mustSet(texts...), 0
		require.NoError(t, x.Walk(&set, func(uint32, []byte, SubjectInfo) bool { calls++; return false }))
		require.Equal(t, 1, calls, "%q", texts)
	}
	calls := 0
	require.NoError(t, x.Runs(func(Run) bool { calls++; return false }))
	require.NoError(t, x.Tombstones(func(Tombstone) bool { calls++; return false }))
	require.NoError(t, x.Lost(func(uint64) bool { calls++; return false }))
	require.Equal(t, 3, calls)
}

// TestReadersAtOnce: goroutines that verify the same pages get the same answers.
func TestReadersAtOnce(t *testing.T) {
	b := benchBlock(t, 2000, 300)
	image := b.image(t)
	x, err := Open(image, b.identity(), Options{Populate: func(int64, int64) error { return nil }})
	require.NoError(t, err)
	want, err := ask(b.open(t))
	require.NoError(t, err)
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			got, err := ask(x)
			if err != nil || !reflect.DeepEqual(want, got) {
				t.Error("another answer", err)
			}
		})
	}
	readers.Wait()
}

// TestPlain: an index says whether a message of its block has a header about how long it lives.
func TestPlain(t *testing.T) {
	for header, plain := range map[string]bool{
		"": true, "NATS/1.0\r\nA: b\r\n\r\n": true, "NATS/1.0\r\nNats-TTL: 500ms\r\n\r\n": true,
		"NATS/1.0\r\nA: b\r\nNats-TTL: 5\r\n\r\n": false, "NATS/1.0\r\nNats-TTL: never\r\n\r\n": false,
		"NATS/1.0\r\nKV-Operation: PURGE\r\n\r\n": false, "NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\n\r\n": false,
	} {
		codec := blockio.NewRecordCodec("S", 3)
		data := codec.AppendMessage(nil, 1, 1, "a", nil, []byte("x"))
		data = codec.AppendMessage(data, 2, 2, "a", []byte(header), []byte("x"))
		data = codec.AppendMessage(data, 3, 3, "a", nil, []byte("x"))
		image, _, err := Build("3.blk", 3, codec, data, blockio.FileStat{Size: int64(len(data))})
		require.NoError(t, err)
		h, err := openHeader(image, true)
		require.NoError(t, err)
		require.Equal(t, plain, h.sum.Plain, header)
	}
}
