package sealed

import (
	"bytes"
	"errors"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// blockOf returns a block of a few records.
func blockOf(texts ...string) (data []byte) {
	key := blockio.NewRecordCodec("ENC", 1)
	for i, text := range texts {
		data = key.AppendMessage(data, uint64(i+1), 1_700_000_000_000_000_000, "a", nil, []byte(text))
	}
	return data
}

// openBlocks prepares the files of an encrypted stream, and returns its blocks.
func openBlocks(t *testing.T, files blockio.FS) (*FS, *blockio.Blocks) {
	t.Helper()
	s := New(Options{FS: files, Dir: "ENC", Stream: "ENC", Key: vectorKey})
	require.NoError(t, s.Look())
	require.NoError(t, s.Prepare(t.Context()))
	return s, blockio.NewBlocks(s, "ENC", "ENC", blockio.BlocksOptions{})
}

// TestARewrittenEncryptedBlockIsOldOrNew: whatever a crash leaves of the file and of its key, the block can be read, and when the
// rewriting has returned it is the new one.
func TestARewrittenEncryptedBlockIsOldOrNew(t *testing.T) {
	old, anew := blockOf("first", "second", "third"), blockOf("first")
	rng := rand.New(rand.NewSource(1))
	for range 20 {
		for at := 0; ; at++ {
			mem := blocktest.NewMemFS()
			require.NoError(t, mem.MkdirAll("ENC/msgs"))
			faults := blocktest.NewFaultFS(mem)
			_, blocks := openBlocks(t, faults)
			require.NoError(t, blocks.Create(1))
			require.NoError(t, blocks.Append(1, 0, [][]byte{old}, true))
			require.NoError(t, blocks.Seal(1, int64(len(old))))
			from := faults.Count()
			faults.SetHook(func(op blocktest.Op) blocktest.Fault { return blocktest.Fault{Crash: op.Index == from+at} })
			err := blocks.Rewrite(1, 1, anew)
			for _, mode := range blocktest.CrashModes {
				image := mem.CrashImage(mode, rng)
				check := func(data []byte, readErr error) {
					require.NoError(t, readErr)
					require.True(t, bytes.Equal(data, old) && err != nil || bytes.Equal(data, anew), "at %d, %v", at, mode)
				}
				found := New(Options{FS: image, Dir: "ENC", Stream: "ENC", Key: vectorKey, ReadOnly: true})
				require.NoError(t, found.Look())
				check(blockio.NewBlocks(found, "ENC", "ENC", blockio.BlocksOptions{}).ReadAll(1, nil))
				openBlocks(t, image) // which puts it right
				_, blocks := openBlocks(t, image.CrashImage(blocktest.DropUnsynced, rng))
				check(blocks.ReadAll(1, nil))
			}
			if err == nil {
				break
			}
		}
	}
}

// failAfter makes the next operation of a kind fail that comes when the file of a block has its place, and so that of its key.
func failAfter(faults *blocktest.FaultFS, kind blocktest.OpKind) {
	placed := false
	faults.SetHook(func(op blocktest.Op) blocktest.Fault {
		if placed && op.Kind == kind {
			placed = false
			return blocktest.Fault{Err: blocktest.ErrIO, Forget: kind == blocktest.OpSyncDir}
		}
		placed = placed || op.Kind == blocktest.OpRename && strings.HasSuffix(op.Name, ".rewrite.tmp")
		return blocktest.Fault{}
	})
}

// leaveUnsettled gives a block its file and stops there, as a truncation does that fails at what comes next.
func leaveUnsettled(files *FS, content []byte) error {
	path := blockio.RewritePath("ENC", 1)
	file, err := files.OpenFile(path, blockio.ModeReplace)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(content, 0)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = files.SyncDir("ENC/msgs") // the key is there before the file that needs it
	}
	if err == nil {
		err = files.Rename(path, blockio.BlockPath("ENC", 1))
	}
	return err
}

// TestAKeyThatWasNotSettledIsSettledLater: where something other than a sync has failed between the file and the key, the block
// can be written anew in the same process, and whatever a crash leaves can be read. After a sync that failed it cannot.
func TestAKeyThatWasNotSettledIsSettledLater(t *testing.T) {
	old, anew, again := blockOf("first", "second", "third"), blockOf("first", "second"), blockOf("first")
	rng := rand.New(rand.NewSource(1))
	for _, row := range []struct {
		name string
		fail func(*blocktest.FaultFS, *FS, *blockio.Blocks)
		told string // of the next rewriting, "" when it is carried out
		// twice tells that the next one ends as early, so that it need not be there, either.
		twice bool
	}{
		{name: "the key gets no name", fail: func(faults *blocktest.FaultFS, _ *FS, blocks *blockio.Blocks) {
			failAfter(faults, blocktest.OpRename)
			require.ErrorIs(t, blocks.Rewrite(1, 1, anew), blocktest.ErrIO)
		}},
		{name: "nothing is synced", twice: true, fail: func(_ *blocktest.FaultFS, files *FS, _ *blockio.Blocks) {
			require.NoError(t, leaveUnsettled(files, anew))
		}},
		{name: "a sync fails", told: "open the stream again", fail: func(faults *blocktest.FaultFS, _ *FS, blocks *blockio.Blocks) {
			failAfter(faults, blocktest.OpSyncDir)
			require.ErrorIs(t, blocks.Rewrite(1, 1, anew), blocktest.ErrIO)
		}},
	} {
		for at := 0; ; at++ {
			mem := blocktest.NewMemFS()
			require.NoError(t, mem.MkdirAll("ENC/msgs"))
			faults := blocktest.NewFaultFS(mem)
			files, blocks := openBlocks(t, faults)
			require.NoError(t, blocks.Create(1))
			require.NoError(t, blocks.Append(1, 0, [][]byte{old}, true))
			require.NoError(t, blocks.Seal(1, int64(len(old))))
			row.fail(faults, files, blocks)
			from := faults.Count()
			faults.SetHook(func(op blocktest.Op) blocktest.Fault {
				return blocktest.Fault{Crash: op.Index == from+at && row.told == ""}
			})
			blocks = blockio.NewBlocks(files, "ENC", "ENC", blockio.BlocksOptions{})
			var err error
			if row.twice {
				err = leaveUnsettled(files, again)
			} else {
				err = blocks.Rewrite(1, 2, again)
			}
			before := err != nil || row.twice
			for _, mode := range blocktest.CrashModes {
				for range 20 {
					_, found := openBlocks(t, mem.CrashImage(mode, rng))
					data, readErr := found.ReadAll(1, nil)
					require.NoError(t, readErr, "%s, at %d, %v", row.name, at, mode)
					require.True(t, bytes.Equal(data, again) || before && (bytes.Equal(data, old) || bytes.Equal(data, anew)), "%s, at %d, %v", row.name, at, mode)
				}
			}
			require.Less(t, at, 100, "%v", err)
			if row.told != "" {
				require.ErrorContains(t, err, row.told)
				break
			}
			if err == nil {
				break
			}
		}
	}
}

// TestARemovedEncryptedBlockIsGoneOrThere: not without its key.
func TestARemovedEncryptedBlockIsGoneOrThere(t *testing.T) {
	old := blockOf("first", "second", "third")
	rng := rand.New(rand.NewSource(1))
	for range 20 {
		for at := 0; ; at++ {
			mem := blocktest.NewMemFS()
			require.NoError(t, mem.MkdirAll("ENC/msgs"))
			faults := blocktest.NewFaultFS(mem)
			_, blocks := openBlocks(t, faults)
			require.NoError(t, blocks.Create(1))
			require.NoError(t, blocks.Append(1, 0, [][]byte{old}, true))
			require.NoError(t, blocks.Seal(1, int64(len(old))))
			from := faults.Count()
			faults.SetHook(func(op blocktest.Op) blocktest.Fault { return blocktest.Fault{Crash: op.Index == from+at} })
			err := blocks.Remove(1)
			for _, mode := range blocktest.CrashModes {
				image := mem.CrashImage(mode, rng)
				_, blocks := openBlocks(t, image)
				list, listErr := blocks.List()
				require.NoError(t, listErr)
				require.True(t, err != nil || len(list) == 0)
				if len(list) == 1 {
					data, readErr := blocks.ReadAll(1, nil)
					require.NoError(t, readErr)
					require.Equal(t, old, data)
				}
			}
			if err == nil {
				break
			}
		}
	}
}
