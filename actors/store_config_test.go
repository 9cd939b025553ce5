package actors_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// raise is a limit that removes messages, and a larger one under which they would fit.
type raise struct {
	name      string
	low, high func(*actors.Config)
	left      []uint64 // of twenty messages
}

// raises are over twenty messages of 500 bytes, a second apart, odd ones of subject a, even ones of b.
var raises = []raise{
	{"MaxMsgs", func(c *actors.Config) { c.MaxMsgs = 5 }, func(c *actors.Config) { c.MaxMsgs = 20 }, sequences(16, 20)},
	{"MaxMsgs lifted", func(c *actors.Config) { c.MaxMsgs = 5 }, func(c *actors.Config) { c.MaxMsgs = -1 }, sequences(16, 20)},
	{"MaxBytes", func(c *actors.Config) { c.MaxBytes = 5 * 531 }, func(c *actors.Config) { c.MaxBytes = 100 * 531 }, sequences(16, 20)},
	{"MaxAge", func(c *actors.Config) { c.MaxAge = 5 * time.Second }, func(c *actors.Config) { c.MaxAge = time.Hour }, sequences(16, 20)},
	{"MaxAge lifted", func(c *actors.Config) { c.MaxAge = 5 * time.Second }, func(c *actors.Config) { c.MaxAge = -1 }, sequences(16, 20)},
	{"MaxMsgsPer", func(c *actors.Config) { c.MaxMsgsPer = 2 }, func(c *actors.Config) { c.MaxMsgsPer = 9 }, sequences(17, 20)},
	{"MaxMsgsPer lifted", func(c *actors.Config) { c.MaxMsgsPer = 2 }, func(c *actors.Config) { c.MaxMsgsPer = -1 }, sequences(17, 20)},
	{"MaxMsgsPer lowered, and MaxMsgs", func(c *actors.Config) { c.MaxMsgs = 5 }, func(c *actors.Config) { c.MaxMsgsPer = 1 }, sequences(19, 20)},
	{"discard old to new", func(c *actors.Config) { c.MaxMsgs, c.Discard = 5, actors.DiscardOld },
		func(c *actors.Config) { c.MaxMsgs, c.Discard = 30, actors.DiscardNew }, sequences(16, 20)},
}

// named returns a configuration in memory of one stream.
func named(files blockio.FS, level actors.SyncLevel, set ...func(*actors.Config)) actors.Config {
	config := inMemory()
	config.Name, config.FS, config.Sync = "ORDERS", files, level
	for _, f := range set {
		f(&config)
	}
	return config
}

// fill stores the messages of a raise.
func (r *raise) fill(t *testing.T, s *actors.Store) {
	t.Helper()
	for i := 1; i <= 20; i++ {
		mustStore(t, s, []string{"b", "a"}[i%2], string(make([]byte, 500)))
		if i < 20 {
			waitFor(time.Second)
		}
	}
	waitFor(300 * time.Millisecond) // for MaxAge to come by
}

// TestRaisingALimitBringsNothingBack, at Open and while the store runs, however it is opened after that.
func TestRaisingALimitBringsNothingBack(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		for _, row := range raises {
			for _, how := range []string{"at Open", "at Open after a kill", "while running"} {
				t.Run(row.name+", "+how, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						files := blocktest.NewMemFS()
						s := open(t, named(files, level, row.low))
						row.fill(t, s)
						if how == "while running" {
							require.NoError(t, s.UpdateConfig(t.Context(), named(nil, level, row.high)))
						} else {
							if how == "at Open" {
								require.NoError(t, s.Stop(t.Context()))
							} else {
								require.NoError(t, s.Flush(t.Context()))
							}
							files = files.Clone()
							s = open(t, named(files, level, row.high))
						}
						for _, then := range []string{"then", "reopened", "after a kill", "with no limit"} {
							got, damage := collect(t, s)
							require.Equal(t, row.left, got, then)
							require.Empty(t, damage)
							require.Equal(t, row.left[0], stateOf(t, s).FirstSequence, then)
							require.Equal(t, uint64(20), stateOf(t, s).LastSequence)
							require.Zero(t, stateOf(t, s).LostMessages)
							switch then {
							case "reopened":
								files = files.CrashImage(blocktest.DropUnsynced, rand.New(rand.NewSource(1)))
								s = open(t, named(files, level))
							case "after a kill":
								require.NoError(t, s.Stop(t.Context()))
								s = open(t, named(files, level, func(c *actors.Config) { c.MaxMsgs, c.MaxBytes, c.MaxAge, c.MaxMsgsPer = -1, -1, -1, -1 }))
							default:
								require.NoError(t, s.Stop(t.Context()))
								s = open(t, named(files, level))
							}
						}
					})
				})
			}
		}
	})
}

// TestACrashWhileALimitIsRaised, at every operation on the disk: there are the old limits or the new ones, and the
// messages that were there.
func TestACrashWhileALimitIsRaised(t *testing.T) {
	for _, row := range raises {
		for _, atOpen := range []bool{true, false} {
			t.Run(fmt.Sprint(row.name, ", at Open ", atOpen), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					files := blocktest.NewMemFS()
					s := open(t, named(files, actors.SyncAlways, row.low))
					row.fill(t, s)
					require.NoError(t, s.Stop(t.Context()))
					crashed := false
					for at := 0; at == 0 || crashed; at++ {
						disk := files.Clone()
						faulty := blocktest.NewFaultFS(disk)
						changed := named(faulty, actors.SyncAlways, row.high)
						changed.NoRecovery = true
						if atOpen {
							faulty.SetHook(blocktest.CrashAt(at))
							if s, err := actors.Open(t.Context(), quiet, changed); err == nil {
								_ = s.Stop(t.Context())
							}
						} else {
							s := openToFail(t, named(faulty, actors.SyncAlways, func(c *actors.Config) { c.NoRecovery = true }))
							faulty.SetHook(blocktest.CrashAt(faulty.Count() + at))
							_ = s.UpdateConfig(t.Context(), changed)
							_ = s.Stop(t.Context())
						}
						crashed = faulty.Crashed()
						for _, mode := range blocktest.CrashModes {
							image := disk.CrashImage(mode, rand.New(rand.NewSource(int64(at))))
							blocks := image.Clone()
							if err := blocks.Remove(filepath.Join("data", "ORDERS", "msgs", blockio.StateFile)); !errors.Is(err, fs.ErrNotExist) {
								require.NoError(t, err)
							}
							row.checkRaised(t, image, fmt.Sprintf("crash at %d, %v", at, mode))
							row.checkRaised(t, blocks, fmt.Sprintf("crash at %d, %v, from the blocks alone", at, mode))
						}
					}
				})
			})
		}
	}
}

// checkRaised opens what a crash has left.
func (row *raise) checkRaised(t *testing.T, image *blocktest.MemFS, name string) {
	t.Helper()
	s := open(t, named(image, actors.SyncAlways))
	got, _ := collect(t, s)
	if row.name == "MaxMsgsPer lowered, and MaxMsgs" && len(got) == 5 {
		require.Equal(t, sequences(16, 20), got, name)
	} else {
		require.Equal(t, row.left, got, name)
	}
	require.Zero(t, stateOf(t, s).LostMessages, name)
	require.NoError(t, s.Stop(t.Context()))
}

// TestUpdateConfigRefused are the rows of what is refused, with nothing changed.
func TestUpdateConfigRefused(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", MaxMsgs: 5}
	s := open(t, config)
	for _, row := range []struct {
		name   string
		config actors.Config
	}{
		{"an empty name", actors.Config{MaxMsgs: 1}},
		{"a changed name", actors.Config{Name: "OTHERS", MaxMsgs: 1}},
		{"DiscardNewPer while old ones are discarded", actors.Config{Name: "ORDERS", MaxMsgs: 1, MaxMsgsPer: 1, DiscardNewPer: actors.On}},
		{"DiscardNewPer without MaxMsgsPer", actors.Config{Name: "ORDERS", MaxMsgs: 1, Discard: actors.DiscardNew, DiscardNewPer: actors.On}},
		{"schedules where new ones are discarded", actors.Config{Name: "ORDERS", MaxMsgs: 1, Discard: actors.DiscardNew, AllowMsgSchedules: actors.On}},
		{"what Open refuses", actors.Config{Name: "ORDERS", MaxMsgs: 1, MaxAge: time.Microsecond}},
	} {
		t.Run(row.name, func(t *testing.T) { require.ErrorIs(t, s.UpdateConfig(t.Context(), row.config), actors.ErrConfig) })
	}
	for range 9 {
		mustStore(t, s, "a", "")
	}
	require.Equal(t, uint64(5), stateOf(t, s).Messages)
	require.NoError(t, s.Stop(t.Context()))
	require.ErrorIs(t, s.UpdateConfig(t.Context(), config), actors.ErrStopped, "closed")
}

// TestUpdateConfigRows are the rows of what a change does to ten messages, of subjects a, b, c, a, b, c, ..., a second
// apart: the same at once and when the stream is opened again.
func TestUpdateConfigRows(t *testing.T) {
	const size = 531
	for _, row := range []struct {
		name        string
		before, set func(*actors.Config)
		left        []uint64
	}{
		{"MaxMsgs lowered", nil, func(c *actors.Config) { c.MaxMsgs = 3 }, sequences(8, 10)},
		{"MaxBytes lowered", nil, func(c *actors.Config) { c.MaxBytes = 2*size + 1 }, sequences(9, 10)},
		{"MaxAge lowered", nil, func(c *actors.Config) { c.MaxAge = 4500 * time.Millisecond }, sequences(7, 10)},
		{"MaxMsgsPer lowered", nil, func(c *actors.Config) { c.MaxMsgsPer = 1 }, sequences(8, 10)},
		{"MaxMsgsPer lowered to two", nil, func(c *actors.Config) { c.MaxMsgsPer = 2 }, sequences(5, 10)},
		{"MaxMsgsPer that was limited", func(c *actors.Config) { c.MaxMsgsPer = 3 }, func(c *actors.Config) { c.MaxMsgsPer = 2 }, sequences(5, 10)},
		{"MaxMsgs first and then MaxMsgsPer", nil, func(c *actors.Config) { c.MaxMsgs, c.MaxMsgsPer = 4, 1 }, sequences(8, 10)},
		{"growing removes nothing", func(c *actors.Config) { c.MaxMsgs, c.MaxMsgsPer, c.MaxAge = 6, 5, time.Hour },
			func(c *actors.Config) { c.MaxMsgs, c.MaxMsgsPer, c.MaxAge = 7, 6, 2*time.Hour }, sequences(5, 10)},
		{"discard new removes nothing", nil, func(c *actors.Config) { c.MaxMsgs, c.MaxBytes, c.Discard = 3, size, actors.DiscardNew }, sequences(1, 10)},
		{"discard new removes by MaxMsgsPer", nil, func(c *actors.Config) { c.MaxMsgsPer, c.Discard = 1, actors.DiscardNew }, sequences(8, 10)},
		{"discard new to old", func(c *actors.Config) { c.Discard = actors.DiscardNew },
			func(c *actors.Config) { c.MaxMsgs, c.Discard = 3, actors.DiscardOld }, sequences(8, 10)},
		{"MaxMsgsPer below -1 is no limit", func(c *actors.Config) { c.MaxMsgsPer = 3 }, func(c *actors.Config) { c.MaxMsgsPer = -7 }, sequences(2, 10)},
		{"FirstSequence is ignored", nil, func(c *actors.Config) { c.FirstSequence = 1000 }, sequences(1, 10)},
		{"zero keeps what is stored", func(c *actors.Config) { c.MaxMsgs = 4 }, func(*actors.Config) {}, sequences(7, 10)},
	} {
		t.Run(row.name, func(t *testing.T) {
			atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
				synctest.Test(t, func(t *testing.T) {
					files := blocktest.NewMemFS()
					config := named(files, level)
					if row.before != nil {
						row.before(&config)
					}
					s := open(t, config)
					for i := range 10 {
						mustStore(t, s, []string{"a", "b", "c"}[i%3], string(make([]byte, 500)))
						waitFor(time.Second)
					}
					require.NoError(t, s.UpdateConfig(t.Context(), named(nil, level, row.set)))
					check := func(when string) {
						t.Helper()
						got, _ := collect(t, s)
						require.Equal(t, row.left, got, when)
						state := stateOf(t, s)
						require.Equal(t, uint64(len(row.left)), state.Messages)
						require.Equal(t, uint64(len(row.left))*size, state.Bytes)
						require.Equal(t, uint64(10), state.LastSequence)
					}
					check("at once")
					require.NoError(t, s.Stop(t.Context()))
					s = open(t, named(files, level, row.set))
					check("reopened")
				})
			})
		})
	}
}

// TestLimitsInForceAfterAChange are those of the change, for what is stored after it.
func TestLimitsInForceAfterAChange(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", MaxMsgsPer: 2, Discard: actors.DiscardNew, DiscardNewPer: actors.On}
	s := open(t, config)
	refused := func(want error) {
		t.Helper()
		_, err := s.StoreMsg(t.Context(), "a", nil, []byte("xy"))
		require.ErrorIs(t, err, want)
	}
	refused(nil)
	refused(nil)
	refused(actors.ErrMaxMsgsPerSubject)
	set := func(c actors.Config) {
		t.Helper()
		c.Name = "ORDERS"
		require.NoError(t, s.UpdateConfig(t.Context(), c))
	}
	set(actors.Config{DiscardNewPer: actors.Off})
	refused(nil) // it takes the place of the oldest
	require.Equal(t, uint64(2), stateOf(t, s).Messages)
	set(actors.Config{MaxMsgsPer: 3, DiscardNewPer: actors.On})
	refused(nil)
	refused(actors.ErrMaxMsgsPerSubject)
	require.ErrorIs(t, s.UpdateConfig(t.Context(), actors.Config{Name: "ORDERS", MaxMsgsPer: -1}), actors.ErrConfig)
	require.ErrorIs(t, s.UpdateConfig(t.Context(), actors.Config{Name: "ORDERS", Discard: actors.DiscardOld}), actors.ErrConfig)
	set(actors.Config{MaxMsgsPer: -1, MaxMsgs: 3, DiscardNewPer: actors.Off})
	refused(actors.ErrMaxMsgs)
	set(actors.Config{Discard: actors.DiscardOld, MaxMsgSize: 1})
	refused(actors.ErrTooLarge)
	set(actors.Config{MaxMsgSize: -1})
	refused(nil)
	require.Equal(t, uint64(3), stateOf(t, s).Messages)
	require.NoError(t, s.Stop(t.Context()))
	s = open(t, actors.Config{Dir: config.Dir})
	refused(nil)
	require.Equal(t, sequences(4, 6), func() []uint64 { got, _ := collect(t, s); return got }())
	meta, err := blockio.ReadMeta(blockio.OS, filepath.Join(config.Dir, "ORDERS"), "ORDERS")
	require.NoError(t, err)
	require.Equal(t, int64(3), meta.MaxMsgs)
	require.Equal(t, int64(-1), meta.MaxMsgsPerSubject)
	require.False(t, meta.DiscardNewPerSubj)
}

// TestAConfigurationThatCannotBeStored leaves the old one in force, whichever operation on the disk fails.
func TestAConfigurationThatCannotBeStored(t *testing.T) {
	errDisk := errors.New("no room")
	for _, row := range raises {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				files := blocktest.NewMemFS()
				s := open(t, named(files, actors.SyncAlways, row.low))
				row.fill(t, s)
				require.NoError(t, s.Stop(t.Context()))
				for at := 0; ; at++ {
					disk := files.Clone()
					faulty := blocktest.NewFaultFS(disk)
					s := openToFail(t, named(faulty, actors.SyncAlways, func(c *actors.Config) { c.RetryMin = time.Millisecond }))
					var failed atomic.Bool
					fail := blocktest.FailAt(faulty.Count()+at, errDisk)
					faulty.SetHook(func(op blocktest.Op) blocktest.Fault {
						f := fail(op)
						if f.Err != nil {
							failed.Store(true)
						}
						return f
					})
					err := s.UpdateConfig(t.Context(), named(nil, actors.SyncAlways, row.high))
					faulty.SetHook(nil)
					waitFor(time.Second) // for the store to recover
					got, _ := collect(t, s)
					if row.name == "MaxMsgsPer lowered, and MaxMsgs" && len(got) == 5 {
						require.Equal(t, sequences(16, 20), got)
					} else if row.name[:6] != "MaxAge" { // which goes on
						require.Equal(t, row.left, got, "failure of %d", at)
					}
					_ = s.Stop(t.Context())
					s = open(t, named(disk.Clone(), actors.SyncAlways))
					again, _ := collect(t, s)
					require.Subset(t, row.left, again[max(0, len(again)-len(row.left)):], "failure of %d", at)
					require.LessOrEqual(t, len(again), max(5, len(row.left)), "failure of %d", at)
					require.NoError(t, s.Stop(t.Context()))
					if !failed.Load() {
						require.NoError(t, err)
						return
					}
				}
			})
		})
	}
}
