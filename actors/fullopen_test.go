package actors_test

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// brimful is a file system without room for a single byte: what makes a file, makes it larger, or makes a directory is
// ENOSPC. To write over what is there, to cut and to remove it still works.
type brimful struct {
	blockio.FS
}

func (b *brimful) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	if mode == blockio.ModeCreate || mode == blockio.ModeReplace {
		return nil, fmt.Errorf("create %s: %w", name, blocktest.ErrNoSpace)
	}
	file, err := b.FS.OpenFile(name, mode)
	if err != nil {
		return nil, err
	}
	return &brimfulFile{file, name}, nil
}

func (b *brimful) MkdirAll(name string) error {
	if _, err := b.ReadDir(name); err != nil {
		return fmt.Errorf("mkdir %s: %w", name, blocktest.ErrNoSpace)
	}
	return b.FS.MkdirAll(name)
}

func (b *brimful) Lock(name, holder string) (io.Closer, error) { return b.FS.Lock(name, holder) }

type brimfulFile struct {
	blockio.File
	name string
}

func (f *brimfulFile) WriteAt(p []byte, offset int64) (int, error) {
	stat, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if offset+int64(len(p)) > stat.Size {
		return 0, fmt.Errorf("write %s at %d: %w", f.name, offset, blocktest.ErrNoSpace)
	}
	return f.File.WriteAt(p, offset)
}

func (f *brimfulFile) Truncate(size int64) error {
	stat, err := f.Stat()
	if err != nil {
		return err
	}
	if size > stat.Size {
		return fmt.Errorf("truncate %s: %w", f.name, blocktest.ErrNoSpace)
	}
	return f.File.Truncate(size)
}

// TestAStreamOpensOnADiskWithoutRoom, however it was left, and whatever of its limits has come due since.
func TestAStreamOpensOnADiskWithoutRoom(t *testing.T) {
	base := actors.Config{BlockSize: 8 << 10, IndexFrom: 1}
	limited := func(set func(*actors.Config)) actors.Config {
		c := base
		set(&c)
		return c
	}
	for _, c := range []struct {
		name   string
		config actors.Config
		wait   time.Duration // before it is opened
		do     func(t *testing.T, s *actors.Store)
		kept   uint64
	}{
		{name: "nothing came due", config: base, kept: 100},
		{name: "all have become too old", config: limited(func(c *actors.Config) { c.MaxAge = time.Minute }), wait: time.Hour,
			kept: 12}, // in the last block, which goes when there is room for another
		{name: "purged", config: base, do: func(t *testing.T, s *actors.Store) {
			_, err := s.Purge(t.Context())
			require.NoError(t, err)
		}},
		{name: "some were removed", config: base, kept: 98, do: func(t *testing.T, s *actors.Store) {
			for _, sequence := range []uint64{3, 50} {
				_, err := s.RemoveMsg(t.Context(), sequence)
				require.NoError(t, err)
			}
		}},
		{name: "a limit evicts", config: limited(func(c *actors.Config) { c.MaxMsgs = 20 }), kept: 20},
		{name: "one for each subject", config: limited(func(c *actors.Config) { c.MaxMsgsPer = 1 }), kept: 10},
		{name: "TTLs", config: limited(func(c *actors.Config) { c.AllowMsgTTL = actors.On }), wait: time.Hour, kept: 100},
		{name: "lazy", config: limited(func(c *actors.Config) { c.Sync = actors.SyncInterval }), kept: 100},
		{name: "compressed", config: limited(func(c *actors.Config) { c.Compression = actors.On }), kept: 100},
		{name: "encrypted", config: limited(func(c *actors.Config) { c.Key = actors.ServerKey("$G", "a key that is long enough, perhaps") }), kept: 100},
	} {
		for _, end := range []string{"stopped", "killed", "torn"} {
			if c.name == "encrypted" && end == "torn" {
				continue // tearTail does not know its key
			}
			t.Run(c.name+", "+end, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					memory := blocktest.NewMemFS()
					config := c.config
					config.Dir, config.Name, config.FS, config.NoPreallocation = "data", "S", memory, end == "torn"
					s := openToFail(t, config)
					for i := range 100 {
						mustStore(t, s, fmt.Sprintf("s.%d", i%10), string(make([]byte, 300)))
					}
					if c.do != nil {
						c.do(t, s)
					}
					require.NoError(t, s.Flush(t.Context()))
					files := memory
					switch end {
					case "killed":
						files = memory.CrashImage(blocktest.KeepAll, nil)
					case "torn":
						image := memory.CrashImage(blocktest.KeepAll, nil)
						tearTail(t, image, "data/S/msgs")
						files = image
					}
					require.NoError(t, s.Stop(t.Context()))
					<-time.After(c.wait)
					config.FS = &brimful{FS: files}
					s, err := actors.Open(t.Context(), quiet, config)
					require.NoError(t, err)
					state := stateOf(t, s)
					require.Equal(t, c.kept, state.Messages)
					require.Zero(t, state.LostMessages)
					for m, err := range s.Messages(t.Context()) {
						require.NoError(t, err)
						require.Len(t, m.Payload, 300)
					}
					_ = s.Stop(t.Context()) // which may have no room for what it leaves

					// With room again all is as it was.
					config.FS = files
					s = openToFail(t, config)
					if c.wait == 0 {
						require.Equal(t, c.kept, stateOf(t, s).Messages)
					}
					mustStore(t, s, "later", "x")
					require.NoError(t, s.Stop(t.Context()))
				})
			})
		}
	}
}

// TestAStreamThatIsTooOldMakesItsOwnRoom: it has filled the disk to the last byte, and is opened when all of it has
// become too old. Then the store takes messages.
func TestAStreamThatIsTooOldMakesItsOwnRoom(t *testing.T) {
	for _, index := range []int64{-1, 1} {
		synctest.Test(t, func(t *testing.T) {
			config := actors.Config{Name: "S", BlockSize: 64 << 10, MaxAge: time.Hour, IndexFrom: index}
			s, files := fullDisk(t, 512<<10, config)
			_ = s.Stop(t.Context())
			files.Grow(-files.Free())
			require.Zero(t, files.Free())
			<-time.After(2 * time.Hour)
			config.Dir, config.FS = "data", files
			s = openToFail(t, config)
			<-time.After(time.Minute)
			require.Zero(t, stateOf(t, s).Messages)
			require.False(t, s.Stats().Failed)
			require.Greater(t, files.Free(), int64(256<<10))
			mustStore(t, s, "a", "x")
			require.NoError(t, s.Stop(t.Context()))
		})
	}
}

// tearTail appends what is left of a commit to the last block.
func tearTail(t *testing.T, files blockio.FS, dir string) {
	t.Helper()
	entries, err := files.ReadDir(dir)
	require.NoError(t, err)
	last, name := 0, ""
	for _, entry := range entries {
		var n int
		if _, err := fmt.Sscanf(entry.Name, "%d.blk", &n); err == nil && n > last {
			last, name = n, entry.Name
		}
	}
	blocks := blockio.NewBlocks(files, "data/S", "S", blockio.BlocksOptions{})
	size := int64(0)
	list, err := blocks.List()
	require.NoError(t, err)
	for _, b := range list {
		if b.ID == uint32(last) {
			size = b.Size
		}
	}
	file, err := files.OpenFile(dir+"/"+name, blockio.ModeReadWrite)
	require.NoError(t, err)
	mark := make([]byte, blockio.EmptyRecordSize)
	blocks.Codec(uint32(last)).PutFrameMark(mark, 500, 7)
	_, err = file.WriteAt(append(mark, 1, 2, 3), size)
	require.NoError(t, err)
	require.NoError(t, file.Sync())
	require.NoError(t, file.Close())
}

// TestDiscardOldKeepsItsPromiseOnAFullDisk: below its limits a stream has no message too many, so none goes for want of
// room. What it may do without is for its owner to say.
func TestDiscardOldKeepsItsPromiseOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, files := fullDisk(t, 512<<10, actors.Config{Discard: actors.DiscardOld, MaxMsgs: 100_000, BlockSize: 64 << 10})
		before := stateOf(t, s)
		for range 10 {
			<-time.After(20 * time.Second)
			_, err := s.StoreMsg(t.Context(), "a", nil, make([]byte, 1000))
			require.ErrorIs(t, err, actors.ErrNoSpace)
		}
		after := stateOf(t, s)
		require.Equal(t, before.FirstSequence, after.FirstSequence)
		require.Equal(t, before.Messages, after.Messages)
		files.Grow(8 << 10) // for the record of the removal
		require.NoError(t, s.UpdateConfig(t.Context(), actors.Config{Name: s.Name(), MaxMsgs: 50}))
		require.NoError(t, s.Ready(t.Context()))
		mustStore(t, s, "a", "x")
		require.Equal(t, uint64(50), stateOf(t, s).Messages)
		require.NoError(t, s.Stop(t.Context()))
	})
}
