package actors_test

import (
	"fmt"
	"math/rand"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// promises is how many messages are promised to be there after a crash.
type promises struct{ killed, powerless uint64 }

// keep notes that so many messages were acknowledged at a level.
func (p *promises) keep(level actors.SyncLevel, n uint64) {
	switch level {
	case actors.SyncAlways:
		p.killed, p.powerless = n, n
	case actors.SyncInterval:
		p.killed = n
	}
}

// promisedImages has the files as a crash at every operation would leave them, with what was promised then.
type promisedImages struct {
	files *blocktest.MemFS
	mu    sync.Mutex // guards what follows
	kept  promises
	list  []promisedImage
}

type promisedImage struct {
	mode  blocktest.CrashMode
	files *blocktest.MemFS
	kept  promises
}

func (c *promisedImages) promise(f func(*promises)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.kept)
}

// hook is for a FaultFS over the files.
func (c *promisedImages) hook(op blocktest.Op) blocktest.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, mode := range blocktest.CrashModes {
		c.list = append(c.list, promisedImage{mode, c.files.CrashImage(mode, rand.New(rand.NewSource(int64(len(c.list))))), c.kept})
	}
	return blocktest.Fault{}
}

// TestTheSyncLevelChangesWhileTheStoreRuns, from each to each, and a crash at any operation leaves what was promised: at
// the time of the acknowledgement, and with the answer to the change that all before it is as safe as the new level says.
func TestTheSyncLevelChangesWhileTheStoreRuns(t *testing.T) {
	for _, from := range levels {
		for _, to := range levels {
			t.Run(fmt.Sprint(from, " to ", to), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					images := &promisedImages{files: blocktest.NewMemFS()}
					faults := blocktest.NewFaultFS(images.files)
					config := named(faults, from, func(c *actors.Config) { c.BlockSize, c.SyncEvery = 4<<10, time.Hour })
					s := open(t, config)
					faults.SetHook(images.hook)
					stored := uint64(0)
					fill := func(level actors.SyncLevel) {
						for range 6 {
							ack := mustStore(t, s, "a", string(make([]byte, 1000)))
							stored = ack.Sequence
							images.promise(func(p *promises) { p.keep(level, stored) })
						}
					}
					for range 2 {
						fill(from)
						require.NoError(t, s.UpdateConfig(t.Context(), actors.Config{Name: "ORDERS", Sync: to}))
						if from != to {
							images.promise(func(p *promises) { *p = promises{stored, stored} })
							require.Equal(t, stored, stateOf(t, s).Durable)
						}
						fill(to)
						require.NoError(t, s.UpdateConfig(t.Context(), actors.Config{Name: "ORDERS", MaxMsgs: int64(100 + stored)}), "keeps the level")
						fill(to)
						from, to = to, from
					}
					require.NoError(t, s.Stop(t.Context()))
					faults.SetHook(nil)
					for i, image := range images.list {
						want := image.kept.powerless
						if image.mode == blocktest.KeepAll {
							want = image.kept.killed
						}
						s := open(t, named(image.files, actors.SyncAlways))
						for sequence := range want {
							_, err := s.LoadMsg(t.Context(), sequence+1)
							require.NoError(t, err, "image %d, %v", i, image.mode)
						}
						require.NoError(t, s.Stop(t.Context()))
					}
				})
			})
		}
	}
}

// TestTheSyncLevelByPID is the same for an actor; zeros keep what is in force.
func TestTheSyncLevelByPID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, named(blocktest.NewMemFS(), actors.SyncNever))
		c := newClient(t, 10)
		update := func(config actors.Config) error {
			config.Name = "ORDERS"
			return c.ask(t, s, &actors.UpdateConfigRequest{Config: config}).(*actors.UpdateConfigReply).Err
		}
		durable := func() bool {
			ack := mustStore(t, s, "a", "x")
			return stateOf(t, s).Durable == ack.Sequence
		}
		require.False(t, durable())
		require.NoError(t, update(actors.Config{MaxMsgs: 10}))
		require.False(t, durable())
		require.NoError(t, update(actors.Config{Sync: actors.SyncAlways, MaxMsgs: 9}))
		require.True(t, durable())
		require.NoError(t, update(actors.Config{MaxMsgs: 10}))
		require.True(t, durable())
		require.NoError(t, update(actors.Config{Sync: actors.SyncInterval, SyncEvery: time.Hour}))
		require.False(t, durable())
		waitFor(time.Minute)
		require.Less(t, stateOf(t, s).Durable, stateOf(t, s).LastSequence)
		require.NoError(t, update(actors.Config{SyncEvery: time.Second}))
		waitFor(2 * time.Second)
		require.Equal(t, stateOf(t, s).LastSequence, stateOf(t, s).Durable, "what was written an hour before its sync")
		require.ErrorIs(t, update(actors.Config{Sync: 9}), actors.ErrConfig)
		require.NoError(t, s.Stop(t.Context()))
	})
}

// TestFlushToSystemSurvivesAKill, by handle and by PID, and costs no sync.
func TestFlushToSystemSurvivesAKill(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		synctest.Test(t, func(t *testing.T) {
			files := blocktest.NewMemFS()
			faults := blocktest.NewFaultFS(files)
			s := open(t, named(faults, level, func(c *actors.Config) { c.SyncEvery = time.Hour }))
			c := newClient(t, 10)
			flushes := []func() error{
				func() error { return s.FlushToSystem(t.Context()) },
				func() error { return c.ask(t, s, &actors.FlushRequest{ToSystem: true}).(*actors.FlushReply).Err },
			}
			mustStore(t, s, "a", "x")
			for _, flush := range flushes {
				require.NoError(t, flush())
				syncs := faults.CountOf(blocktest.OpSync)
				ack := mustStore(t, s, "a", "x")
				require.NoError(t, flush())
				if level != actors.SyncAlways {
					require.Equal(t, syncs, faults.CountOf(blocktest.OpSync))
				}
				image := open(t, named(files.CrashImage(blocktest.KeepAll, rand.New(rand.NewSource(1))), level))
				require.Equal(t, ack.Sequence, stateOf(t, image).LastSequence)
				require.NoError(t, image.Stop(t.Context()))
				require.NoError(t, flush(), "with nothing to write")
			}
			require.NoError(t, s.Stop(t.Context()))
			require.ErrorIs(t, s.FlushToSystem(t.Context()), actors.ErrStopped)
		})
	})
}
