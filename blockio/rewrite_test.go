package blockio_test

import (
	"errors"
	"io/fs"
	"math/rand"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// A changeWorld is a stream with block 1, which has what describes it beside it, and a copy of a torn tail.
type changeWorld struct {
	memory *blocktest.MemFS
	faults *blocktest.FaultFS
	blocks *blockio.Blocks
	source *blockio.BlockSource
	old    []byte
}

var derived = []string{blockio.StateFile, blockio.EndProofFile}

// besides are the files that speak of block 1, as it is, and must be gone before it is another.
var besides = []string{"1.bix", "1.bix.tmp", blockio.StateFile, blockio.EndProofFile}

func newChangeWorld(t testing.TB) *changeWorld {
	t.Helper()
	w := &changeWorld{memory: blocktest.NewMemFS()}
	w.faults = blocktest.NewFaultFS(w.memory)
	require.NoError(t, w.memory.MkdirAll("/s/msgs"))
	key := blockio.NewRecordCodec("S", 1)
	for sequence := uint64(1); sequence <= 5; sequence++ {
		w.old = append(w.old, message(key, sequence, 900)...)
	}
	put := func(name string, data []byte) { require.NoError(t, blockio.ReplaceFile(w.memory, name, data)) }
	put("/s/msgs/1.blk", w.old)
	for _, name := range besides {
		put("/s/msgs/"+name, []byte("of the old block"))
	}
	w.open(w.faults)
	return w
}

func (w *changeWorld) open(fsys blockio.FS) {
	w.source = blockio.NewBlockCache(4, 0).Source(fsys, "/s", "S")
	w.blocks = blockio.NewBlocks(fsys, "/s", "S", blockio.BlocksOptions{Beside: []string{".bix"}, Source: w.source})
}

func has(t testing.TB, fsys blockio.FS, name string) bool {
	t.Helper()
	file, err := fsys.OpenFile(filepath.Join("/s/msgs", name), blockio.ModeRead)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	require.NoError(t, err)
	require.NoError(t, file.Close())
	return true
}

// eachCrash runs a change up to each of its operations, and hands out what every kind of crash leaves there.
func eachCrash(t *testing.T, change func(w *changeWorld) error, check func(image *blocktest.MemFS, done bool)) {
	t.Helper()
	random, draws := rand.New(rand.NewSource(1)), 12
	if testing.Short() {
		draws = 6
	}
	for at := 0; ; at++ {
		w := newChangeWorld(t)
		w.faults.SetHook(func(op blocktest.Op) blocktest.Fault {
			return blocktest.Fault{Crash: op.Index == at, Short: random.Intn(900)}
		})
		err := change(w)
		for _, mode := range blocktest.CrashModes {
			for range draws {
				check(w.memory.CrashImage(mode, random), err == nil)
			}
		}
		if err == nil {
			require.Greater(t, at, 8, "operations")
			return
		}
	}
}

// TestARewrittenBlockIsOldOrNew: after a crash at any operation, and nothing speaks of the old one beside the new.
func TestARewrittenBlockIsOldOrNew(t *testing.T) {
	outcomes := make(map[string]int)
	content := message(blockio.NewRecordCodec("S", 1), 5, 700)
	eachCrash(t, func(w *changeWorld) error { return w.blocks.Rewrite(1, 7, content, derived...) },
		func(image *blocktest.MemFS, done bool) {
			w := newChangeWorld(t)
			old := w.old
			w.open(image)
			data, err := w.blocks.ReadAll(1, nil)
			require.NoError(t, err)
			left := 0
			for _, name := range besides {
				if has(t, image, name) {
					left++
				}
			}
			switch string(data) {
			case string(old):
				require.False(t, done, "it is durable")
				outcomes["old"]++
			case string(content):
				outcomes["new"]++
				require.Zero(t, left)
			default:
				require.Fail(t, "neither")
			}
			list, err := w.blocks.List()
			require.NoError(t, err)
			require.Len(t, list, 1, "what is left is no block")
			_, err = w.blocks.RemoveOrphans(func(uint32) bool { return true })
			require.NoError(t, err)
			require.False(t, has(t, image, "1.rewrite.tmp"))
		})
	require.Greater(t, outcomes["old"], 20)
	require.Greater(t, outcomes["new"], 20)
}

// TestAFailedRewriteLeavesTheBlock: whichever operation fails, unless it was a sync of names.
func TestAFailedRewriteLeavesTheBlock(t *testing.T) {
	content := []byte("new")
	for at := 0; ; at++ {
		w := newChangeWorld(t)
		w.faults.SetHook(blocktest.FailAt(at, blocktest.ErrNoSpace))
		err := w.blocks.Rewrite(1, 7, content, derived...)
		w.faults.SetHook(nil)
		data, readErr := w.blocks.ReadAll(1, nil)
		require.NoError(t, readErr)
		if err == nil {
			require.Equal(t, content, data)
			require.Equal(t, uint64(7), w.source.Current(ref(1)).Generation)
			require.Greater(t, at, 10)
			break
		}
		require.ErrorIs(t, err, blocktest.ErrNoSpace)
		if errors.Is(err, blockio.ErrSync) {
			require.ErrorIs(t, w.blocks.Rewrite(1, 8, content), blockio.ErrBroken)
			continue
		}
		require.Equal(t, w.old, data, "operation %d", at)
		require.False(t, has(t, w.memory, "1.rewrite.tmp"))
		require.Equal(t, ref(1), w.source.Current(ref(1)))
		b := lease(t, w.source, 1, lookUp)
		require.Equal(t, w.old, contentOf(t, b))
		b.Release()
		require.NoError(t, w.blocks.Rewrite(1, 7, content), "another try")
	}
}

// TestARewrittenBlockIsAppendedTo as one that was truncated.
func TestARewrittenBlockIsAppendedTo(t *testing.T) {
	blocks := newBlocks(t, blocktest.NewMemFS(), blockio.BlocksOptions{})
	require.NoError(t, blocks.Create(1))
	end := appendTo(t, blocks, 1, 0, 1, 100)
	appendTo(t, blocks, 1, end, 2, 100)
	data, err := blocks.ReadAll(1, nil)
	require.NoError(t, err)
	require.NoError(t, blocks.Rewrite(1, 2, data[:end]))
	require.ErrorIs(t, blocks.Append(1, end, [][]byte{{1}}, true), blockio.ErrNotOpen)
	require.NoError(t, blocks.OpenTail(1, end))
	appendTo(t, blocks, 1, end, 3, 100)
	require.NoError(t, blocks.Close())
}

// TestLeftoversOfARewrite are removed at open, and nothing else is.
func TestLeftoversOfARewrite(t *testing.T) {
	files := blocktest.NewMemFS()
	blocks := newBlocks(t, files, blockio.BlocksOptions{})
	names := []string{"1.blk", "1.rewrite.tmp", "2.rewrite.tmp", "02.rewrite.tmp", "x.rewrite.tmp", "1.rewrite", "1.blk.tmp"}
	for _, name := range names {
		file, err := files.OpenFile(filepath.Join(blocks.Dir(), name), blockio.ModeCreate)
		require.NoError(t, err)
		require.NoError(t, file.Close())
	}
	removed, err := blocks.RemoveOrphans(func(uint32) bool { return false })
	require.NoError(t, err)
	require.Equal(t, 2, removed)
	for i, name := range names {
		require.Equal(t, i != 1 && i != 2, has(t, files, name), name)
	}
}
