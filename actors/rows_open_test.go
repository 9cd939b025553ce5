package actors_test

import (
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestRowsOfOpen are the rows of what is refused when a stream is opened, and of what comes before what.
func TestRowsOfOpen(t *testing.T) {
	for _, row := range []struct {
		name string
		set  func(c *actors.Config, files *blocktest.FaultFS, dir string)
		want error
	}{
		{"B.6 open: no name", func(c *actors.Config, _ *blocktest.FaultFS, _ string) { c.Name = "" }, actors.ErrConfig},
		{"B.6 open: a storage that is no file", func(_ *actors.Config, files *blocktest.FaultFS, dir string) {
			meta := blockio.NewStreamMeta("ORDERS", time.Now())
			meta.Storage = "memory"
			require.NoError(t, files.MkdirAll(dir))
			require.NoError(t, blockio.WriteMeta(files, dir, "ORDERS", meta))
		}, actors.ErrUnsupported},
		{"B.6 open: BlockSize above 8 MiB", func(c *actors.Config, _ *blocktest.FaultFS, _ string) { c.BlockSize = 8<<20 + 1 }, actors.ErrConfig},
		{"B.6 open: a directory that cannot be made", func(_ *actors.Config, files *blocktest.FaultFS, _ string) {
			files.SetHook(blocktest.FailFrom(0, blocktest.ErrIO, blocktest.OpMkdir))
		}, blocktest.ErrIO},
		{"B.6 open: a directory that cannot be written", func(_ *actors.Config, files *blocktest.FaultFS, _ string) {
			files.SetHook(blocktest.FailFrom(0, blocktest.ErrIO, blocktest.OpCreate))
		}, blocktest.ErrIO},
		{"B.6 open: encrypted, without a key", func(_ *actors.Config, files *blocktest.FaultFS, dir string) {
			require.NoError(t, files.MkdirAll(dir))
			require.NoError(t, blockio.ReplaceFile(files, dir+"/meta.key", []byte("key")))
		}, actors.ErrKey},
	} {
		t.Run(row.name, func(t *testing.T) {
			files := blocktest.NewFaultFS(blocktest.NewMemFS())
			config := actors.Config{Dir: "data", Name: "ORDERS", FS: files}
			row.set(&config, files, "data/ORDERS")
			for range 2 {
				_, err := actors.Open(t.Context(), quiet, config)
				require.ErrorIs(t, err, row.want)
			}
		})
	}
	behaves(t, "B.6 open: the limits are applied in the order of a store", func(c *actors.Config) { c.MaxMsgs, c.MaxMsgsPer = 2, 1 }, func(r *world) {
		r.put("a", "b", "b")
		r.stays("2 2000 1@1 3@3 [2] 2") // MaxMsgs first would remove the first, which had its place
	})
	behaves(t, "B.6 open: MaxAge is applied", nil, func(r *world) {
		r.foo(12)
		r.reopen(func(c *actors.Config) { c.MaxAge = 10 * time.Second })
		r.stays("10 10000 3@3 12@12 [] 2")
	})
	behaves(t, "B.6 open: with delete markers nothing goes for its age before anybody can be told", func(c *actors.Config) {
		c.MaxAge, c.SubjectDeleteMarkerTTL = 10*time.Second, 10*time.Second
	}, func(r *world) {
		r.put("a")
		r.stop()
		waitFor(20 * time.Second)
		r.s = open(r.T, r.config)
		waitFor(time.Second)
		require.Equal(r, map[string]uint64{"a": 2}, markersOf(r.T, r.s))
		r.live(2)
	})
	behaves(t, "B.6 open: nobody is told of what it removes, a taker is told what there is", nil, func(r *world) {
		r.foo(12)
		r.reopen(func(c *actors.Config) { c.MaxMsgs = 3 })
		h := listen(r.T, r.Context(), r.s)
		require.Equal(r, []string{"registered +0 +3000 0"}, h.take(r.T))
	})
	behaves(t, "B.6 open: of a new stream, writes its meta file", func(c *actors.Config) { c.MaxMsgs = 7 }, func(r *world) {
		meta, err := blockio.ReadMeta(r.config.FS, "data/ORDERS", "ORDERS")
		require.NoError(r, err)
		require.Equal(r, int64(7), meta.MaxMsgs)
	})
	behaves(t, "B.6 open: limits are applied again", func(c *actors.Config) { c.MaxMsgs, c.MaxMsgsPer = 5, 2 }, func(r *world) {
		r.put("a", "b", "a", "b", "a", "c", "a", "c", "c")
		r.stays("5 5000 4@4 9@9 [6] 3")
	})
	for _, row := range []struct {
		name string
		low  func(*actors.Config)
		want string
	}{
		{"B.6 open: a larger MaxMsgs brings nothing back", func(c *actors.Config) { c.MaxMsgs = 3 }, "3 3000 10@10 12@12 [] 2"},
		{"B.6 open: a larger MaxBytes brings nothing back", func(c *actors.Config) { c.MaxBytes = 3000 }, "3 3000 10@10 12@12 [] 2"},
		{"B.6 open: a larger MaxMsgsPer brings nothing back", func(c *actors.Config) { c.MaxMsgsPer = 2 }, "4 4000 9@9 12@12 [] 2"},
		{"B.6 open: a larger MaxAge brings nothing back", func(c *actors.Config) { c.MaxAge = 3500 * time.Millisecond }, "4 4000 9@9 12@12 [] 2"},
	} {
		behaves(t, row.name, row.low, func(r *world) {
			r.foo(12)
			r.is(row.want)
			r.config.MaxMsgs, r.config.MaxBytes, r.config.MaxMsgsPer, r.config.MaxAge = -1, -1, -1, -1
			r.crashed(func(s *actors.Store) { requireShape(r.T, s, r.begin, row.want) })
			r.reopen(nil)
			r.stays(row.want)
		})
	}
}

// TestRowsOfLevels are the rows of what an acknowledgement promises, and of when a block is full.
func TestRowsOfLevels(t *testing.T) {
	for _, row := range []struct {
		name  string
		level actors.SyncLevel
		after time.Duration
		mode  blocktest.CrashMode
	}{
		{"B.6 SyncAlways: survives a loss of power", actors.SyncAlways, 0, blocktest.DropUnsynced},
		{"B.6 SyncInterval: survives a kill, and a loss of power after SyncEvery", actors.SyncInterval, 0, blocktest.KeepAll},
		{"B.6 AsyncFlush: survives a kill after 15 ms", actors.SyncNever, 15 * time.Millisecond, blocktest.KeepAll},
	} {
		behaves(t, row.name, func(c *actors.Config) { c.Sync, c.SyncEvery = row.level, 5*time.Second }, func(r *world) {
			r.foo(12)
			mustRemove(r.T, r.s, 3)
			waitFor(row.after)
			survives := func(mode blocktest.CrashMode) {
				config := r.config
				config.FS = r.disk().CrashImage(mode, rand.New(rand.NewSource(1)))
				s := open(r.T, config)
				requireShape(r.T, s, r.begin, "11 11000 1@1 12@12 [3] 2")
				require.NoError(r, s.Stop(r.Context()))
			}
			survives(row.mode)
			if row.level == actors.SyncInterval {
				waitFor(6 * time.Second)
				survives(blocktest.DropUnsynced)
			}
		})
	}
	blocks := func(r *world, want int) {
		r.Helper()
		require.Equal(r, uint64(want), r.s.Stats().Blocks)
	}
	behaves(t, "B.6 BlockSize: a record that does not fit begins a block", nil, func(r *world) {
		r.put("a", "a", "a")
		blocks(r, 1)
		r.put("a")
		blocks(r, 2)
	})
	behaves(t, "B.6 BlockSize: a larger record has a block of its own", nil, func(r *world) {
		for range 2 {
			mustStore(r.T, r.s, "a", string(make([]byte, 10_000)))
		}
		blocks(r, 2)
		r.put("a")
		blocks(r, 3)
		r.stays("3 21062 1@0 3@1 [] 1")
	})
	behaves(t, "B.6 BlockSize: delete records count", nil, func(r *world) {
		r.put("a", "a", "a", "a", "a")
		for range 40 {
			sequence := mustStore(r.T, r.s, "b", "").Sequence
			mustRemove(r.T, r.s, sequence)
		}
		require.Greater(r, r.s.Stats().Blocks, uint64(2))
	})
	behaves(t, "B.6 BlockSize: fixed while it is open", nil, func(r *world) {
		r.update(func(c *actors.Config) { c.BlockSize = 1 << 20 })
		r.put("a", "a", "a", "a")
		blocks(r, 2)
		r.reopen(func(c *actors.Config) { c.BlockSize = 1 << 20 })
		r.put("a", "a", "a", "a")
		blocks(r, 2)
	})
}

// TestRowsOfBlockSizes are the rows of the default size of a block.
func TestRowsOfBlockSizes(t *testing.T) {
	const mib = 1 << 20
	for _, row := range []struct {
		name      string
		maxBytes  int64
		retention string
		want      int // bytes
	}{
		{"B.6.1 block size: a quarter of MaxBytes is up to 32,000", 127_900, "", 32_000},
		{"B.6.1 block size: a quarter of MaxBytes is less than 8 MiB", 31 * mib, "", 4 * mib},
		{"B.6.1 block size: a quarter of MaxBytes is 8 MiB", 32 * mib, "", 8 * mib},
		{"B.6.1 block size: unlimited", 0, "", 8 * mib},
		{"B.6.1 block size: unlimited, of an interest stream", 0, "interest", 4 * mib},
		{"B.6.1 block size: unlimited, of a work queue", 0, "workqueue", 4 * mib},
		{"B.6.1 block size: encrypted", 0, "", 2 * mib},
	} {
		behaves(t, row.name, func(c *actors.Config) {
			c.BlockSize, c.MaxBytes, c.Discard, c.Sync = 0, row.maxBytes, actors.DiscardNew, actors.SyncNever
			if strings.Contains(row.name, "encrypted") {
				c.Key = key1
			}
			if row.retention != "" {
				meta := blockio.NewStreamMeta("ORDERS", time.Now())
				meta.Retention = row.retention
				require.NoError(t, c.FS.MkdirAll("data/ORDERS"))
				require.NoError(t, blockio.WriteMeta(c.FS, "data/ORDERS", "ORDERS", meta))
			}
		}, func(r *world) {
			size := row.want / 32
			n := 0
			for ; r.s.Stats().Blocks < 2; n++ {
				mustStore(r.T, r.s, "a", string(make([]byte, size-61))) // a mark takes 30 bytes
			}
			require.Equal(r, 33, n)
		})
	}
}
