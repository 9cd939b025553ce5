package actors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

var (
	key1 = actors.ServerKey("$G", "the first key")
	key2 = actors.ServerKey("$G", "the second key")
)

// treeOf returns what is in the files of a file system in memory, the lock file excepted.
func treeOf(t *testing.T, fsys blockio.FS, dir string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	entries, err := fsys.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		name := filepath.Join(dir, e.Name)
		switch {
		case e.IsDir:
			for inner, content := range treeOf(t, fsys, name) {
				found[inner] = content
			}
		case e.Name != "millrace.lock":
			data, err := blockio.ReadFile(fsys, name, 1<<30)
			require.NoError(t, err)
			found[name] = string(data)
		}
	}
	return found
}

// secretStream fills a stream with all that leaves something in files: several blocks, indexes, removals, compactions,
// erasures, a configuration, and something that recovery has set aside.
func secretStream(t *testing.T, config actors.Config) {
	t.Helper()
	s := openToFail(t, config)
	for i := range 60 {
		mustStore(t, s, fmt.Sprintf("secret.%d", i%7), fmt.Sprintf("secret payload %d %s", i, strings.Repeat("secret ", 80)))
	}
	for sequence := uint64(2); sequence < 30; sequence += 2 {
		_, err := s.RemoveMsg(t.Context(), sequence)
		require.NoError(t, err)
	}
	for _, sequence := range []uint64{5, 33} {
		erased, err := s.EraseMsg(t.Context(), sequence)
		require.NoError(t, err)
		require.True(t, erased)
	}
	require.NoError(t, s.Flush(t.Context()))
	eventually(t, func() bool { return s.Stats().Unindexed == 0 })
	require.NoError(t, s.Stop(context.Background()))
	// A torn tail.
	blocks := blockio.NewBlocks(config.FS, filepath.Join(config.Dir, config.Name), config.Name, blockio.BlocksOptions{})
	list, err := blocks.List()
	require.NoError(t, err)
	require.Greater(t, len(list), 3)
	last := list[len(list)-1]
	file, err := config.FS.OpenFile(blocks.Path(last.ID), blockio.ModeReadWrite)
	require.NoError(t, err)
	require.NoError(t, errors.Join(file.Truncate(last.Size-10), file.Sync(), file.Close()))
	require.NoError(t, errors.Join(config.FS.Remove(filepath.Join(config.Dir, config.Name, "msgs", "millrace.end")), config.FS.SyncDir(filepath.Join(config.Dir, config.Name, "msgs"))))
	s = openToFail(t, config)
	mustStore(t, s, "secret.last", "secret payload")
	require.NoError(t, s.Flush(t.Context()))
	eventually(t, func() bool { return s.Stats().Unindexed == 0 })
	require.NoError(t, s.Stop(context.Background()))
	entries, err := config.FS.ReadDir(filepath.Join(config.Dir, config.Name, "lost+found"))
	require.NoError(t, err)
	require.NotEmpty(t, entries)
}

func secretConfig(fsys blockio.FS) actors.Config {
	return actors.Config{
		Dir: "data", Name: "ORDERS", FS: fsys, BlockSize: 4 << 10, IndexFrom: 1, CompactBelow: 90, Compression: actors.On,
		Subjects: []string{"secret.>"}, Duplicates: 1e9,
	}
}

// TestNothingInTheFilesIsPlain: no subject and no payload is written to any file, also for a moment.
func TestNothingInTheFilesIsPlain(t *testing.T) {
	for _, cipher := range []actors.Cipher{actors.CipherChaCha20, actors.CipherAES} {
		t.Run(cipher.String(), func(t *testing.T) {
			spy := newSpyFS(blocktest.NewMemFS())
			config := secretConfig(spy)
			config.Key, config.Cipher = key1, cipher
			secretStream(t, config)
			require.Empty(t, spy.found())
			require.Greater(t, spy.writes.Load(), int64(100))
			require.Empty(t, spy.reused(), "a key stream is used twice")

			s := openToFail(t, config)
			require.Equal(t, 45, len(pictureOf(t, s).messages))
			require.NoError(t, s.Stop(context.Background()))
		})
	}
	t.Run("without a key", func(t *testing.T) { // the spy is awake
		spy := newSpyFS(blocktest.NewMemFS())
		secretStream(t, secretConfig(spy))
		require.Contains(t, strings.Join(spy.found(), " "), "meta.inf")
		require.Contains(t, strings.Join(spy.found(), " "), ".blk")
		require.Contains(t, strings.Join(spy.found(), " "), ".bix")
	})
}

// TestAWrongKeyChangesNothing, nor does none.
func TestAWrongKeyChangesNothing(t *testing.T) {
	mem := blocktest.NewMemFS()
	config := secretConfig(mem)
	config.Key = key1
	secretStream(t, config)
	before := treeOf(t, mem, "data")
	for _, row := range []struct {
		name   string
		change func(c *actors.Config)
		files  func(t *testing.T, mem *blocktest.MemFS)
	}{
		{"none", func(c *actors.Config) { c.Key = nil }, nil},
		{"another", func(c *actors.Config) { c.Key = key2 }, nil},
		{"another, and a third of before", func(c *actors.Config) { c.Key, c.OldKey = key2, actors.ServerKey("$G", "?") }, nil},
		{"another account", func(c *actors.Config) { c.Key = actors.ServerKey("A", "the first key") }, nil},
		{"another, to another cipher", func(c *actors.Config) { c.Key, c.Cipher = key2, actors.CipherAES }, nil},
		{"another, to none", func(c *actors.Config) { c.Key, c.Cipher = key2, actors.CipherNone }, nil},
		{"one that is too short", func(c *actors.Config) {
			c.Key = func(string) ([]byte, error) { return []byte("short"), nil }
		}, nil},
		{"one that fails", func(c *actors.Config) {
			c.Key = func(string) ([]byte, error) { return nil, errors.New("the safe is shut") }
		}, nil},
		{"a block's key file is missing", nil, func(t *testing.T, mem *blocktest.MemFS) { require.NoError(t, mem.Remove("data/ORDERS/msgs/2.key")) }},
		{"a block's key file is cut", nil, func(t *testing.T, mem *blocktest.MemFS) { change(t, mem, "data/ORDERS/msgs/2.key", -1) }},
		{"a block's key file is damaged", nil, func(t *testing.T, mem *blocktest.MemFS) { change(t, mem, "data/ORDERS/msgs/2.key", 30) }},
		{"the stream's key file is damaged", nil, func(t *testing.T, mem *blocktest.MemFS) { change(t, mem, "data/ORDERS/meta.key", 30) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			copied := mem.Clone()
			if row.files != nil {
				row.files(t, copied)
			}
			before := before
			if row.files != nil {
				before = treeOf(t, copied, "data")
			}
			config := config
			config.FS = copied
			if row.change != nil {
				row.change(&config)
			}
			_, err := actors.Open(t.Context(), quiet, config)
			require.ErrorIs(t, err, actors.ErrKey)
			require.Equal(t, before, treeOf(t, copied, "data"))
		})
	}
	t.Run("the stream's key file is missing", func(t *testing.T) {
		copied := mem.Clone()
		require.NoError(t, copied.Remove("data/ORDERS/meta.key"))
		before := treeOf(t, copied, "data")
		config := config
		config.FS = copied
		_, err := actors.Open(t.Context(), quiet, config)
		require.ErrorIs(t, err, actors.ErrMetaLost)
		require.Equal(t, before, treeOf(t, copied, "data"))
		config.RecreateMeta = true
		s := openToFail(t, config)
		require.Equal(t, 45, len(pictureOf(t, s).messages))
		require.NoError(t, s.Stop(context.Background()))
	})
}

// change flips a byte of a file, or with a negative place cuts one off.
func change(t *testing.T, fsys blockio.FS, name string, at int64) {
	t.Helper()
	data, err := blockio.ReadFile(fsys, name, 1<<30)
	require.NoError(t, err)
	if at < 0 {
		data = data[:len(data)-1]
	} else {
		data[at] ^= 4
	}
	require.NoError(t, blockio.ReplaceFile(fsys, name, data))
}

// conversions are from one way to be encrypted to another.
var conversions = []struct {
	name     string
	from, to func(c *actors.Config)
	fail     bool // it fails at each call, too
}{
	{"plain to ChaCha20", func(*actors.Config) {}, func(c *actors.Config) { c.Key = key1 }, true},
	{"plain to AES", func(*actors.Config) {}, func(c *actors.Config) { c.Key, c.Cipher = key1, actors.CipherAES }, false},
	{"ChaCha20 to AES", func(c *actors.Config) { c.Key = key1 }, func(c *actors.Config) { c.Key, c.Cipher = key1, actors.CipherAES }, false},
	{"AES to ChaCha20, with another key", func(c *actors.Config) { c.Key, c.Cipher = key1, actors.CipherAES }, func(c *actors.Config) {
		c.Key, c.OldKey, c.Cipher = key2, key1, actors.CipherChaCha20
	}, true},
	{"AES to plain", func(c *actors.Config) { c.Key, c.Cipher = key1, actors.CipherAES }, func(c *actors.Config) { c.Key, c.Cipher = key1, actors.CipherNone }, true},
	{"another key", func(c *actors.Config) { c.Key = key1 }, func(c *actors.Config) { c.Key, c.OldKey = key2, key1 }, false},
}

// convertible returns the files of a stream that is encrypted in one way, and what is in it.
func convertible(t *testing.T, from func(c *actors.Config)) (*blocktest.MemFS, picture) {
	t.Helper()
	mem := blocktest.NewMemFS()
	config := secretConfig(mem)
	from(&config)
	secretStream(t, config)
	obs := "data/ORDERS/obs/dur"
	require.NoError(t, mem.MkdirAll(obs))
	require.NoError(t, blockio.ReplaceFile(mem, obs+"/meta.inf", []byte(secretConsumer)))
	require.NoError(t, blockio.ReplaceFile(mem, obs+"/meta.sum", []byte(blockio.MetaSum("ORDERS/dur", []byte(secretConsumer)))))
	require.NoError(t, blockio.ReplaceFile(mem, obs+"/o.dat", []byte("secret state")))
	s := openToFail(t, config)
	p := pictureOf(t, s)
	require.NoError(t, s.Stop(context.Background()))
	return mem.Clone(), p
}

const secretConsumer = `{"Created":"2024-01-01T00:00:00Z","Name":"dur","filter_subject":"secret.1"}`

// TestConversions: what is in the stream stays, and nothing of the old form does.
func TestConversions(t *testing.T) {
	for _, row := range conversions {
		t.Run(row.name, func(t *testing.T) {
			mem, want := convertible(t, row.from)
			config := secretConfig(mem)
			row.to(&config)
			for range 2 {
				s := openToFail(t, config)
				require.Equal(t, want, pictureOf(t, s))
				var snapshot bytes.Buffer
				_, err := s.Snapshot(t.Context(), &snapshot, actors.SnapshotOptions{Consumers: true})
				require.NoError(t, err)
				require.Contains(t, unpacked(t, snapshot.Bytes()), secretConsumer)
				require.NoError(t, s.Stop(context.Background()))
				config.OldKey = nil
			}
			encrypted := config.Cipher != actors.CipherNone
			for name, content := range treeOf(t, mem, "data") {
				base := filepath.Base(name)
				require.NotContains(t, base, ".newkey")
				require.NotContains(t, base, ".tmp")
				if encrypted {
					require.NotContains(t, content, "secret", name)
				} else {
					require.NotContains(t, base, ".key")
					require.False(t, strings.HasPrefix(content, "MRSEALED"), name)
				}
			}
			for _, other := range []actors.KeyFunc{nil, actors.ServerKey("$G", "?")} {
				config := config
				if config.Key = other; other == nil {
					config.Cipher = actors.CipherAsStored
				}
				s, err := actors.Open(t.Context(), quiet, config)
				if encrypted {
					require.ErrorIs(t, err, actors.ErrKey)
					continue
				}
				require.NoError(t, err)
				require.Equal(t, want, pictureOf(t, s))
				require.NoError(t, s.Stop(context.Background()))
			}
		})
	}
}

// unpacked returns a snapshot as text, for what is in it.
func unpacked(t *testing.T, snapshot []byte) string {
	t.Helper()
	dir := t.TempDir()
	_, err := actors.Restore(t.Context(), dir, bytes.NewReader(snapshot), actors.RestoreOptions{})
	require.NoError(t, err)
	var all strings.Builder
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all.Write(data)
		return err
	}))
	return all.String()
}

// TestAConversionMayCrashAnywhere, and fail at any call: the next one goes on, and so does one that wants what is stored.
func TestAConversionMayCrashAnywhere(t *testing.T) {
	for _, row := range conversions {
		t.Run(row.name, func(t *testing.T) {
			mem, want := convertible(t, row.from)
			rng := rand.New(rand.NewSource(1))
			config := secretConfig(nil)
			row.to(&config)
			begun := mem.Clone()
			fs := blocktest.NewFaultFS(begun)
			config.FS = fs
			images, stop := takeImages(fs, begun, rng, crashImage{})
			s := openToFail(t, config)
			stop()
			require.NoError(t, s.Stop(context.Background()))
			require.Greater(t, len(*images), 50)
			for i, image := range *images {
				if !actors.EncryptAll() && i%5 != i/5%5 { // one way to crash for each operation
					continue
				}
				if testing.Short() && i%16 != 0 {
					continue
				}
				config := config
				config.FS = image.mem
				if i%3 == 1 {
					config.Cipher = actors.CipherAsStored
				}
				s, err := actors.Open(t.Context(), quiet, config)
				require.NoError(t, err, "%v, %v", image.op, image.mode)
				require.Equal(t, want, pictureOf(t, s), "%v, %v", image.op, image.mode)
				require.NoError(t, s.Stop(context.Background()))
			}
			t.Logf("%d crashes", len(*images))
			faults := 0
			if !row.fail && !actors.EncryptAll() {
				return
			}
			for at := 0; ; at += everyFew() {
				broken := mem.Clone()
				fs := blocktest.NewFaultFS(broken)
				hit := false
				fs.SetHook(func(op blocktest.Op) blocktest.Fault {
					if op.Index != at || op.Kind == blocktest.OpClose {
						return blocktest.Fault{}
					}
					hit = true
					return blocktest.Fault{Err: blocktest.ErrIO}
				})
				config.FS = fs
				s, err := actors.Open(t.Context(), quiet, config)
				fs.SetHook(nil)
				if err == nil {
					require.NoError(t, s.Stop(context.Background()))
				} else {
					require.ErrorIs(t, err, blocktest.ErrInjected)
				}
				if s = openToFail(t, config); hit {
					require.Equal(t, want, pictureOf(t, s), "fault at %d", at)
				}
				require.NoError(t, s.Stop(context.Background()))
				faults++
				if !hit && at > fs.Count() {
					break
				}
			}
			t.Logf("%d faults", faults)
		})
	}
}

// TestReadOnlyOfAnEncryptedStream changes nothing, also where a conversion was cut short.
func TestReadOnlyOfAnEncryptedStream(t *testing.T) {
	for _, row := range conversions {
		mem, want := convertible(t, row.from)
		config := secretConfig(mem)
		row.to(&config)
		fs := blocktest.NewFaultFS(mem)
		config.FS = fs
		fs.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind == blocktest.OpWrite && strings.HasSuffix(op.Name, "4.rewrite.tmp") {
				return blocktest.Fault{Err: blocktest.ErrIO}
			}
			return blocktest.Fault{}
		})
		if s, err := actors.Open(t.Context(), quiet, config); err == nil { // nothing of it is rewritten
			require.NoError(t, s.Stop(context.Background()))
		}
		before := treeOf(t, mem, "data")
		config.FS, config.ReadOnly = mem, true
		s := openToFail(t, config)
		got := pictureOf(t, s)
		want.limits, got.limits = actors.Limits{}, actors.Limits{}
		require.Equal(t, want, got, row.name)
		report, err := s.Verify(t.Context(), actors.VerifyOptions{})
		require.NoError(t, err)
		require.Zero(t, report.Damage, row.name)
		require.NoError(t, s.Stop(context.Background()))
		require.Equal(t, before, treeOf(t, mem, "data"))
	}
}

// TestASnapshotIsRestoredEncrypted, and no file of it is plain for a moment.
func TestASnapshotIsRestoredEncrypted(t *testing.T) {
	mem, want := convertible(t, func(c *actors.Config) { c.Key = key1 })
	config := secretConfig(mem)
	config.Key = key1
	s := openToFail(t, config)
	var snapshot bytes.Buffer
	_, err := s.Snapshot(t.Context(), &snapshot, actors.SnapshotOptions{Consumers: true})
	require.NoError(t, err)
	require.NoError(t, s.Stop(context.Background()))
	for _, cipher := range []actors.Cipher{actors.CipherAsStored, actors.CipherAES} {
		spy := newSpyFS(blocktest.NewMemFS())
		_, err = actors.Restore(t.Context(), "data", bytes.NewReader(snapshot.Bytes()), actors.RestoreOptions{FS: spy, Key: key2, Cipher: cipher})
		require.NoError(t, err)
		require.Empty(t, spy.found())
		config.FS, config.Key, config.Cipher = spy, key2, actors.CipherAsStored
		s = openToFail(t, config)
		require.Equal(t, want.messages, pictureOf(t, s).messages)
		var again bytes.Buffer
		_, err = s.Snapshot(t.Context(), &again, actors.SnapshotOptions{Consumers: true})
		require.NoError(t, err)
		require.Contains(t, unpacked(t, again.Bytes()), secretConsumer)
		require.NoError(t, s.Stop(context.Background()))
		require.Empty(t, spy.found())
		require.Empty(t, spy.reused())
	}
	_, err = actors.Restore(t.Context(), "data", bytes.NewReader(nil), actors.RestoreOptions{Cipher: actors.CipherAES})
	require.ErrorIs(t, err, actors.ErrConfig)
}

// TestKeysOutliveRestarts: a stream that is opened and stopped keeps all its key files as they are, and a new block has a key on
// the disk before anything is in it.
func TestKeysOutliveRestarts(t *testing.T) {
	mem := blocktest.NewMemFS()
	config := secretConfig(mem)
	config.Key = key1
	secretStream(t, config)
	keys := func() map[string]string {
		found := treeOf(t, mem.CrashImage(blocktest.DropUnsynced, nil), "data")
		for name := range found {
			if !strings.HasSuffix(name, ".key") {
				delete(found, name)
			}
		}
		return found
	}
	before := keys()
	require.Greater(t, len(before), 5)
	for range 3 {
		s := openToFail(t, config)
		require.Equal(t, 45, len(pictureOf(t, s).messages))
		require.NoError(t, s.Stop(context.Background()))
		require.Equal(t, before, keys())
	}
	s := openToFail(t, config)
	mustStore(t, s, "secret.more", strings.Repeat("x", 5000))
	image := mem.CrashImage(blocktest.DropUnsynced, nil)
	require.NoError(t, s.Stop(context.Background()))
	require.Greater(t, len(keys()), len(before))
	config.FS = image
	s = openToFail(t, config)
	require.Equal(t, 46, len(pictureOf(t, s).messages))
	require.NoError(t, s.Stop(context.Background()))
}

// TestAStoreThatWasStoppedGoesOnInItsBlock, and one that crashed begins another: what it wrote last may be on the disk behind
// what is found, under the same key.
func TestAStoreThatWasStoppedGoesOnInItsBlock(t *testing.T) {
	mem := blocktest.NewMemFS()
	config := secretConfig(mem)
	config.Key, config.BlockSize = key1, 1<<20
	blocks := func() int {
		list, err := blockio.NewBlocks(config.FS, "data/ORDERS", "ORDERS", blockio.BlocksOptions{}).List()
		require.NoError(t, err)
		return len(list)
	}
	for range 3 {
		s := openToFail(t, config)
		mustStore(t, s, "secret.1", "secret")
		require.Equal(t, 1, blocks())
		require.NoError(t, s.Stop(context.Background()))
	}
	s := openToFail(t, config)
	mustStore(t, s, "secret.1", "secret")
	config.FS = mem.CrashImage(blocktest.KeepAll, nil)
	require.NoError(t, s.Stop(context.Background()))
	s = openToFail(t, config)
	require.Equal(t, 1, blocks())
	mustStore(t, s, "secret.1", "secret")
	require.Equal(t, 2, blocks())
	require.Equal(t, 5, len(pictureOf(t, s).messages))
	require.NoError(t, s.Stop(context.Background()))
}

// everyFew is the distance between the calls that fail: in a short run only some of them do.
func everyFew() int {
	if testing.Short() {
		return 17
	}
	return 1
}
