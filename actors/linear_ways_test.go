package actors_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// mostHistories is how many histories are recorded until one goes the way that a test is about: on a loaded machine the
// scheduler may have none of a history go it.
const mostHistories = 100

// again runs a subtest until it has gone the way that it is about.
func again(t *testing.T, name string, run func(*testing.T) bool) {
	for range mostHistories {
		went := false
		if !t.Run(name, func(t *testing.T) { went = run(t) }) || went {
			return
		}
	}
	t.Errorf("%s: none of %d histories went the way", name, mostHistories)
}

// TestHistoriesOfLoneCallersAreLinearizable: callers who run the turns themselves, one after the other and each for a
// while, with readers beside them, and now and then another one who comes in between.
func TestHistoriesOfLoneCallersAreLinearizable(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		for _, patient := range []bool{true, false} {
			again(t, fmt.Sprint("patient ", patient), func(t *testing.T) bool {
				ways, shared := actors.WatchTurns()
				s := open(t, actors.Config{Dir: "data", FS: blocktest.NewMemFS(), Sync: level, MaxMsgs: linearMax, BlockSize: 4 << 10, Runtime: shared})
				ways.Of(s)
				ctx := context.Background()
				if !patient {
					var cancel context.CancelFunc
					ctx, cancel = context.WithCancel(ctx)
					defer cancel()
				}
				const burst, each = 60, 180
				alone := make(chan struct{}, 1) // holds something while a caller has the store for a while
				var stored atomic.Int64
				checkHistory(t, linear, 1, each, func(random *rand.Rand, token string) (input any, run func() any) {
					var client, i int
					_, err := fmt.Sscanf(token, "%d.%d", &client, &i)
					require.NoError(t, err)
					switch {
					case client >= 4: // readers
						state := stateOf(t, s)
						input = linearLoad{max(1, state.LastSequence) - 1 + uint64(random.IntN(3))}
						if random.IntN(3) == 0 {
							input = linearState{}
						}
						return input, func() any { return linearRun(ctx, s, input) }
					case client == 3: // comes in between
						input = linearStore{[]string{token}}
						for next := min(stored.Load()+int64(random.IntN(60)), 3*each); stored.Load() < next; {
							runtime.Gosched()
						}
						return input, func() any { return linearRun(ctx, s, input) }
					}
					if i%burst == 0 {
						alone <- struct{}{}
					}
					input = linearStore{[]string{token}}
					return input, func() any {
						output := linearRun(ctx, s, input)
						stored.Add(1)
						if i%burst == burst-1 {
							<-alone
						}
						return output
					}
				})
				commits := patient && level != actors.SyncNever
				require.True(t, commits || ways.Commits.Load() == 0)
				if !patient && level != actors.SyncNever {
					return true // the goroutine that has done the commit is often still there
				}
				return ways.Visits.Load() > 0 && (ways.Commits.Load() > 0) == commits
			})
		}
	})
}

// TestHistoriesWithEarlyCommitsAreLinearizable: commits begin in the middle of turns that stage large messages.
func TestHistoriesWithEarlyCommitsAreLinearizable(t *testing.T) {
	for _, level := range []actors.SyncLevel{actors.SyncAlways, actors.SyncInterval} {
		again(t, level.String(), func(t *testing.T) bool {
			ways, shared := actors.WatchTurns()
			s := open(t, actors.Config{Dir: "data", FS: blocktest.NewMemFS(), Sync: level, MaxMsgs: linearMax, BlockSize: 512 << 10, Runtime: shared})
			ways.Of(s)
			checkHistory(t, linear, 1, 60, func(random *rand.Rand, token string) (input any, run func() any) {
				if input = linearInput(random, s, token); random.IntN(2) == 0 {
					input = linearStore{[]string{token + "a" + linearLarge, token + "b" + linearLarge}}
				}
				return input, func() any { return linearRun(t.Context(), s, input) }
			})
			return ways.Early.Load() > 0
		})
	}
}
