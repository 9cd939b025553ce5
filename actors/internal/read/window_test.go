package read

import (
	"bytes"
	"context"
	"hash/crc32"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// countingFS counts the reads of files.
type countingFS struct {
	blockio.FS
	reads, bytes int
}

func (c *countingFS) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	file, err := c.FS.OpenFile(name, mode)
	if err != nil {
		return nil, err
	}
	return &countingFile{file, c}, nil
}

type countingFile struct {
	blockio.File
	fs *countingFS
}

func (f *countingFile) ReadAt(p []byte, offset int64) (int, error) {
	n, err := f.File.ReadAt(p, offset)
	f.fs.reads++
	f.fs.bytes += n
	return n, err
}

// windowWorld is a block of random bytes that are taken for records of some sizes.
type windowWorld struct {
	fs      *countingFS
	data    []byte
	entries []blockindex.Record
	scan    *Scan
	part    *part
}

func newWindowWorld(t *testing.T, sizes []int) *windowWorld {
	t.Helper()
	w := &windowWorld{fs: &countingFS{FS: blocktest.NewMemFS()}}
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range sizes {
		record := make([]byte, size)
		for i := range record {
			record[i] = byte(random.Uint32())
		}
		w.entries = append(w.entries, blockindex.Record{
			Offset: int64(len(w.data)), Size: size, CRC: crc32.Checksum(record, crcTable),
		})
		w.data = append(w.data, record...)
	}
	source := NewSource(Config{
		Stream: "ORDERS", FS: w.fs, Dir: "/s", Published: engine.NewPublished(), Shared: NewShared(4, 1<<20, 1),
	})
	require.NoError(t, w.fs.MkdirAll(filepath.Dir(source.Path(1))))
	file, err := w.fs.OpenFile(source.Path(1), blockio.ModeCreate)
	require.NoError(t, err)
	_, err = file.WriteAt(w.data, 0)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	block, err := source.Blocks().Lease(blockio.BlockRef{ID: 1}, blockio.LeaseOptions{Whole: true, Keep: true})
	require.NoError(t, err)
	t.Cleanup(block.Release)
	w.part = &part{reader: &blockReader{source: source, block: block}}
	w.scan = source.NewScan(context.Background(), ScanOptions{Set: subject.Everything()}, nil)
	w.fs.reads, w.fs.bytes = 0, 0
	return w
}

// read reads records through the window, in batches as a scan does.
func (w *windowWorld) read(t *testing.T, ordinals []int) {
	t.Helper()
	w.scan.window.reset(w.part)
	for len(ordinals) > 0 {
		b := &w.scan.batch
		b.n = copy(b.ordinals[:], ordinals)
		for i := range b.n {
			b.entries[i] = w.entries[b.ordinals[i]]
		}
		b.measure(w.scan.Reverse)
		for i := range b.n {
			e := &b.entries[i]
			require.True(t, bytes.Equal(w.data[e.Offset:e.Offset+int64(e.Size)], w.scan.window.record(w.scan, i)), "record %d", b.ordinals[i])
		}
		ordinals = ordinals[b.n:]
	}
}

func repeated(size, n int) []int {
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = size
	}
	return sizes
}

// TestWindowReadsAheadWhereMostIsWanted: a scan of everything takes a read for each 256 KiB, upwards and
// downwards; one of few records reads those, and nothing of what lies between.
func TestWindowReadsAheadWhereMostIsWanted(t *testing.T) {
	const size, n = 512, 8192 // 4 MiB
	all := func(step int) (list []int) {
		for i := 0; i < n; i += step {
			list = append(list, i)
		}
		return list
	}
	reversed := func(list []int) (back []int) {
		for i := len(list) - 1; i >= 0; i-- {
			back = append(back, list[i])
		}
		return back
	}
	for _, row := range []struct {
		name               string
		reverse            bool
		ordinals           []int
		mostReads, mostKiB int
	}{
		{"all", false, all(1), n*size/windowSize + 1, n*size>>10 + windowSize>>10},
		{"all, downwards", true, reversed(all(1)), n*size/windowSize + 1, n*size>>10 + windowSize>>10},
		{"every third", false, all(3), n*size/windowSize + 1, n*size>>10 + windowSize>>10},
		{"few", false, all(100), n/100 + 1, (n/100 + 1) * size >> 10},
		{"few, downwards", true, reversed(all(100)), n/100 + 1, (n/100 + 1) * size >> 10},
		{"one", false, []int{77}, 1, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWindowWorld(t, repeated(size, n))
			w.scan.Reverse = row.reverse
			w.read(t, row.ordinals)
			require.LessOrEqual(t, w.fs.reads, row.mostReads)
			require.LessOrEqual(t, w.fs.bytes, row.mostKiB<<10)
		})
	}
}

// TestWindowTakesRecordsOfAnySize, also such as are longer than it.
func TestWindowTakesRecordsOfAnySize(t *testing.T) {
	sizes := []int{30, 3 * windowSize, 31, windowSize, windowSize + 1, 40, 2*windowSize - 1, 30}
	w := newWindowWorld(t, sizes)
	w.read(t, []int{0, 1, 2, 3, 4, 5, 6, 7})
	w.scan.Reverse = true
	w.read(t, []int{7, 6, 5, 4, 3, 2, 1, 0})
}

// TestWindowHasNothingOfARecordThatIsNotIntact: changed bytes, a place outside of the block, a size that no
// record has.
func TestWindowHasNothingOfARecordThatIsNotIntact(t *testing.T) {
	w := newWindowWorld(t, repeated(100, 10))
	for name, spoil := range map[string]func(*blockindex.Record){
		"checksum":        func(r *blockindex.Record) { r.CRC++ },
		"longer":          func(r *blockindex.Record) { r.Size++ },
		"behind the end":  func(r *blockindex.Record) { r.Offset = int64(len(w.data)) },
		"across the end":  func(r *blockindex.Record) { r.Offset = int64(len(w.data)) - 50 },
		"before the file": func(r *blockindex.Record) { r.Offset = -1 },
		"no size":         func(r *blockindex.Record) { r.Size = 0 },
		"negative size":   func(r *blockindex.Record) { r.Size = -5 },
		"huge":            func(r *blockindex.Record) { r.Size = 1 << 40 },
	} {
		for _, reverse := range []bool{false, true} {
			w.scan.Reverse = reverse
			w.scan.window.reset(w.part)
			w.scan.batch.n = 2
			w.scan.batch.entries[0], w.scan.batch.entries[1] = w.entries[4], w.entries[5]
			spoil(&w.scan.batch.entries[0])
			w.scan.batch.measure(reverse)
			require.Nil(t, w.scan.window.record(w.scan, 0), "%s, reverse %v", name, reverse)
			require.NotNil(t, w.scan.window.record(w.scan, 1), "%s, reverse %v: the next record is there", name, reverse)
		}
	}
}
