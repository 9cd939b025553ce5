package actors_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// unindexed and indexed are streams of three blocks.
var (
	unindexed = actors.Config{BlockSize: 12 << 10, IndexFrom: -1}
	indexed   = actors.Config{BlockSize: 12 << 10, IndexFrom: 1}
)

// stretches returns the damage that a scan hands out, and how many messages.
func stretches(t *testing.T, s *actors.Store, options ...actors.ReadOption) (damage []*blockio.CorruptionError, messages int) {
	t.Helper()
	for _, err := range s.Messages(t.Context(), options...) {
		var d *blockio.CorruptionError
		switch {
		case errors.As(err, &d):
			damage = append(damage, d)
		default:
			require.NoError(t, err)
			messages++
		}
	}
	return damage, messages
}

// TestSectorUnderAnOpenStore: each scan tells of the stretch once and goes on; loads of all else succeed. When the
// sector can be read again, so can what it has. When three readers in a row have failed, it is lost until the next
// Open.
func TestSectorUnderAnOpenStore(t *testing.T) {
	for name, config := range map[string]actors.Config{"with an index": indexed, "without one": unindexed} {
		for _, size := range []int64{512, 4096} {
			t.Run(fmt.Sprint(name, ", ", size), func(t *testing.T) {
				w := newSectorWorld(t, config, 150, false)
				s := open(t, w.config)
				covered := w.spoil(2, 4096, size)
				for range 2 {
					damage, messages := stretches(t, s)
					require.Len(t, damage, 1)
					require.ErrorIs(t, damage[0], actors.ErrCorrupt)
					require.ErrorIs(t, damage[0], blockio.ErrSector)
					require.Equal(t, uint64(len(covered)), damage[0].Last-damage[0].Sequence+1)
					require.True(t, covered[damage[0].Sequence] && covered[damage[0].Last])
					require.Equal(t, 150-len(covered), messages)
				}
				require.Zero(t, stateOf(t, s).LostMessages)
				w.fs.Heal()
				require.Empty(t, w.requireRest(t, s, "healed"))
				require.Zero(t, stateOf(t, s).LostMessages)

				w.spoil(2, 4096, size)
				w.requireCost(t, covered, w.requireRest(t, s, "again"), "again")
				eventually(t, func() bool { return stateOf(t, s).LostMessages == uint64(len(covered)) })
				w.requireCost(t, covered, w.requireRest(t, s, "lost"), "lost")
				require.Equal(t, uint64(len(covered)), stateOf(t, s).LostMessages)
				require.NoError(t, s.Stop(context.Background()))

				w.fs.Heal()
				s = open(t, w.config)
				require.Empty(t, w.requireRest(t, s, "reopened"))
				require.Zero(t, stateOf(t, s).LostMessages)
			})
		}
	}
}

// TestDiskThatReadsNothingIsNoDamage: nothing is lost for it, and readers get the disk's own error.
func TestDiskThatReadsNothingIsNoDamage(t *testing.T) {
	for name, config := range map[string]actors.Config{"with an index": indexed, "without one": unindexed} {
		t.Run(name, func(t *testing.T) {
			w := newSectorWorld(t, config, 150, false)
			s := open(t, w.config)
			for range 5 {
				w.fs.Spoil(blockPath(w.config, 2), 0, 0)
				_, err := s.LoadMsg(t.Context(), 75)
				require.ErrorIs(t, err, blocktest.ErrIO)
				require.NotErrorIs(t, err, actors.ErrCorrupt)
				var last error
				for _, err := range s.Messages(t.Context()) {
					last = err
				}
				require.ErrorIs(t, last, blocktest.ErrIO)
				w.fs.Heal()
			}
			require.Empty(t, w.requireRest(t, s, "healed"))
			require.NoError(t, s.Stop(context.Background()))
			if name == "with an index" {
				return // Open does not read such a block
			}
			forgetState(t, w.config)
			w.fs.Spoil(blockPath(w.config, 2), 0, 0)
			_, err := actors.Open(t.Context(), quiet, w.config)
			require.ErrorIs(t, err, blocktest.ErrIO)
			require.NotErrorIs(t, err, actors.ErrCorrupt)
			w.fs.Heal()
			require.Empty(t, w.requireRest(t, open(t, w.config), "reopened"))
		})
	}
}

// TestStoreRecoversAroundASector: a store whose write fails comes back, although a sector of a block cannot be read,
// also of the block that it writes to; and what it then stores is safe.
func TestStoreRecoversAroundASector(t *testing.T) {
	for name, config := range map[string]actors.Config{"with an index": indexed, "without one": unindexed} {
		for block := 1; block <= 3; block++ {
			for _, from := range []int64{0, 1024, -1} {
				what := fmt.Sprintf("%s, block %d at %d", name, block, from)
				t.Run(what, func(t *testing.T) {
					w := newSectorWorld(t, config, 150, true)
					w.config.RetryMin = time.Millisecond
					s := open(t, w.config)
					if from < 0 {
						from = (w.end(block) - 1) / 512 * 512
					}
					covered := w.spoil(block, from, 512)
					var failed atomic.Bool
					w.fs.SetHook(onBlocks(blocktest.OpWrite, func() blocktest.Fault {
						if failed.CompareAndSwap(false, true) {
							return blocktest.Fault{Err: blocktest.ErrIO}
						}
						return blocktest.Fault{}
					}))
					_, err := s.StoreMsg(t.Context(), "fails", nil, nil)
					require.ErrorIs(t, err, actors.ErrFailed)
					eventually(t, recovered(s))
					stored := mustStore(t, s, "next", "").Sequence
					lost := w.requireRest(t, s, what)
					w.requireCost(t, covered, lost, what)
					for sequence := range lost {
						require.Greater(t, stored, sequence)
					}
					require.NoError(t, s.Stop(context.Background()))
					w.fs.Heal()
					s = open(t, w.config)
					require.Empty(t, w.requireRest(t, s, what+", reopened"))
					m, err := s.LoadMsg(t.Context(), stored)
					require.NoError(t, err)
					require.Equal(t, "next", m.Subject)
				})
			}
		}
	}
}

// TestSectorInAnotherFile: what a derived file has is made anew, and the configuration is asked for.
func TestSectorInAnotherFile(t *testing.T) {
	world := newSectorWorld(t, indexed, 150, false)
	for _, name := range []string{"msgs/1.bix", "msgs/2.bix", "msgs/millrace.end", "msgs/millrace.lost", "msgs/index.db", "meta.sum"} {
		for _, from := range []int64{0, 512, 4096} {
			t.Run(fmt.Sprint(name, from), func(t *testing.T) {
				w := world.fork()
				w.fs.Spoil(filepath.Join("data/ORDERS", name), from, from+512)
				s := open(t, w.config)
				require.Empty(t, w.requireRest(t, s, name))
				require.Zero(t, stateOf(t, s).LostMessages)
				mustStore(t, s, "next", "")
				require.NoError(t, s.Stop(context.Background()))
				w.fs.Heal()
				require.Empty(t, w.requireRest(t, open(t, w.config), name))
			})
		}
	}
	t.Run("meta.inf", func(t *testing.T) {
		w := world.fork()
		w.fs.Spoil("data/ORDERS/meta.inf", 0, 512)
		_, err := actors.Open(t.Context(), quiet, w.config)
		require.ErrorIs(t, err, actors.ErrMetaLost)
		require.ErrorIs(t, err, blocktest.ErrIO)
		w.fs.Heal()
		s := open(t, w.config)
		require.NoError(t, s.Stop(context.Background()))
		w.fs.Spoil("data/ORDERS/meta.inf", 0, 512)
		w.fs.Spoil("data/ORDERS/meta.sum", 0, 512)
		_, err = actors.Open(t.Context(), quiet, w.config)
		require.ErrorIs(t, err, blocktest.ErrIO)
		require.NotErrorIs(t, err, actors.ErrMetaLost)
		w.fs.Heal()
		w.fs.Spoil("data/ORDERS/meta.inf", 0, 512)
		w.config.RecreateMeta = true
		s = open(t, w.config)
		require.Empty(t, w.requireRest(t, s, "meta.inf"))
	})
}

// TestIndexThatFailsUnderAnOpenStore is given up and written anew, and costs nothing.
func TestIndexThatFailsUnderAnOpenStore(t *testing.T) {
	w := newSectorWorld(t, indexed, 150, false)
	s := open(t, w.config)
	w.fs.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpRead && strings.HasSuffix(op.Name, ".bix") {
			return blocktest.Fault{Err: blocktest.ErrIO}
		}
		return blocktest.Fault{}
	})
	require.Empty(t, w.requireRest(t, s, "indexes"))
	require.Zero(t, stateOf(t, s).LostMessages)
}

// TestPageThatIsAppendedTo: when the page cannot be read in which the log ends, the system can neither append to it
// nor cut it. The store goes on in another block, and what was acknowledged is there when the page can be read again.
func TestPageThatIsAppendedTo(t *testing.T) {
	for _, messages := range []int{3, 130, 150} { // without zeros ahead, and with them
		t.Run(fmt.Sprint(messages), func(t *testing.T) {
			w := newSectorWorld(t, unindexed, messages, true)
			w.config.RetryMin = time.Millisecond
			s := open(t, w.config)
			block := len(w.placed)
			page := w.end(block) / 4096 * 4096
			covered := w.spoil(block, page, 4096)
			_, err := s.StoreMsg(t.Context(), "fails", nil, nil)
			require.ErrorIs(t, err, actors.ErrFailed)
			eventually(t, recovered(s))
			stored := mustStore(t, s, "next", "").Sequence
			lost := w.requireRest(t, s, "bad")
			w.requireCost(t, covered, lost, "bad")
			for sequence := range lost {
				require.Greater(t, stored, sequence)
			}
			require.NoError(t, s.Stop(context.Background()))
			w.fs.Heal()
			s = open(t, w.config)
			require.Empty(t, w.requireRest(t, s, "healed"))
			m, err := s.LoadMsg(t.Context(), stored)
			require.NoError(t, err)
			require.Equal(t, "next", m.Subject)
		})
	}
}

// TestLastBlockThatShowsNothing: its sequences are not used again. If no block shows any, Open fails.
func TestLastBlockThatShowsNothing(t *testing.T) {
	w := newSectorWorld(t, unindexed, 135, true)
	last := len(w.placed)
	require.Less(t, w.end(last), int64(4096))
	covered := w.spoil(last, 0, 4096)
	s := open(t, w.config)
	lost := w.requireRest(t, s, "bad")
	w.requireCost(t, covered, lost, "bad")
	stored := mustStore(t, s, "next", "").Sequence
	for sequence := range lost {
		require.Greater(t, stored, sequence)
	}
	require.NoError(t, s.Stop(context.Background()))
	w.fs.Heal()
	require.Empty(t, w.requireRest(t, open(t, w.config), "healed"))

	w = newSectorWorld(t, unindexed, 3, true)
	w.spoil(1, 0, 1<<20)
	_, err := actors.Open(t.Context(), quiet, w.config)
	require.ErrorIs(t, err, syscall.EIO)
	w.fs.Heal()
	require.Empty(t, w.requireRest(t, open(t, w.config), "healed"))
}

// TestSeveralSectorsOfAPage are told of as a stretch each, in both directions, and those that touch as one.
func TestSeveralSectorsOfAPage(t *testing.T) {
	w := newSectorWorld(t, indexed, 150, false)
	s := open(t, w.config)
	covered := w.spoil(2, 4096, 512)
	for _, from := range []int64{6144, 6656, 8192 - 512, 8192} {
		for sequence := range w.spoil(2, from, 512) {
			covered[sequence] = true
		}
	}
	for _, options := range [][]actors.ReadOption{nil, {actors.Reverse()}} {
		damage, messages := stretches(t, s, options...)
		require.Len(t, damage, 3)
		require.Equal(t, 150-len(covered), messages)
	}
}

// TestPurgeBySubjectLeavesNothingBehindASector: it is refused while it cannot see what a block has, unless that is
// lost already.
func TestPurgeBySubjectLeavesNothingBehindASector(t *testing.T) {
	w := newSectorWorld(t, unindexed, 150, false)
	s := open(t, w.config)
	w.spoil(2, 4096, 512)
	_, err := s.PurgeEx(t.Context(), actors.Filter("s.1"), 0, 0)
	require.ErrorIs(t, err, actors.ErrUnreadable)
	require.Equal(t, uint64(150), stateOf(t, s).Messages)
	w.fs.Heal()
	removed, err := s.PurgeEx(t.Context(), actors.Filter("s.1"), 0, 0)
	require.NoError(t, err)
	require.Equal(t, uint64(50), removed)
	require.NoError(t, s.Stop(context.Background()))

	forgetState(t, w.config)
	covered := w.spoil(2, 4096, 512)
	s = open(t, w.config)
	left := stateOf(t, s).Messages
	removed, err = s.PurgeEx(t.Context(), actors.Filter("s.2"), 0, 0)
	require.NoError(t, err)
	require.Equal(t, left-removed, stateOf(t, s).Messages)
	require.Less(t, removed, uint64(50))
	require.NoError(t, s.Stop(context.Background()))
	w.fs.Heal()
	s = open(t, w.config)
	for sequence := uint64(1); sequence <= w.last; sequence++ {
		_, err := s.LoadMsg(t.Context(), sequence)
		if sequence%3 == 0 || covered[sequence] && sequence%3 == 2 {
			require.NoError(t, err, "%d is not of the subject, or was lost at the time", sequence)
		} else {
			require.ErrorIs(t, err, actors.ErrNotFound)
		}
	}
}
