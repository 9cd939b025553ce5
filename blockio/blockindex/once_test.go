package blockindex

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// countedFS counts the files that are open, and the bytes that are read of them, which may fail.
type countedFS struct {
	blockio.FS
	open  int
	read  int
	fault error
}

type countedFile struct {
	blockio.File
	fs *countedFS
}

func (c *countedFS) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	file, err := c.FS.OpenFile(name, mode)
	if err != nil {
		return nil, err
	}
	c.open++
	return &countedFile{file, c}, nil
}

func (f *countedFile) ReadAt(p []byte, offset int64) (int, error) {
	if f.fs.fault != nil {
		return 0, f.fs.fault
	}
	f.fs.read += len(p)
	return f.File.ReadAt(p, offset)
}

func (f *countedFile) Close() error {
	f.fs.open--
	return f.File.Close()
}

// onceBlock is the path of a block with an index beside it.
func onceBlock(t *testing.T, fs blockio.FS, path string, b *block) string {
	require.NoError(t, Write(fs, Path(path), b.image(t)))
	return path
}

// TestOnceAnswersAsAnyOther: also in the memory of an index that was longer, and of one that was shorter.
func TestOnceAnswersAsAnyOther(t *testing.T) {
	dir := t.TempDir()
	long, short := benchBlock(t, 5000, 900), benchBlock(t, 300, 20)
	longPath := onceBlock(t, blockio.OS, filepath.Join(dir, "1.blk"), long)
	shortPath := onceBlock(t, blockio.OS, filepath.Join(dir, "2.blk"), short)
	for range 3 {
		for path, b := range map[string]*block{longPath: long, shortPath: short} {
			x, err := OpenFile(blockio.OS, path, b.identity(), Options{Once: true})
			require.NoError(t, err)
			require.False(t, x.Mapped())
			compareAll(t, b, x.Index)
			require.NoError(t, x.Close())
		}
	}
}

func TestOnceReadsWhatIsLookedAt(t *testing.T) {
	fs, b := &countedFS{FS: blocktest.NewMemFS()}, benchBlock(t, 5000, 900)
	path := onceBlock(t, fs, "/1.blk", b)
	x, err := OpenFile(fs, path, b.identity(), Options{Once: true})
	require.NoError(t, err)
	require.Equal(t, populateStretch, fs.read, "the header")
	_, err = x.Record(4000)
	require.NoError(t, err)
	require.Equal(t, 2*populateStretch, fs.read)
	x.Populate()
	all := subject.Everything()
	require.NoError(t, x.Walk(&all, func(uint32, []byte, SubjectInfo) bool { return true }))
	require.Equal(t, len(b.image(t))+populateStretch, fs.read, "nothing is read twice but the header")
	require.Equal(t, 1, fs.open)
	require.NoError(t, x.Close())
	require.Zero(t, fs.open)
}

func TestOnceTellsWhatCannotBeRead(t *testing.T) {
	fs, b, own := &countedFS{FS: blocktest.NewMemFS()}, benchBlock(t, 5000, 900), errors.New("own")
	path := onceBlock(t, fs, "/1.blk", b)
	fs.fault = own
	_, err := OpenFile(fs, path, b.identity(), Options{Once: true})
	require.ErrorIs(t, err, own)
	require.Zero(t, fs.open)

	fs.fault = nil
	other := b.identity()
	other.Size++
	_, err = OpenFile(fs, path, other, Options{Once: true})
	require.ErrorIs(t, err, ErrStale)
	require.Zero(t, fs.open)

	x, err := OpenFile(fs, path, b.identity(), Options{Once: true})
	require.NoError(t, err)
	fs.fault = own
	_, err = x.Record(4000)
	require.ErrorIs(t, err, own)
	fs.fault = nil
	file, err := fs.OpenFile(Path(path), blockio.ModeReadWrite)
	require.NoError(t, err)
	require.NoError(t, file.Truncate(populateStretch))
	require.NoError(t, file.Close())
	_, err = x.Record(4000)
	require.ErrorIs(t, err, ErrDamaged, "what is gone from the file is not what another index had in this memory")
	require.NoError(t, x.Close())
	require.Zero(t, fs.open)
}
