package actors_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestALimitOfTheSizeThatSomebodyElseApplies is in the file, before and after a change, and refuses nothing here.
func TestALimitOfTheSizeThatSomebodyElseApplies(t *testing.T) {
	files := blocktest.NewMemFS()
	open1 := func(set func(*actors.Config)) *actors.Store { return open(t, named(files, actors.SyncAlways, set)) }
	stored := func() int32 {
		meta, err := blockio.ReadMeta(files, "data/ORDERS", "ORDERS")
		require.NoError(t, err)
		return meta.MaxMsgSize
	}
	s := open1(func(c *actors.Config) { c.MaxMsgSize, c.MaxMsgSizeElsewhere = 10, true })
	mustStore(t, s, "a", "0123456789+")
	require.Equal(t, int32(10), stored())
	require.Negative(t, s.Limits().MaxMsgSize)
	require.NoError(t, s.UpdateConfig(t.Context(), actors.Config{Name: "ORDERS", MaxMsgSize: 5, MaxMsgs: 7}))
	mustStore(t, s, "a", "0123456789+")
	require.Equal(t, int32(5), stored())
	require.Equal(t, int64(7), s.Limits().MaxMsgs)
	require.ErrorIs(t, s.UpdateConfig(t.Context(), actors.Config{Name: "ORDERS", MaxMsgSize: 64 << 20}), actors.ErrConfig)
	require.NoError(t, s.UpdateConfig(t.Context(), actors.Config{Name: "ORDERS", MaxMsgSize: 64 << 20, MaxMsgSizeElsewhere: true}))
	require.Equal(t, int32(64<<20), stored())
	require.NoError(t, s.UpdateConfig(t.Context(), actors.Config{Name: "ORDERS", MaxMsgSize: 5}))
	require.NoError(t, s.Stop(t.Context()))

	s = open1(func(*actors.Config) {})
	_, err := s.StoreMsg(t.Context(), "a", nil, []byte("012345"))
	require.ErrorIs(t, err, actors.ErrTooLarge)
	require.NoError(t, s.Stop(t.Context()))
}

// TestTinyBlocks are as good as others: what is stored, removed, and stored again is there, running and reopened.
func TestTinyBlocks(t *testing.T) {
	for _, size := range []int64{30, 32, 64, 512} {
		atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
			t.Run(fmt.Sprint(size), func(t *testing.T) {
				files := blocktest.NewMemFS()
				config := named(files, level, func(c *actors.Config) { c.BlockSize, c.IndexFrom, c.CompactBelow = size, 1, 90 })
				s := open(t, config)
				want := map[uint64]string{}
				for i := range 60 {
					subject := fmt.Sprint("s", i%7)
					want[mustStore(t, s, subject, fmt.Sprint(i)).Sequence] = subject
					if i%10 == 9 {
						batch, err := s.StoreBatch(t.Context(), []actors.BatchMessage{{Subject: "x"}, {Subject: "y"}, {Subject: "x"}})
						require.NoError(t, err)
						want[batch.First], want[batch.First+1], want[batch.Last] = "x", "y", "x"
						_, err = s.Skip(t.Context(), 0, 3)
						require.NoError(t, err)
					}
					if i%4 == 3 {
						_, err := s.RemoveMsg(t.Context(), uint64(i))
						require.NoError(t, err)
						delete(want, uint64(i))
					}
				}
				kept := 0
				for _, subject := range want {
					if subject == "s3" {
						kept++
					}
				}
				_, err := s.PurgeEx(t.Context(), actors.Filter("s3"), 0, 2)
				require.NoError(t, err)
				for _, sequence := range slices.Sorted(maps.Keys(want)) {
					if want[sequence] == "s3" && kept > 2 {
						kept--
						delete(want, sequence)
					}
				}
				for range 2 {
					got := map[uint64]string{}
					for m, err := range s.Messages(t.Context()) {
						require.NoError(t, err)
						got[m.Sequence] = m.Subject
					}
					require.Equal(t, want, got)
					require.Equal(t, uint64(len(want)), stateOf(t, s).Messages)
					require.Zero(t, stateOf(t, s).LostMessages)
					require.NoError(t, s.Stop(t.Context()))
					s = open(t, config)
				}
				require.NoError(t, s.Stop(t.Context()))
			})
		})
	}
}

// TestAShortAge of 1 ms and of 10 ms: what is older is gone by 250 ms after it, and what is stored then stays as long.
func TestAShortAge(t *testing.T) {
	for _, age := range []time.Duration{time.Millisecond, 10 * time.Millisecond} {
		for _, live := range []bool{true, false} {
			atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
				synctest.Test(t, func(t *testing.T) {
					files := blocktest.NewMemFS()
					s := open(t, named(files, level, func(c *actors.Config) {
						if c.BlockSize = 64; !live {
							c.MaxAge = age
						}
					}))
					if live {
						require.NoError(t, s.UpdateConfig(t.Context(), actors.Config{Name: "ORDERS", MaxAge: age}))
					}
					for range 3 {
						for range 5 {
							mustStore(t, s, "a", "x")
						}
						require.NotZero(t, stateOf(t, s).Messages)
						waitFor(age + 260*time.Millisecond)
						require.Zero(t, stateOf(t, s).Messages)
					}
					require.NoError(t, s.Stop(t.Context()))
					s = open(t, named(files, level))
					require.Equal(t, age, s.Limits().MaxAge)
					require.Equal(t, uint64(15), stateOf(t, s).LastSequence)
					require.NoError(t, s.Stop(t.Context()))
				})
			})
		}
	}
}
