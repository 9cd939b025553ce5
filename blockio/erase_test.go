package blockio_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// secret is in the payload of message 3 of a changeWorld with one, and nowhere else.
var secret = []byte("nobody is to read this")

// plant puts a secret into message 3, and into what was set aside: whole, torn, cut short, and of another block.
// It returns where message 3 is.
func (w *changeWorld) plant(t testing.TB) (offset int64, size int) {
	t.Helper()
	payload := bytes.Repeat(secret, 40)
	record := func(id uint32) []byte {
		return blockio.NewRecordCodec("S", id).AppendMessage(nil, 3, 1, "subject", nil, payload)
	}
	key := blockio.NewRecordCodec("S", 1)
	before := message(key, 2, 900)
	offset, size = int64(len(before)), len(record(1))
	w.old = append(append(before, record(1)...), message(key, 4, 30)...)
	put := func(name string, data []byte) { require.NoError(t, blockio.ReplaceFile(w.memory, name, data)) }
	put("/s/msgs/1.blk", w.old)
	require.NoError(t, w.memory.MkdirAll("/s/lost+found"))
	torn := append(append(before, record(1)...), message(key, 4, 30)...)
	clear(torn[1024:1536])
	put("/s/lost+found/1-0-1.bin", w.old)
	put("/s/lost+found/1-0-2.bin", torn)
	put("/s/lost+found/1-0-3.bin", w.old[:len(before)+size-10])
	put("/s/lost+found/7-30-4.bin", append(before, record(7)...))
	put("/s/lost+found/notes.txt", []byte("are not ours"))
	unfinished, err := w.memory.OpenFile("/s/lost+found/1-0-5.bin.tmp", blockio.ModeCreate)
	require.NoError(t, err)
	_, err = unfinished.WriteAt(w.old, 0)
	require.NoError(t, err)
	put("/s/msgs/1.rewrite", w.old)
	require.NoError(t, w.memory.Rename("/s/msgs/1.rewrite", "/s/msgs/1.rewrite.tmp"))
	put("/s/msgs/1.bix", secret)
	require.NoError(t, w.memory.SyncDir("/s/msgs"))
	require.NoError(t, w.memory.SyncDir("/s/lost+found"))
	return offset, size
}

// holders returns the files in which a text is.
func holders(t testing.TB, fsys blockio.FS, text []byte) (names []string) {
	t.Helper()
	for _, dir := range []string{"/s/msgs", "/s/lost+found"} {
		entries, err := fsys.ReadDir(dir)
		require.NoError(t, err)
		for _, entry := range entries {
			file, err := fsys.OpenFile(filepath.Join(dir, entry.Name), blockio.ModeRead)
			require.NoError(t, err)
			data := make([]byte, entry.Size)
			_, err = file.ReadAt(data, 0)
			require.True(t, err == nil || len(data) == 0)
			require.NoError(t, file.Close())
			if bytes.Contains(data, text) {
				names = append(names, entry.Name)
			}
		}
	}
	return names
}

// eraseAll is what a store does to erase message 3.
func (w *changeWorld) eraseAll(offset int64, size int) error {
	if err := w.blocks.Erase(1, 3, offset, size, rand.Reader, derived...); err != nil {
		return err
	}
	_, err := w.blocks.EraseAside(3, rand.Reader)
	return err
}

// TestAnErasedMessageIsInNoFile, and everything else is as it was; once it is acknowledged, also after a crash.
func TestAnErasedMessageIsInNoFile(t *testing.T) {
	var offset int64
	var size int
	var old []byte
	eachCrash(t, func(w *changeWorld) error {
		offset, size = w.plant(t)
		old = w.old
		require.Len(t, holders(t, w.memory, secret), 8)
		return w.eraseAll(offset, size)
	}, func(image *blocktest.MemFS, done bool) {
		w := newChangeWorld(t)
		w.open(image)
		data, err := w.blocks.ReadAll(1, nil)
		require.NoError(t, err)
		require.Equal(t, old[:offset], data[:offset])
		require.Equal(t, old[int(offset)+size:], data[int(offset)+size:])
		intact := bytes.Equal(old, data)
		for _, name := range besides {
			require.True(t, intact || !has(t, image, name), "%s beside a block that was changed", name)
		}
		scan := blockio.ScanBlock("", 1, w.blocks.Codec(1), data, false, nil)
		if scan.DamageCount > 0 {
			require.Equal(t, []uint64{3}, scan.Lost)
			require.False(t, done)
		}
		if done {
			require.Empty(t, holders(t, image, secret))
			require.Empty(t, holders(t, image, secret[:8]))
			return
		}
		// What a crash has left of it is erased by another try.
		if scan.DamageCount == 0 {
			require.NoError(t, w.eraseAll(offset, size))
			require.Empty(t, holders(t, image, secret))
		}
	})
}

// TestAFailedErase: whichever operation fails, the caller is told, and the next try ends it.
func TestAFailedErase(t *testing.T) {
	for at := 0; ; at++ {
		w := newChangeWorld(t)
		offset, size := w.plant(t)
		w.faults.SetHook(blocktest.FailAt(at, blocktest.ErrNoSpace))
		err := w.eraseAll(offset, size)
		w.faults.SetHook(nil)
		if err == nil {
			require.Greater(t, at, 20)
			require.Empty(t, holders(t, w.memory, secret))
			break
		}
		require.ErrorIs(t, err, blocktest.ErrNoSpace, "operation %d", at)
		w.open(w.memory)
		require.NoError(t, w.eraseAll(offset, size), "operation %d", at)
		require.Empty(t, holders(t, w.memory, secret), "operation %d", at)
	}
}

// TestWhatIsNotErased: any other record than the one that is asked for.
func TestWhatIsNotErased(t *testing.T) {
	w := newChangeWorld(t)
	offset, size := w.plant(t)
	for name, erase := range map[string]func() error{
		"another sequence": func() error { return w.blocks.Erase(1, 4, offset, size, rand.Reader) },
		"another place":    func() error { return w.blocks.Erase(1, 3, offset+1, size, rand.Reader) },
		"another size":     func() error { return w.blocks.Erase(1, 3, offset, size-1, rand.Reader) },
		"beyond the block": func() error { return w.blocks.Erase(1, 3, int64(len(w.old))-9, size, rand.Reader) },
		"no record's size": func() error { return w.blocks.Erase(1, 3, offset, 3, rand.Reader) },
		"below the block":  func() error { return w.blocks.Erase(1, 3, -1, size, rand.Reader) },
		"no sequence":      func() error { return w.blocks.Erase(1, 0, offset, size, rand.Reader) },
	} {
		require.ErrorIs(t, erase(), blockio.ErrOffset, name)
		data, err := w.blocks.ReadAll(1, nil)
		require.NoError(t, err)
		require.Equal(t, w.old, data, name)
	}
	none := errors.New("no randomness")
	require.ErrorIs(t, w.blocks.Erase(1, 3, offset, size, failingReader{none}), none)
	require.NoError(t, w.blocks.OpenTail(1, int64(len(w.old))))
	require.ErrorIs(t, w.blocks.Erase(1, 3, offset, size, rand.Reader), blockio.ErrOpen)
	require.NoError(t, w.blocks.Close())
	putBlock(t, w.memory, "/s", 1, append([]byte("cmp\x02"), w.old...))
	require.ErrorIs(t, w.blocks.Erase(1, 3, offset+4, size, rand.Reader), blockio.ErrCompressed)

	damaged := bytes.Clone(w.old)
	damaged[int(offset)+100] ^= 1
	putBlock(t, w.memory, "/s", 1, damaged)
	require.NoError(t, w.blocks.Erase(1, 3, offset, size, rand.Reader), "what does not verify, and says what it is")
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// TestNobodyLeasesWhatWasErased: also not as an earlier generation of the block.
func TestNobodyLeasesWhatWasErased(t *testing.T) {
	w := newChangeWorld(t)
	offset, size := w.plant(t)
	cached := lease(t, w.source, 1, lookUp)
	require.NoError(t, w.blocks.Rewrite(1, 5, w.old))
	requireContent(t, w.source, ref(1), w.old)
	require.NoError(t, w.eraseAll(offset, size))
	require.True(t, cached.Forgotten())
	_, err := w.source.Lease(ref(1), lookUp)
	require.ErrorIs(t, err, blockio.ErrSuperseded)
	b, err := w.source.Lease(generation(1, 5), lookUp)
	require.NoError(t, err)
	require.False(t, bytes.Contains(contentOf(t, b), secret))
	b.Release()
	cached.Release()
}

// TestASectorOfACopyThatCannotBeRead may hold the message: the caller is told, and what can be read is erased.
func TestASectorOfACopyThatCannotBeRead(t *testing.T) {
	w := newChangeWorld(t)
	one := w.blocks.Codec(1).AppendMessage(nil, 3, 1, "a", nil, make([]byte, 993)) // two sectors
	const aside = "/s/lost+found/1-0-1.bin"
	require.NoError(t, w.memory.MkdirAll(filepath.Dir(aside)))
	require.NoError(t, blockio.ReplaceFile(w.memory, aside, bytes.Repeat(one, 3)))
	w.faults.Spoil(aside, 1024, 1536)
	n, err := w.blocks.EraseAside(3, rand.Reader)
	var unreadable *blockio.UnreadableError
	require.ErrorAs(t, err, &unreadable)
	require.Equal(t, 2, n)
	w.faults.Heal()
	n, err = w.blocks.EraseAside(3, rand.Reader)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}
