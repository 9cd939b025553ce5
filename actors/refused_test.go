package actors_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// treeAsItIs returns of everything below a directory, and of itself, the kind, the mode, the time of the last change, and of files a
// hash of what they hold.
func treeAsItIs(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		about := fmt.Sprint(info.Mode(), " ", info.ModTime().UnixNano())
		if entry.Type().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			about += fmt.Sprintf(" %d %x", len(content), sha256.Sum256(content))
		}
		tree[path] = about
		return nil
	}))
	return tree
}

// refusedStream is a stream with everything that its directory can have, stopped: full blocks with indexes, one that goes on, and
// a removed message.
func refusedStream(t *testing.T, config actors.Config) {
	t.Helper()
	s, err := actors.Open(t.Context(), quiet, config)
	require.NoError(t, err)
	for i := range 40 {
		mustStore(t, s, fmt.Sprint("a.", i%7), strings.Repeat("x", 400))
	}
	removed, err := s.RemoveMsg(t.Context(), 7)
	require.NoError(t, err)
	require.True(t, removed)
	require.NoError(t, s.Flush(t.Context()))
	eventually(t, func() bool { return s.Stats().Unindexed == 0 })
	require.NoError(t, s.Stop(t.Context()))
}

// changeMeta changes members of a stream's meta.inf, and makes its sum right.
func changeMeta(t *testing.T, dir, stream string, members map[string]any) {
	t.Helper()
	path := filepath.Join(dir, "meta.inf")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	all := map[string]any{}
	require.NoError(t, json.Unmarshal(data, &all))
	for name, value := range members {
		all[name] = value
	}
	data, err = json.Marshal(all)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "meta.sum"), []byte(blockio.MetaSum(stream, data)), 0o600))
}

// TestARefusedDirectoryStaysAsItIs: names, bytes, modes and times of all that is in it, and its own, whatever it is that Open
// refuses, and also when it is refused again.
func TestARefusedDirectoryStaysAsItIs(t *testing.T) {
	write := func(name string, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
	}
	member := func(name string, value any) func(*testing.T, string) {
		return func(t *testing.T, dir string) { changeMeta(t, dir, "S", map[string]any{name: value}) }
	}
	flip := func(name string, at int64) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			data, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			data[at] ^= 1
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
		}
	}
	remove := func(names ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, name := range names {
				require.NoError(t, os.Remove(filepath.Join(dir, name)))
			}
		}
	}
	encrypted := func(c *actors.Config) { c.Key = key1 }
	for _, row := range []struct {
		name   string
		made   func(*actors.Config) // nil: plain
		spoil  func(t *testing.T, dir string)
		config func(*actors.Config)
		want   error
	}{
		{name: "a limit that is none", config: func(c *actors.Config) { c.BlockSize = 1 }, want: actors.ErrConfig},
		{name: "a name that is none", config: func(c *actors.Config) { c.Name = "a/b" }, want: actors.ErrConfig},
		{name: "a name that differs in case alone", config: func(c *actors.Config) { c.Name = "s" }, want: actors.ErrConfig},
		{name: "a subject that is none", config: func(c *actors.Config) { c.Subjects = []string{"a..b"} }, want: actors.ErrConfig},
		{name: "a configuration of a server that is another stream's",
			config: func(c *actors.Config) { c.StreamConfig = []byte(`{"name":"T"}`) }, want: actors.ErrConfig},
		{name: "the meta of another stream", spoil: func(t *testing.T, dir string) { changeMeta(t, dir, "S", map[string]any{"name": "T"}) }, want: blockio.ErrName},
		{name: "a later level of the interface", spoil: member("metadata", map[string]string{"_nats.req.level": "9"}), want: actors.ErrUnsupported},
		{name: "storage in memory", spoil: member("storage", "memory"), want: actors.ErrUnsupported},
		{name: "a retention that nobody knows", spoil: member("retention", "moon"), want: actors.ErrUnsupported},
		{name: "a discard policy that nobody knows", spoil: member("discard", "moon"), want: actors.ErrUnsupported},
		{name: "a compression that nobody knows", spoil: member("compression", "moon"), want: actors.ErrUnsupported},
		{name: "a block compressed as nobody knows", spoil: write("msgs/2.blk", "cmp\x09and what follows, long enough for a header"), want: actors.ErrUnsupported},
		{name: "meta.inf is damaged", spoil: flip("meta.inf", 20), want: actors.ErrMetaLost},
		{name: "meta.inf is empty", spoil: write("meta.inf", ""), want: actors.ErrMetaLost},
		{name: "meta.inf is no JSON", spoil: write("meta.inf", "<html>"), want: actors.ErrMetaLost},
		{name: "meta.inf is missing", spoil: remove("meta.inf"), want: actors.ErrMetaLost},
		{name: "both meta files are missing", spoil: remove("meta.inf", "meta.sum"), want: actors.ErrMetaLost},
		{name: "meta.sum is wrong", spoil: write("meta.sum", "6c203205f37b85f0"), want: actors.ErrMetaLost},
		{name: "no key", made: encrypted, config: func(c *actors.Config) { c.Key = nil }, want: actors.ErrKey},
		{name: "another key", made: encrypted, config: func(c *actors.Config) { c.Key = key2 }, want: actors.ErrKey},
		{name: "another key, and another cipher", made: encrypted, config: func(c *actors.Config) { c.Key, c.Cipher = key2, actors.CipherAES }, want: actors.ErrKey},
		{name: "another key, and none from now on", made: encrypted, config: func(c *actors.Config) { c.Key, c.Cipher = key2, actors.CipherNone }, want: actors.ErrKey},
		{name: "a key that cannot be had", made: encrypted,
			config: func(c *actors.Config) { c.Key = func(string) ([]byte, error) { return nil, fs.ErrPermission } }, want: actors.ErrKey},
		{name: "the key of a block is missing", made: encrypted, spoil: remove("msgs/2.key"), config: encrypted, want: actors.ErrKey},
		{name: "the key of a block is damaged", made: encrypted, spoil: flip("msgs/2.key", 30), config: encrypted, want: actors.ErrKey},
		{name: "the key of the stream is damaged", made: encrypted, spoil: flip("meta.key", 30), config: encrypted, want: actors.ErrKey},
		{name: "the key of the stream is missing", made: encrypted, spoil: remove("meta.key"), config: encrypted, want: actors.ErrMetaLost},
	} {
		for _, owner := range []string{"of ours", "of a server", "read-only"} {
			t.Run(row.name+", "+owner, func(t *testing.T) {
				config := actors.Config{Dir: t.TempDir(), Name: "S", BlockSize: 4 << 10, IndexFrom: 1, Sync: actors.SyncNever}
				if row.made != nil {
					row.made(&config)
				}
				refusedStream(t, config)
				dir := filepath.Join(config.Dir, config.Name)
				if owner == "of a server" { // it knows nothing of a lock
					require.NoError(t, os.Remove(filepath.Join(dir, blockio.LockFile)))
				}
				if row.spoil != nil {
					row.spoil(t, dir)
				}
				if row.config != nil {
					row.config(&config)
				}
				config.ReadOnly = owner == "read-only"
				before := treeAsItIs(t, config.Dir)
				for range 2 {
					s, err := actors.Open(t.Context(), quiet, config)
					switch {
					case err == nil && config.ReadOnly: // who only reads needs less
						require.NoError(t, s.Stop(t.Context()))
					case config.ReadOnly && errors.Is(err, fs.ErrNotExist): // and makes no stream
					default:
						require.ErrorIs(t, err, row.want)
					}
					require.Equal(t, before, treeAsItIs(t, config.Dir))
				}
			})
		}
	}
}

// TestWhoIsRefusedForTheLockChangesNothing of a stream that another store has open, whatever else is wrong.
func TestWhoIsRefusedForTheLockChangesNothing(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "S", BlockSize: 4 << 10, IndexFrom: 1}
	refusedStream(t, config)
	s := open(t, config)
	mustStore(t, s, "a", "x")
	require.NoError(t, s.Flush(t.Context()))
	for name, change := range map[string]func(*actors.Config){
		"the same": func(*actors.Config) {}, "other limits": func(c *actors.Config) { c.MaxMsgs = 1 }, "a key": func(c *actors.Config) { c.Key = key1 },
		"a new configuration": func(c *actors.Config) { c.RecreateMeta = true },
	} {
		t.Run(name, func(t *testing.T) {
			other := config
			change(&other)
			before := treeAsItIs(t, config.Dir)
			_, err := actors.Open(t.Context(), quiet, other)
			require.ErrorIs(t, err, actors.ErrLocked)
			require.ErrorContains(t, err, "this process")
			require.Equal(t, before, treeAsItIs(t, config.Dir))
		})
	}
	require.NoError(t, s.Stop(context.Background()))
}
