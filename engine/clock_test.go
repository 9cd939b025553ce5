package engine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// back is the time to which the clock goes back in these tests: an hour before start.
const back = start - int64(time.Hour)

// goBack sets the clock back, and settles.
func (s *shell) goBack() {
	s.now = back
	s.e.Tick(back)
	s.settle()
}

// failing makes operations fail that begin with a word, until the result is called. It
// counts the attempts.
func (s *shell) failOn(word string) (attempts *int, repair func()) {
	attempts = new(int)
	broken := true
	s.disk.fault = func(_ int, what string) error {
		if len(what) < len(word) || what[:len(word)] != word {
			return nil
		}
		*attempts++
		if broken && *attempts < 10 {
			return errDisk
		}
		return nil
	}
	return attempts, func() { broken = false }
}

// A clock that goes back makes nothing wait longer than it would have to have waited had
// the clock always shown that time.

func TestAfterTheClockWentBackAFailedRemovalIsTriedInTime(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize, c.Limits.MaxMsgs, c.IndexFrom = 200, 2, -1 })
	attempts, repair := s.failOn("remove")
	s.must(t, repeat(store("a", 100), 3)...)
	require.Equal(t, 1, *attempts)
	repair()
	s.goBack()
	s.wake(t, back+second)
	require.Equal(t, 2, *attempts)
	require.Equal(t, []uint32{2, 3}, s.disk.blocks())
}

func TestAfterTheClockWentBackAFailedIndexIsTriedInTime(t *testing.T) {
	s := open(func(c *engine.Config) { c.BlockSize = 200 })
	attempts, repair := s.failOn("index")
	s.tick(start)
	s.must(t, repeat(store("a", 100), 2)...)
	require.Equal(t, 1, *attempts)
	repair()
	s.goBack()
	s.wake(t, back+10*second)
	require.Equal(t, 2, *attempts)
	require.Zero(t, s.pub.Counts().Unindexed)
}

func TestAfterTheClockWentBackAFailedLoadIsTriedInTime(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	s := open(nil)
	s.must(t, repeat(store("a", 100), 40)...)
	s.cfg.Limits.MaxMsgs = 40
	s.reopen()
	attempts, repair := s.failOn("load")
	s.must(t, repeat(store("a", 100), 21)...) // recovery kept the tables of two blocks, of 7 messages each
	require.Positive(t, *attempts)
	require.Greater(t, s.pub.State().Messages, uint64(40), "nothing was evicted that is not known")
	repair()
	s.goBack()
	s.wake(t, back+second)
	require.Equal(t, uint64(40), s.pub.State().Messages)
}

func TestAfterTheClockWentBackAnIdleTailStillGoes(t *testing.T) {
	s := open(nil)
	s.must(t, store("a", 0))
	s.goBack()
	s.wake(t, back+10*second)
	require.Zero(t, s.e.MemoryBlocks())
}

func TestAfterTheClockWentBackASyncComesInTime(t *testing.T) {
	s := open(func(c *engine.Config) { c.Level, c.SyncEvery = engine.SyncInterval, 2*time.Second })
	s.must(t, store("a", 0))
	s.goBack()
	require.Zero(t, s.pub.Durable())
	s.wake(t, back+2*second)
	require.Equal(t, uint64(1), s.pub.Durable())
}

func TestAfterTheClockWentBackWhatIsOldGoesAtOnce(t *testing.T) {
	s := aged(t, time.Second)
	s.must(t, raw(1, start))
	s.tick(start + second)
	s.settle()
	require.Zero(t, s.pub.State().Messages, "expired just now: the next run is a while off")
	s.must(t, raw(2, back-2*second))
	require.Equal(t, uint64(1), s.pub.State().Messages)
	s.goBack()
	require.Zero(t, s.pub.State().Messages, "old, whatever the clock says")
}

func TestAfterTheClockWentBackTheNextRunOfExpiryIsNear(t *testing.T) {
	s := aged(t, time.Second)
	s.must(t, raw(1, start))
	s.tick(start + second)
	s.settle()
	s.goBack() // nothing is there that could expire
	s.must(t, raw(2, back-2*second))
	at, ok := s.e.NextTick()
	require.True(t, ok)
	require.LessOrEqual(t, at, back+250*millisecond)
	s.tick(at)
	s.settle()
	require.Zero(t, s.pub.State().Messages)
}

// TestOneWrongClockStampsOneMessage: a clock that shows ten years more for one message does not stamp
// what comes after it.
func TestOneWrongClockStampsOneMessage(t *testing.T) {
	s := open(nil)
	s.must(t, store("a", 0))
	const ten = int64(10 * 365 * 24 * time.Hour)
	s.tick(start + ten)
	require.Equal(t, start+ten, s.must(t, store("a", 0))[0].Time)
	s.now = start + second
	s.e.Tick(s.now)
	require.Equal(t, start+second, s.must(t, store("a", 0))[0].Time)
	s.goBack()
	require.Equal(t, start+second, s.must(t, store("a", 0))[0].Time, "an hour is not too much")
}

// TestASkipWithATimeMovesTheLastTime also for those who open the stream.
func TestASkipWithATimeMovesTheLastTime(t *testing.T) {
	s := open(nil)
	s.must(t, raw(0, start))
	r := s.must(t, sent{1, &engine.Skip{Count: 3, Time: start - 5*second, HasTime: true}})[0]
	require.Equal(t, start-5*second, r.Time)
	require.Equal(t, start-5*second, s.pub.State().LastTime)
	s.must(t, sent{2, &engine.Skip{Count: 1}})
	s.reopen()
	state := s.pub.State()
	require.Equal(t, start-5*second, state.LastTime)
	require.Equal(t, start, state.FirstTime)
	require.Equal(t, uint64(5), state.LastSequence)
}

func TestTimesOfMessagesDoNotGoBack(t *testing.T) {
	s := open(nil)
	first := s.must(t, store("a", 0))[0].Time
	s.goBack()
	require.Equal(t, first, s.must(t, store("a", 0))[0].Time)
	require.True(t, slices.Equal(s.live(), []uint64{1, 2}))
}

// TestPausesEndWhileTheClockStandsStill: what waits for a while goes by the time that has passed, and what is due by
// the clock stays where it is.
func TestPausesEndWhileTheClockStandsStill(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*engine.Config)
		wait time.Duration
		done func(*shell) bool
	}{
		"a group that lingers": {
			func(c *engine.Config) { c.Level, c.Linger, c.MaxUnwritten = engine.SyncNever, time.Millisecond, 1<<20 },
			time.Millisecond, func(s *shell) bool { return s.e.WrittenTo() != engine.Position{} },
		},
		"a sync in the background": {
			func(c *engine.Config) { c.Level, c.SyncEvery = engine.SyncInterval, 2*time.Second },
			2 * time.Second, func(s *shell) bool { return s.pub.Durable() == 1 },
		},
		"the memory of an idle stream": {func(*engine.Config) {}, 10 * time.Second, func(s *shell) bool { return s.e.MemoryBlocks() == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(func(cfg *engine.Config) { cfg.Limits.MaxAge = time.Hour; c.set(cfg) })
			s.step(store("a", 0))
			s.turn()
			for s.runAny() {
				s.turn()
			}
			require.False(t, c.done(s))
			at, ok := s.e.NextTick()
			require.True(t, ok)
			require.Equal(t, s.now+int64(c.wait), at)
			s.e.TickAfter(s.now, c.wait)
			s.turn()
			for s.runAny() {
				s.turn()
			}
			require.True(t, c.done(s))
			for at < s.now+int64(time.Hour) {
				at, ok = s.e.NextTick()
				require.True(t, ok)
				s.e.TickAfter(s.now, time.Duration(at-s.now))
				s.turn()
				for s.runAny() {
					s.turn()
				}
			}
			require.Equal(t, uint64(1), s.pub.State().Messages, "it does not grow old")
		})
	}
}
