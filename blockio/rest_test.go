package blockio_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// A handleFS counts the files that are open.
type handleFS struct {
	*blocktest.FaultFS
	open *atomic.Int64
}

type handle struct {
	blockio.File
	open *atomic.Int64
}

func (f handleFS) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	file, err := f.FaultFS.OpenFile(name, mode)
	if err != nil {
		return nil, err
	}
	f.open.Add(1)
	return handle{file, f.open}, nil
}

func (h handle) Close() error {
	h.open.Add(-1)
	return h.File.Close()
}

func newHandleFS(fsys blockio.FS) handleFS {
	return handleFS{blocktest.NewFaultFS(fsys), new(atomic.Int64)}
}

// restingBlocks are blocks of which the first has 100 synced bytes, and rests.
func restingBlocks(t *testing.T, opts blockio.BlocksOptions) (*blockio.Blocks, handleFS) {
	t.Helper()
	f := newHandleFS(blocktest.NewMemFS())
	blocks := newBlocks(t, f, opts)
	require.NoError(t, blocks.Create(1))
	require.NoError(t, blocks.Append(1, 0, [][]byte{bytes.Repeat([]byte{1}, 100)}, true))
	require.True(t, blocks.Rest(1))
	return blocks, f
}

// opened returns how many files are open.
func opened(f handleFS) int { return int(f.open.Load()) }

// TestABlockAtRestHoldsNoFile, and takes appends, syncs and its seal as one that is open does.
func TestABlockAtRestHoldsNoFile(t *testing.T) {
	blocks, f := restingBlocks(t, blockio.BlocksOptions{})
	require.Zero(t, opened(f))
	require.True(t, blocks.Rest(1), "it does already")
	require.NoError(t, blocks.Sync(1))
	require.Zero(t, opened(f), "there is nothing to sync")
	require.ErrorIs(t, blocks.Append(1, 50, [][]byte{{2}}, true), blockio.ErrOffset)
	require.ErrorIs(t, blocks.OpenTail(1, 100), fs.ErrExist, "a second one")
	require.Zero(t, opened(f))
	require.NoError(t, blocks.Append(1, 100, [][]byte{{2}}, false))
	require.Equal(t, 1, opened(f))
	require.False(t, blocks.Rest(1), "not all of it is synced")
	require.NoError(t, blocks.Sync(1))
	require.True(t, blocks.Rest(1))
	require.NoError(t, blocks.Seal(1, 101))
	require.Zero(t, opened(f))
	data, err := blocks.ReadAll(1, nil)
	require.NoError(t, err)
	require.Equal(t, append(bytes.Repeat([]byte{1}, 100), 2), data)

	require.NoError(t, blocks.OpenTail(1, 101))
	require.False(t, blocks.Rest(1), "nobody knows whether what was found is synced")
	require.True(t, blocks.RestAsFound(1))
	require.NoError(t, blocks.Append(1, 101, [][]byte{{3}}, false))
	require.False(t, blocks.RestAsFound(1), "it has been written to")
	require.NoError(t, blocks.Close())
	require.Zero(t, opened(f))
}

// TestWhoWritesToABlockAtRestIsNoticed before anything is written to it, and stays so.
func TestWhoWritesToABlockAtRestIsNoticed(t *testing.T) {
	for what, write := range map[string]func(t *testing.T, f blockio.FS, name string){
		"was removed": func(t *testing.T, f blockio.FS, name string) { require.NoError(t, f.Remove(name)) },
		"had 100 bytes, has 7": func(t *testing.T, f blockio.FS, name string) {
			require.NoError(t, blockio.ReplaceFile(f, name, make([]byte, 7)))
		},
		"was replaced, or written to": func(t *testing.T, f blockio.FS, name string) {
			file, err := f.OpenFile(name, blockio.ModeReadWrite)
			require.NoError(t, err)
			_, err = file.WriteAt([]byte{9}, 5)
			require.NoError(t, err)
			require.NoError(t, file.Close())
		},
	} {
		for _, seal := range []bool{false, true} {
			t.Run(what, func(t *testing.T) {
				blocks, f := restingBlocks(t, blockio.BlocksOptions{})
				write(t, f, blocks.Path(1))
				writes := f.CountOf(blocktest.OpWrite) + f.CountOf(blocktest.OpTruncate)
				act := func() error {
					if seal {
						return blocks.Seal(1, 100)
					}
					return blocks.Append(1, 100, [][]byte{{2}}, true)
				}
				err := act()
				require.ErrorIs(t, err, blockio.ErrChanged)
				require.ErrorContains(t, err, what)
				if !seal {
					require.ErrorIs(t, act(), blockio.ErrBroken)
				}
				require.Equal(t, writes, f.CountOf(blocktest.OpWrite)+f.CountOf(blocktest.OpTruncate))
				require.Zero(t, opened(f))
			})
		}
	}
}

// TestWakingMayFail: at every operation, and the block is then as after any failed append.
func TestWakingMayFail(t *testing.T) {
	for at := 0; ; at++ {
		blocks, f := restingBlocks(t, blockio.BlocksOptions{})
		before := f.Count()
		f.SetHook(blocktest.FailAt(before+at, blocktest.ErrIO))
		err := blocks.Append(1, 100, [][]byte{{2}}, true)
		f.SetHook(nil)
		if f.Count() <= before+at {
			require.NoError(t, err)
			require.Greater(t, at, 3)
			return
		}
		require.ErrorIs(t, err, blocktest.ErrIO)
		require.ErrorIs(t, blocks.Append(1, 100, [][]byte{{2}}, true), blockio.ErrBroken)
		require.NoError(t, blocks.Truncate(1, 100))
		require.NoError(t, blocks.OpenTail(1, 100))
		require.NoError(t, blocks.Append(1, 100, [][]byte{{2}}, true))
		require.NoError(t, blocks.Close())
		require.Zero(t, opened(f))
	}
}

// TestRestingMayFail: whatever fails, the block takes the next append.
func TestRestingMayFail(t *testing.T) {
	for _, kind := range []blocktest.OpKind{blocktest.OpStat, blocktest.OpClose} {
		blocks, f := restingBlocks(t, blockio.BlocksOptions{})
		require.NoError(t, blocks.Append(1, 100, [][]byte{{2}}, true))
		f.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind == kind {
				return blocktest.Fault{Err: blocktest.ErrIO}
			}
			return blocktest.Fault{}
		})
		require.Equal(t, kind == blocktest.OpClose, blocks.Rest(1))
		f.SetHook(nil)
		require.NoError(t, blocks.Append(1, 101, [][]byte{{3}}, true))
		require.NoError(t, blocks.Seal(1, 102))
	}
}

// TestABlockThatFailedDoesNotRest: it is not opened again by an append, and the error stays.
func TestABlockThatFailedDoesNotRest(t *testing.T) {
	blocks, f := restingBlocks(t, blockio.BlocksOptions{})
	require.NoError(t, blocks.Append(1, 100, [][]byte{{2}}, false))
	f.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpSync {
			return blocktest.Fault{Err: blocktest.ErrIO, Forget: true}
		}
		return blocktest.Fault{}
	})
	require.ErrorIs(t, blocks.Sync(1), blocktest.ErrIO)
	f.SetHook(nil)
	require.False(t, blocks.Rest(1))
	require.ErrorIs(t, blocks.Append(1, 101, [][]byte{{3}}, true), blockio.ErrBroken)
	require.NoError(t, blocks.Close())
}

// tailStreams are streams of one block each, in which one byte was stored.
type tailStreams struct {
	memory *blocktest.MemFS
	files  handleFS
	tails  *blockio.Tails
	blocks []*blockio.Blocks
	ends   []int64
}

func newTailStreams(t *testing.T, n, most int, idle time.Duration, sync bool) *tailStreams {
	t.Helper()
	m := blocktest.NewMemFS()
	w := &tailStreams{m, newHandleFS(m), blockio.NewTails(most, idle), make([]*blockio.Blocks, n), make([]int64, n)}
	for i := range n {
		dir := fmt.Sprintf("/s%d", i)
		require.NoError(t, m.MkdirAll(blockio.BlocksDir(dir)))
		w.blocks[i] = blockio.NewBlocks(w.files, dir, "S", blockio.BlocksOptions{Tails: w.tails})
		require.NoError(t, w.blocks[i].Create(1))
		w.store(t, i, sync)
	}
	return w
}

func (w *tailStreams) store(t *testing.T, i int, sync bool) {
	t.Helper()
	require.NoError(t, w.blocks[i].Append(1, w.ends[i], [][]byte{{1}}, sync))
	w.ends[i]++
}

// TestTailsAreBounded: of many streams that were written to once few stay open, and of those that are written to all.
func TestTailsAreBounded(t *testing.T) {
	for _, synced := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			const most, streams, busy = 4, 100, 10
			w := newTailStreams(t, streams, most, time.Second, synced)
			require.Equal(t, streams, w.tails.Open())
			before := 0
			for round := range 10 {
				if round == 3 {
					before = w.files.CountOf(blocktest.OpOpen)
				}
				for i := range busy {
					w.store(t, i, synced)
				}
				<-time.After(time.Second * 9 / 10)
			}
			require.Equal(t, busy, w.tails.Open())
			require.Equal(t, busy, opened(w.files))
			require.Equal(t, before, w.files.CountOf(blocktest.OpOpen), "they were not opened again")
			<-time.After(2 * time.Second)
			require.Equal(t, most, opened(w.files))
			image := w.memory.CrashImage(blocktest.DropUnsynced, nil)
			for i := range streams {
				if i < busy {
					continue // some of them are still open, or have zeros ahead
				}
				data, err := blockio.ReadFile(image, w.blocks[i].Path(1), 1<<20)
				require.NoError(t, err)
				require.Len(t, data, int(w.ends[i]), "what is closed is synced")
			}
			for i := range streams {
				w.store(t, i, synced)
			}
			require.Equal(t, streams, opened(w.files))
			for _, blocks := range w.blocks {
				require.NoError(t, blocks.Close())
			}
			require.Zero(t, w.tails.Open())
			require.Zero(t, opened(w.files))
		})
	}
}

// TestBlocksRestWhileOthersUseThem: under the race detector, with appends, syncs and rolls at any moment.
func TestBlocksRestWhileOthersUseThem(t *testing.T) {
	m := blocktest.NewMemFS()
	tails := blockio.NewTails(1, time.Millisecond)
	var all sync.WaitGroup
	for i := range 6 {
		dir := fmt.Sprintf("/s%d", i)
		require.NoError(t, m.MkdirAll(blockio.BlocksDir(dir)))
		blocks := blockio.NewBlocks(m, dir, "S", blockio.BlocksOptions{Tails: tails})
		work := func() (err error) {
			for id := uint32(1); id < 20 && err == nil; id++ {
				err = blocks.Create(id)
				var beside sync.WaitGroup
				beside.Go(func() {
					for range 20 {
						if err := blocks.Sync(id); err != nil {
							t.Error(err)
						}
						blocks.Rest(id)
					}
				})
				for at := int64(0); at < 40 && err == nil; at++ {
					err = blocks.Append(id, at, [][]byte{{1}}, at%3 == 0)
				}
				beside.Wait()
				if err == nil {
					err = blocks.Seal(id, 40)
				}
			}
			return err
		}
		all.Go(func() {
			if err := work(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Zero(t, tails.Open())
}
