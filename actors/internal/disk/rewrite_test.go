package disk

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"io/fs"
	"log/slog"
	mathrand "math/rand"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/engine"
)

// lender lends slices without a bound.
type lender struct{}

func (lender) Get() []byte      { return make([]byte, engine.BufferSize) }
func (lender) Put([]byte, bool) {}
func (lender) Tight() bool      { return false }

func testConfig() engine.Config {
	return engine.Config{BlockSize: 1 << 20, Codec: Codec("ORDERS"), Buffers: lender{}, IndexFrom: -1}
}

// even keeps the messages of even sequences, and the tombstones of others.
var even = blockio.Compaction{
	Live:          func(sequence uint64) bool { return sequence%2 == 0 },
	KeepTombstone: func(sequence uint64) bool { return sequence%2 > 0 },
}

// compactIt compacts a block, and returns the scan of what is left.
func compactIt(f *Files, id uint32, generation uint64, c blockio.Compaction, compress bool) (*engine.Scan, error) {
	scan, _, err := f.compact(id, generation, c, compress)
	return scan, err
}

// withIndex returns the files of a stream with block 1, messages 1 to 20, and its index.
func withIndex(t *testing.T, fsys blockio.FS) *Files {
	t.Helper()
	f := newTestFiles(t, fsys)
	writeBlock(t, f, 1, 1, 20, true)
	written, err := f.WriteIndex(1, nil)
	require.NoError(t, err)
	require.True(t, written)
	return f
}

func indexOf(f *Files, id uint32) string { return blockindex.Path(f.Blocks.Path(id)) }

// TestCompactWritesTheBlockAnew: the scan is of what the file has then, and its index is gone.
func TestCompactWritesTheBlockAnew(t *testing.T) {
	f := withIndex(t, blocktest.NewMemFS())
	scan, err := compactIt(f, 1, 5, even, false)
	require.NoError(t, err)
	require.Equal(t, uint64(10), scan.Messages())
	require.False(t, exists(t, f.FS, indexOf(f, 1)))
	data, _, err := f.readAll(1, nil)
	require.NoError(t, err)
	for i := range scan.Table().Len() {
		info := scan.Table().At(i)
		r, err := f.Blocks.Codec(1).Decode(data[info.Offset:])
		require.NoError(t, err)
		require.Equal(t, info.Sequence, r.Sequence)
		require.Equal(t, uint64(2*i+2), r.Sequence)
	}
	written, err := f.WriteIndex(1, nil)
	require.NoError(t, err)
	require.True(t, written)
	s, err := f.scanFromIndex(1)
	require.NoError(t, err)
	require.Equal(t, uint64(10), s.scan.Messages())

	scan, err = compactIt(f, 1, 6, blockio.Compaction{Live: func(uint64) bool { return false }}, false)
	require.NoError(t, err)
	require.Nil(t, scan)
	left, _, err := f.readAll(1, nil)
	require.NoError(t, err)
	require.Equal(t, data, left, "nothing would be left: it stays, to be removed")
	require.True(t, exists(t, f.FS, indexOf(f, 1)))
}

// TestCompactForWritesTheIndexAsWell, from the bytes in memory: the same as is made of the file. Without one the block is as good.
func TestCompactForWritesTheIndexAsWell(t *testing.T) {
	for name, row := range map[string]struct {
		from    int64
		fails   bool
		indexed bool
	}{
		"from the first byte":   {from: 1, indexed: true},
		"of a block as long":    {from: 2*blockio.EmptyRecordSize + 10*47, indexed: true},
		"of a longer one":       {from: 2*blockio.EmptyRecordSize + 10*47 + 1},
		"never":                 {from: -1},
		"when it is not stored": {from: 1, fails: true},
	} {
		for _, compress := range []bool{true, false} {
			faults := blocktest.NewFaultFS(blocktest.NewMemFS())
			f := newTestFiles(t, faults)
			writeBlock(t, f, 1, 1, 20, true)
			faults.SetHook(func(op blocktest.Op) blocktest.Fault {
				if row.fails && op.Kind == blocktest.OpWrite && strings.Contains(op.Name, blockindex.Suffix) {
					return blocktest.Fault{Err: blocktest.ErrNoSpace}
				}
				return blocktest.Fault{}
			})
			done, kept := f.CompactFor(engine.Work{ID: 7, Block: 1, Compaction: &engine.Compaction{
				Generation: 5, Live: even.Live, KeepTombstone: even.KeepTombstone, Compress: compress, IndexFrom: row.from,
			}})
			faults.SetHook(nil)
			require.NoError(t, kept, name)
			require.NoError(t, done.Err, name)
			require.Equal(t, engine.WorkID(7), done.ID)
			require.Equal(t, uint64(10), done.Scan.Messages(), name)
			require.Equal(t, row.indexed, done.Indexed, name)
			require.Empty(t, f.building)
			require.Equal(t, row.indexed, exists(t, f.FS, indexOf(f, 1)), name)
			if !row.indexed {
				continue
			}
			made, err := blockio.ReadFile(f.FS, indexOf(f, 1), 1<<20)
			require.NoError(t, err)
			written, err := f.WriteIndex(1, nil)
			require.NoError(t, err)
			require.True(t, written)
			again, err := blockio.ReadFile(f.FS, indexOf(f, 1), 1<<20)
			require.NoError(t, err)
			require.Equal(t, again, made, name)
		}
	}
}

// TestWhatAnIndexSpeaksAgainstIsNotCompacted: damage that the block does not show, and a loss that nobody was
// told of.
func TestWhatAnIndexSpeaksAgainstIsNotCompacted(t *testing.T) {
	const record = 47
	for name, damage := range map[string]func(data []byte) []byte{
		"a longer subject": func(data []byte) []byte {
			binary.LittleEndian.PutUint16(data[3*record+20:], 12)
			return data
		},
		"cut at the end of a record": func(data []byte) []byte { return data[:15*record] },
		"a flipped bit":              func(data []byte) []byte { data[5*record+40] ^= 4; return data },
	} {
		m := blocktest.NewMemFS()
		f := withIndex(t, m)
		before, _, err := f.readAll(1, nil)
		require.NoError(t, err)
		require.Len(t, before, 20*record)
		require.NoError(t, m.Rot(f.Blocks.Path(1), func(held []byte) []byte { return damage(bytes.Clone(held)) }))
		before, _, err = f.readAll(1, nil)
		require.NoError(t, err)
		_, err = compactIt(f, 1, 5, even, false)
		require.ErrorIs(t, err, blockio.ErrCorrupt, name)
		require.ErrorContains(t, err, f.Blocks.Path(1), name)
		after, _, err := f.readAll(1, nil)
		require.NoError(t, err)
		require.Equal(t, before, after, name)
		require.True(t, exists(t, f.FS, indexOf(f, 1)), name)
	}
}

// TestAnIndexIsOfTheBlockThatIsThere: a block that is rewritten, or of which a message is erased, while its index
// is being made is read again.
func TestAnIndexIsOfTheBlockThatIsThere(t *testing.T) {
	for name, change := range map[string]func(f *Files) error{
		"compacted": func(f *Files) error { _, err := compactIt(f, 1, 5, even, false); return err },
		"cut":       func(f *Files) error { _, _, err := f.Cut(1, 5, 94, 2); return err },
		"erased":    func(f *Files) error { return f.Erase(1, 2, 47, 47, rand.Reader) },
	} {
		faults := blocktest.NewFaultFS(blocktest.NewMemFS())
		f := newTestFiles(t, faults)
		writeBlock(t, f, 1, 1, 20, true)
		reads := 0
		faults.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind != blocktest.OpRead || op.Size < 900 {
				return blocktest.Fault{}
			}
			return blocktest.Fault{Wait: func() {
				if reads++; reads == 1 {
					require.NoError(t, change(f), name)
				}
			}}
		})
		written, err := f.WriteIndex(1, nil)
		require.NoError(t, err, name)
		require.True(t, written, name)
		x, _, err := f.openIndex(1)
		require.NoError(t, err, name)
		require.False(t, x.Suspect(), name)
		data, _, err := f.readAll(1, nil)
		require.NoError(t, err)
		verdict, err := x.CheckBlock(f.Blocks.Codec(1), data)
		require.NoError(t, err)
		require.True(t, verdict.Same(), "%s: %+v", name, verdict)
		require.NoError(t, x.Close())
		require.Empty(t, f.building)
	}
}

// TestCutReturnsWhatIsToBeWrittenAgain, and takes what is behind it from what is known to be lost.
func TestCutReturnsWhatIsToBeWrittenAgain(t *testing.T) {
	f := withIndex(t, blocktest.NewMemFS())
	data, _, err := f.readAll(1, nil)
	require.NoError(t, err)
	codec := f.Blocks.Codec(1)
	for _, sequence := range []uint64{3, 15, 10} {
		data = codec.AppendTombstone(data, sequence, 7)
	}
	data = codec.AppendFloor(codec.AppendFloor(data, 3), 2)
	require.NoError(t, f.Blocks.Rewrite(1, 0, data))
	require.NoError(t, f.Blocks.WriteLost([]blockio.LostRange{{Block: 1, First: 12, Last: 12}}))
	scan, behind, err := f.Cut(1, 4, 10*47, 10)
	require.NoError(t, err)
	require.Equal(t, uint64(10), scan.Last())
	require.Equal(t, Removals{Tombstones: []engine.Tombstone{{Sequence: 3, Time: 7}, {Sequence: 10, Time: 7}}, Floor: 3}, behind)
	lost, err := f.Blocks.ReadLost()
	require.NoError(t, err)
	require.Empty(t, lost)
	require.NoError(t, f.Blocks.OpenTail(1, 10*47))
	require.NoError(t, f.Blocks.Append(1, 10*47, [][]byte{codec.AppendMessage(nil, 11, 1, "a", nil, nil)}, true))
	_, _, err = f.Cut(1, 5, 10*47+3, 10)
	require.ErrorIs(t, err, blockio.ErrOffset)
	_, _, err = f.Cut(1, 5, 10*47, 10)
	require.NoError(t, err, "also of a block that is open")
}

// TestRemovalsOfABlock are the same from its index and from its records.
func TestRemovalsOfABlock(t *testing.T) {
	f := newTestFiles(t, blocktest.NewMemFS())
	_, err := f.Removals(1)
	require.ErrorIs(t, err, fs.ErrNotExist)
	writeBlock(t, f, 1, 10, 3, true)
	list, err := f.Removals(1)
	require.NoError(t, err)
	require.Equal(t, Removals{}, list)
	data, _, err := f.readAll(1, nil)
	require.NoError(t, err)
	want := []engine.Tombstone{{Sequence: 4, Time: 40}, {Sequence: 11, Time: 1}, {Sequence: 4, Time: 40}}
	for _, tombstone := range want {
		data = f.Blocks.Codec(1).AppendTombstone(data, tombstone.Sequence, tombstone.Time)
	}
	data = f.Blocks.Codec(1).AppendFloor(f.Blocks.Codec(1).AppendFloor(data, 3), 2)
	require.NoError(t, f.Blocks.Rewrite(1, 1, data))
	for range 2 {
		list, err = f.Removals(1)
		require.NoError(t, err)
		require.Equal(t, Removals{Tombstones: want, Floor: 3}, list)
		tombstones, err := f.tombstones(1, int64(len(data)))
		require.NoError(t, err)
		require.Equal(t, want, tombstones)
		written, err := f.WriteIndex(1, nil)
		require.NoError(t, err)
		require.True(t, written)
	}
}

// TestTheOldFileGoesWithTheLastView that speaks of it.
func TestTheOldFileGoesWithTheLastView(t *testing.T) {
	cache := blockio.NewBlockCache(4, 1<<20)
	mem := blocktest.NewMemFS()
	f := withIndex(t, mem)
	f.Source = cache.Source(mem, streamDir, "ORDERS")
	f.Blocks = blockio.NewBlocks(mem, streamDir, "ORDERS", blockio.BlocksOptions{Source: f.Source, Beside: []string{blockindex.Suffix}})
	r := Recovery{Files: f, Config: testConfig(), Published: f.Published, Scanners: 1}
	e, err := r.Run(context.Background())
	require.NoError(t, err)
	old := f.Published.View().Blocks()[0]
	_, err = compactIt(f, 1, 7, even, false)
	require.NoError(t, err)
	require.Equal(t, 1, cache.Open())
	b, err := f.Source.Lease(blockio.BlockRef{ID: 1, Generation: old.Generation}, blockio.LeaseOptions{Whole: true})
	require.NoError(t, err)
	require.Equal(t, int64(20*47), b.Size())
	b.Release()
	runtime.KeepAlive(old)
	runtime.KeepAlive(e)
	f.Published = engine.NewPublished()
	r, old, e = Recovery{}, nil, nil
	for cache.Open() > 0 {
		runtime.GC()
	}
	require.NoError(t, f.Blocks.Close())
}

// TestATornEraseIsNoLoss if a tombstone names the message, in whatever block, and whether or not there is an
// index of what is left.
func TestATornEraseIsNoLoss(t *testing.T) {
	for _, row := range []struct {
		name    string
		removed bool
		indexed bool
		lost    uint64
	}{
		{"removed before", true, false, 0},
		{"removed before, with an index", true, true, 0},
		{"below a floor", true, false, 0},
		{"not removed", false, false, 1},
		{"not removed, with an index", false, true, 1},
	} {
		for _, sequence := range []uint64{1, 7, 20} {
			for _, n := range []int{3, 12, 30, 46} {
				m := blocktest.NewMemFS()
				f := withIndex(t, m)
				writeBlock(t, f, 2, 21, 3, true)
				codec := f.Blocks.Codec(3)
				later := codec.AppendMessage(nil, 24, 5, "orders.new", nil, nil)
				switch {
				case row.name == "below a floor":
					later = codec.AppendFloor(later, sequence+1)
				case row.removed:
					later = codec.AppendTombstone(later, sequence, int64(sequence-1))
				}
				require.NoError(t, f.Commit(&engine.Commit{Ops: []engine.Op{
					{Kind: engine.OpCreate, Block: 3},
					{Kind: engine.OpWrite, Block: 3, Data: [][]byte{later}, Sync: true},
				}}))
				require.NoError(t, f.Blocks.Close())
				faults := blocktest.NewFaultFS(m)
				faults.SetHook(func(op blocktest.Op) blocktest.Fault {
					return blocktest.Fault{Crash: op.Kind == blocktest.OpWrite, Short: n}
				})
				g := newTestFiles(t, faults)
				// The same bytes each time: of all there are, one in 256 has a checksum whose last byte is that of the record as it
				// was, so that nothing is torn where that byte alone is not written.
				noise := mathrand.New(mathrand.NewSource(1))
				require.ErrorIs(t, g.Erase(1, sequence, int64(sequence-1)*47, 47, noise), blocktest.ErrCrashed)

				for range 2 {
					image := m.Clone()
					h := newTestFiles(t, image)
					if row.indexed {
						_, err := h.WriteIndex(1, nil)
						require.NoError(t, err)
					}
					var log bytes.Buffer
					h.Log = slog.New(slog.NewTextHandler(&log, nil))
					r := Recovery{Files: h, Config: testConfig(), Published: h.Published, Scanners: 1}
					_, err := r.Run(context.Background())
					require.NoError(t, err)
					state := h.Published.State()
					note := []any{"%s: sequence %d, %d bytes:\n%s", row.name, sequence, n, &log}
					lost := row.lost
					if n == 3 && lost > 0 { // what is written of the length is as it was
						lost = 0
					}
					require.Equal(t, lost, state.LostMessages, note...)
					require.Equal(t, lost > 0, state.LostBytes > 0, note...)
					require.Equal(t, lost > 0, strings.Contains(log.String(), "ERROR"), note...)
					messages := 24 - lost
					switch {
					case row.name == "below a floor":
						messages = 24 - sequence
					case row.removed:
						messages--
					}
					require.Equal(t, messages, state.Messages, note...)
					require.NoError(t, h.Blocks.Close())
					m = image
				}
			}
		}
	}
}

// TestTheIndexOfABlockWithAnErasedMessage, anywhere in a frame: it has the others, and is right.
func TestTheIndexOfABlockWithAnErasedMessage(t *testing.T) {
	all := func(uint64) bool { return true }
	for sequence := uint64(1); sequence <= 5; sequence++ {
		f := newTestFiles(t, blocktest.NewMemFS())
		writeBlock(t, f, 1, 1, 5, true)
		scan, err := compactIt(f, 1, 1, blockio.Compaction{Live: all}, false) // for its frames
		require.NoError(t, err)
		info, found := scan.Find(sequence)
		require.True(t, found)
		written, err := f.WriteIndex(1, nil)
		require.NoError(t, err)
		require.True(t, written)
		require.NoError(t, f.Erase(1, sequence, info.Offset, info.Size, rand.Reader))
		require.False(t, exists(t, f.FS, indexOf(f, 1)), "it has the subject")
		written, err = f.WriteIndex(1, nil)
		require.NoError(t, err)
		require.True(t, written)
		x, damaged, err := f.openIndex(1)
		require.NoError(t, err)
		require.Empty(t, damaged)
		require.Equal(t, 4, x.Len())
		require.Zero(t, x.Summary().Damage)
		require.Equal(t, uint64(5), x.Summary().Last)
		data, _, err := f.readAll(1, nil)
		require.NoError(t, err)
		verdict, err := x.CheckBlock(f.Blocks.Codec(1), data)
		require.NoError(t, err)
		require.True(t, verdict.Same())
		require.NoError(t, x.Close())
	}
}

// TestNoIndexIsWrittenWhileThatOfBeforeIsSwept: both have the same name for a while.
func TestNoIndexIsWrittenWhileThatOfBeforeIsSwept(t *testing.T) {
	faults := blocktest.NewFaultFS(blocktest.NewMemFS())
	f := newTestFiles(t, faults)
	writeBlock(t, f, 1, 1, 20, true)
	left := indexOf(f, 1) + blockio.UnfinishedSuffix
	require.NoError(t, blockio.ReplaceFile(f.FS, left, nil))
	swept := false
	faults.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpRemove && op.Name == left {
			swept = true
			require.False(t, f.beside.TryLock())
		}
		return blocktest.Fault{}
	})
	require.NoError(t, f.Sweep(&blockio.Truncation{Cut: 1, Remove: []uint32{2}}))
	faults.SetHook(nil)
	require.True(t, swept)
	require.False(t, exists(t, f.FS, left))
}
