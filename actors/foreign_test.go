package actors_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// foreignWrites are what somebody else may do to the last block of a stream, or behind it.
var foreignWrites = map[string]struct {
	write func(t *testing.T, fs *blocktest.MemFS, last string)
	what  string
}{
	"appends to the last block": {func(t *testing.T, fs *blocktest.MemFS, last string) {
		file, err := fs.OpenFile(last, blockio.ModeReadWrite)
		require.NoError(t, err)
		stat, err := file.Stat()
		require.NoError(t, err)
		_, err = file.WriteAt([]byte("foreign"), stat.Size)
		require.NoError(t, errors.Join(err, file.Close()))
	}, "bytes, has"},
	"replaces the last block": {func(t *testing.T, fs *blocktest.MemFS, last string) {
		data, err := blockio.ReadFile(fs, last, 1<<20)
		require.NoError(t, err)
		require.NoError(t, blockio.ReplaceFile(fs, last, data))
	}, "was replaced"},
	"removes the last block": {func(t *testing.T, fs *blocktest.MemFS, last string) {
		require.NoError(t, fs.Remove(last))
	}, "was removed"},
	"makes another block": {func(t *testing.T, fs *blocktest.MemFS, last string) {
		require.NoError(t, blockio.ReplaceFile(fs, strings.Replace(last, "1.blk", "2.blk", 1), []byte("foreign")))
	}, "was made"},
}

// TestForeignWritesAreNoticed when the block is full, and when the store is stopped: the store stays failed, and says
// what was changed.
func TestForeignWritesAreNoticed(t *testing.T) {
	for name, row := range foreignWrites {
		for _, stop := range []bool{false, true} {
			if stop && name == "makes another block" {
				continue // that is noticed when ours is full
			}
			t.Run(name, func(t *testing.T) {
				fs := blocktest.NewMemFS()
				var log bytes.Buffer // of which the handler takes one line at a time
				s := openToFail(t, actors.Config{
					FS: fs, Dir: "data", BlockSize: 4 << 10, NoPreallocation: true, Logger: slog.New(slog.NewTextHandler(&log, nil)),
				})
				store := func() error {
					_, err := s.StoreMsg(t.Context(), "a", nil, make([]byte, 1000))
					return err
				}
				require.NoError(t, store())
				row.write(t, fs, "data/ORDERS/msgs/1.blk")
				for i := 0; !stop; i++ {
					err := store()
					if err == nil {
						require.Less(t, i, 5)
						continue
					}
					require.ErrorIs(t, err, actors.ErrChanged)
					require.ErrorIs(t, err, actors.ErrFailed)
					require.ErrorContains(t, err, row.what)
					require.ErrorIs(t, store(), actors.ErrChanged, "it does not go on")
					break
				}
				err := s.Stop(context.Background())
				require.NotContains(t, log.String(), "will try to recover")
				require.ErrorIs(t, err, actors.ErrChanged)
				require.ErrorContains(t, err, row.what)
			})
		}
	}
}

// TestFilesThatChangeWhileAStreamIsOpened: nothing of it is touched then.
func TestFilesThatChangeWhileAStreamIsOpened(t *testing.T) {
	for name, row := range foreignWrites {
		if name == "replaces the last block" {
			continue // its size is the same
		}
		for _, torn := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				mem := blocktest.NewMemFS()
				config := actors.Config{FS: mem, Dir: "data", Name: "ORDERS"}
				s := openToFail(t, config)
				_, err := s.StoreMsg(t.Context(), "a", nil, make([]byte, 1000))
				require.NoError(t, err)
				require.NoError(t, s.Stop(t.Context()))
				last := "data/ORDERS/msgs/1.blk"
				if torn {
					require.NoError(t, mem.Remove("data/ORDERS/msgs/millrace.end"))
					file, err := mem.OpenFile(last, blockio.ModeReadWrite)
					require.NoError(t, err)
					stat, err := file.Stat()
					require.NoError(t, err)
					require.NoError(t, errors.Join(file.Truncate(stat.Size-20), file.Close()))
				}
				fs := blocktest.NewFaultFS(mem)
				var once sync.Once
				var left map[string][]byte
				fs.SetHook(func(op blocktest.Op) blocktest.Fault {
					if op.Kind == blocktest.OpRead && filepath.Base(op.Name) == "1.blk" {
						once.Do(func() {
							row.write(t, mem, last)
							left = readAllFiles(t, mem, "data/ORDERS")
						})
					}
					return blocktest.Fault{}
				})
				config.FS = fs
				_, err = actors.Open(t.Context(), quiet, config)
				require.ErrorIs(t, err, actors.ErrChanged)
				require.Equal(t, left, readAllFiles(t, mem, "data/ORDERS"))
			})
		}
	}
}

// TestZerosBehindDamageAreOurs: they were written ahead in a block that takes no more records, as it is damaged.
func TestZerosBehindDamageAreOurs(t *testing.T) {
	mem := blocktest.NewMemFS()
	config := actors.Config{FS: mem, Dir: "data", Name: "ORDERS"}
	s := openToFail(t, config)
	for range 20 {
		_, err := s.StoreMsg(t.Context(), "a", nil, make([]byte, 100))
		require.NoError(t, err)
	}
	image := mem.CrashImage(blocktest.KeepAll, nil)
	require.NoError(t, s.Stop(t.Context()))
	require.NoError(t, image.Rot("data/ORDERS/msgs/1.blk", func(data []byte) []byte {
		require.Zero(t, data[len(data)-1], "zeros are written ahead")
		data[100] ^= 1
		return data
	}))
	config.FS = image
	s = openToFail(t, config)
	state, err := s.FastState(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, state.LostMessages)
	require.NoError(t, s.Stop(t.Context()))
}
