package millracestorage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// randomBatch is a batch on a few keys, and what it makes of a model.
func randomBatch(random *rand.Rand, number int) (ops []*storage.Operation, change func(model map[string]string)) {
	for range 1 + random.Intn(4) {
		key := fmt.Sprint(random.Intn(12))
		if random.Intn(3) == 0 {
			ops = append(ops, storage.DeleteOperation(key))
		} else {
			ops = append(ops, storage.SetOperation(key, fmt.Appendf(nil, "%d %s", number, bytes.Repeat([]byte("."), random.Intn(300)))))
		}
	}
	return ops, func(model map[string]string) {
		for _, op := range ops {
			delete(model, op.Key)
			if op.Type == storage.Set {
				model[op.Key] = string(op.Value)
			}
		}
	}
}

// contents are all keys with their values.
func contents(t *testing.T, c *client) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, c.Walk(t.Context(), func(key string, value []byte) ([]*storage.Operation, error) {
		found[key] = string(value)
		return nil, nil
	}))
	return found
}

// TestPowerLossKeepsBatchesWhole cuts the power at random moments of random batches: what is there then is as after the last
// one that returned, or as after the one that was under way.
func TestPowerLossKeepsBatchesWhole(t *testing.T) {
	crashes := 150
	if testing.Short() {
		crashes = 30
	}
	e := newExtension(zap.NewNop(), &Config{})
	defer func() { require.NoError(t, e.Shutdown(context.Background())) }()
	for seed := range int64(crashes) {
		random := rand.New(rand.NewSource(seed))
		memory := blocktest.NewMemFS()
		faulty := blocktest.NewFaultFS(memory)
		e.config = &Config{Directory: "/storage", fs: faulty, blockSize: 4 << 10, FSync: true}
		c := newClient(t, e, "a", "")
		model := map[string]string{}
		faulty.SetHook(blocktest.CrashAt(faulty.Count() + random.Intn(150)))
		var change func(map[string]string)
		for n, err := 0, error(nil); err == nil; n++ {
			var ops []*storage.Operation
			ops, change = randomBatch(random, n)
			if err = c.Batch(t.Context(), ops...); err == nil {
				change(model)
			}
		}
		require.True(t, faulty.Crashed())
		_ = c.Close(t.Context())
		mode := blocktest.CrashModes[random.Intn(len(blocktest.CrashModes))]
		e.config = &Config{Directory: "/storage", fs: memory.CrashImage(mode, random), blockSize: 4 << 10, FSync: true}
		c = newClient(t, e, "a", "")
		found := contents(t, c)
		after := maps.Clone(model)
		change(after)
		if !maps.Equal(found, model) && !maps.Equal(found, after) {
			t.Errorf("seed %d, %v: found %v, want %v or %v", seed, mode, found, model, after)
		}
		require.NoError(t, c.Close(t.Context()))
	}
}

// TestAFaultThatPassesIsNotSeen fails one operation of the disk, each in turn, below batches.
func TestAFaultThatPassesIsNotSeen(t *testing.T) {
	for at := range int64(20) {
		faulty := blocktest.NewFaultFS(blocktest.NewMemFS())
		c := newClient(t, newTest(t, faulty, func(c *Config) { c.Timeout = time.Minute }), "a", "")
		require.NoError(t, c.Set(t.Context(), "old", []byte("value")))
		var seen atomic.Int64
		faulty.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind != blocktest.OpRead && op.Kind != blocktest.OpStat && seen.Add(1) == at+1 {
				return blocktest.Fault{Err: blocktest.ErrIO}
			}
			return blocktest.Fault{}
		})
		for i := range 20 {
			require.NoError(t, c.Batch(t.Context(), storage.SetOperation(fmt.Sprint(i), make([]byte, 500)), storage.DeleteOperation("old")), "fault %d", at)
		}
		require.Len(t, contents(t, c), 20)
		require.NoError(t, c.Close(t.Context()))
	}
}

// TestAFullDisk has no room, and then room again.
func TestAFullDisk(t *testing.T) {
	faulty := blocktest.NewFaultFS(blocktest.NewMemFS())
	c := newClient(t, newTest(t, faulty, func(c *Config) { c.Timeout = 0 }), "a", "")
	require.NoError(t, c.Set(t.Context(), "key", []byte("value")))
	faulty.SetHook(blocktest.FailFrom(0, blocktest.ErrNoSpace, blocktest.OpWrite, blocktest.OpCreate, blocktest.OpSync))
	require.ErrorIs(t, c.Set(t.Context(), "key", []byte("another")), storage.ErrStorageFull)
	require.Equal(t, []byte("value"), value(t, c, "key"))
	faulty.SetHook(nil)
	require.NoError(t, c.store.Ready(t.Context()))
	require.NoError(t, c.Set(t.Context(), "key", []byte("another")))
	require.Equal(t, []byte("another"), value(t, c, "key"))
}

// TestMaxSize fills a client, overwrites and deletes what is there, and goes on.
func TestMaxSize(t *testing.T) {
	c := newClient(t, newTest(t, blocktest.NewMemFS(), func(c *Config) { c.MaxSize = 10_000 }), "a", "")
	ctx, item := t.Context(), make([]byte, 1000)
	count, err := 0, error(nil)
	for ; err == nil; count++ {
		err = c.Batch(ctx, storage.SetOperation(fmt.Sprint(count), item), storage.SetOperation("wi", fmt.Append(nil, count)))
	}
	require.ErrorIs(t, err, storage.ErrStorageFull)
	require.Equal(t, 10, count)
	require.Nil(t, value(t, c, "9"), "all or nothing")
	require.Equal(t, []byte("8"), value(t, c, "wi"))
	require.NoError(t, c.Set(ctx, "3", item), "it is no more than before")
	require.ErrorIs(t, c.Set(ctx, "3", make([]byte, 3000)), storage.ErrStorageFull)
	require.NoError(t, c.Batch(ctx, storage.SetOperation("ri", []byte("1")), storage.DeleteOperation("0")))
	require.NoError(t, c.Set(ctx, "9", item))
	require.ErrorIs(t, c.Set(ctx, "10", item), storage.ErrStorageFull)
}

// TestAnyDamageLeavesTheRest damages each file of a client in each way: it starts, all that is found is as it was stored,
// and it works.
func TestAnyDamageLeavesTheRest(t *testing.T) {
	dir := t.TempDir()
	of := func(c *Config) { c.Directory, c.blockSize = dir, 4<<10 }
	e := newTest(t, nil, of)
	c := newClient(t, e, "a", "")
	want := map[string]string{}
	for i := range 60 {
		want[fmt.Sprint(i)] = fmt.Sprint(i, " ", string(bytes.Repeat([]byte("x"), 200)))
		require.NoError(t, c.Set(t.Context(), fmt.Sprint(i), []byte(want[fmt.Sprint(i)])))
	}
	require.NoError(t, e.Shutdown(t.Context()))
	sound := readAll(t, dir)
	names := slices.Sorted(maps.Keys(sound))
	require.Greater(t, len(names), 4)
	for how, damage := range map[string]func(content []byte) []byte{
		"gone":  func([]byte) []byte { return nil },
		"empty": func([]byte) []byte { return []byte{} },
		"cut":   func(content []byte) []byte { return content[:len(content)/2] },
		"zeros": func(content []byte) []byte { return make([]byte, len(content)) },
		"a bit": func(content []byte) []byte { content[len(content)/2] ^= 4; return content },
		"noise": func(content []byte) []byte { rand.New(rand.NewSource(1)).Read(content); return content },
		"noise at start": func(content []byte) []byte {
			rand.New(rand.NewSource(2)).Read(content[:min(20, len(content))])
			return content
		},
		"more": func(content []byte) []byte { return append(content, "what does not belong here"...) },
	} {
		for _, name := range names {
			if len(sound[name]) == 0 {
				continue // the lock
			}
			t.Run(how+" "+filepath.Base(name), func(t *testing.T) {
				restore(t, dir, sound)
				if content := damage(slices.Clone(sound[name])); content == nil {
					require.NoError(t, os.Remove(name))
				} else {
					require.NoError(t, os.WriteFile(name, content, 0o600))
				}
				e := newTest(t, nil, of)
				c := newClient(t, e, "a", "")
				found := contents(t, c)
				for key, got := range found {
					require.Equal(t, want[key], got, "key %s", key)
					require.Equal(t, got, string(value(t, c, key)))
				}
				for key := range want {
					_, err := c.Get(t.Context(), key)
					require.NoError(t, err)
				}
				require.GreaterOrEqual(t, len(found), 35, "more is lost than a block of 4 KiB")
				require.NoError(t, c.Set(t.Context(), "new", []byte("value")))
				require.Equal(t, []byte("value"), value(t, c, "new"))
				require.NoError(t, e.Shutdown(t.Context()))
			})
		}
	}
}

// readAll reads all files below a directory.
func readAll(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	require.NoError(t, filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		found[name], err = os.ReadFile(name)
		return err
	}))
	return found
}

// restore makes the files of a directory those that it had.
func restore(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	for name, content := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o750))
		require.NoError(t, os.WriteFile(name, content, 0o600))
	}
}

// TestErrorsOfLargeValues stores what no message can hold.
func TestErrorsOfLargeValues(t *testing.T) {
	c := newClient(t, newTest(t, blocktest.NewMemFS(), nil), "a", "")
	err := c.Batch(t.Context(), storage.SetOperation("small", nil), storage.SetOperation("large", make([]byte, 33<<20)))
	require.ErrorIs(t, err, actors.ErrTooLarge)
	require.False(t, errors.Is(err, storage.ErrStorageFull))
	require.Nil(t, value(t, c, "small"))
}
