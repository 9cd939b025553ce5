package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

const year = 365 * 24 * 3600 * second

// passed lets time pass until something is due no more.
func (s *shell) passed(t *testing.T, until int64) (ticks int) {
	t.Helper()
	for at, ok := s.e.NextTick(); ok && at <= until; at, ok = s.e.NextTick() {
		require.GreaterOrEqual(t, at, s.now)
		ticks++
		require.Less(t, ticks, 200, "it spins")
		s.tick(at)
		s.settle()
	}
	s.tick(until)
	s.settle()
	return ticks
}

// TestOneMessageAheadOfTheClockHoldsUpNoOther, neither in memory nor after a restart, and goes with those around it.
func TestOneMessageAheadOfTheClockHoldsUpNoOther(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		for _, size := range []int64{100, 1 << 20} {
			s := open(func(c *engine.Config) { c.BlockSize, c.Limits.MaxAge = size, 10*time.Second })
			s.must(t, raw(1, start), raw(2, start+10*year), raw(3, start+second), raw(4, start+8*second), raw(5, start+30*24*3600*second))
			again := func() {
				if reopen {
					s.reopen()
				}
			}
			again()
			s.passed(t, start+10*second)
			again()
			require.NotContains(t, s.live(), uint64(1))
			require.Contains(t, s.live(), uint64(3))
			s.passed(t, start+11*second)
			again()
			require.NotContains(t, s.live(), uint64(3))
			require.Contains(t, s.live(), uint64(5))
			s.passed(t, start+19*second)
			again()
			require.Empty(t, s.live(), "what is ahead counts from what was around it")
		}
	}
}

// TestAnOldTimeMakesNoOtherMessageOlder.
func TestAnOldTimeMakesNoOtherMessageOlder(t *testing.T) {
	s := aged(t, 10*time.Second)
	s.must(t, raw(1, start), raw(2, 1), raw(3, start+second))
	s.passed(t, start+2*second)
	require.Equal(t, []uint64{1, 3}, s.live())
	s.passed(t, start+10*second)
	require.Equal(t, []uint64{3}, s.live())
}

// TestWhatExpiredStaysGoneWhenTheClockGoesBack while it runs: a clock that was ten years ahead takes all messages,
// and when it is right again the stream goes on as ever.
func TestWhatExpiredStaysGoneWhenTheClockGoesBack(t *testing.T) {
	s := aged(t, 10*time.Second)
	s.must(t, store("a", 0), store("a", 0), store("a", 0))
	s.tick(start + 10*year)
	s.settle()
	require.Empty(t, s.live())
	s.must(t, store("a", 0), store("a", 0))
	s.now = start + second
	s.e.Tick(s.now)
	s.settle()
	s.must(t, store("a", 0))
	s.reopen()
	require.Equal(t, []uint64{4, 5, 6}, s.live())
	require.Less(t, s.passed(t, start+10*second), 50)
	require.Equal(t, []uint64{4, 5, 6}, s.live())
	s.passed(t, start+12*second)
	require.Empty(t, s.live())
	require.Equal(t, uint64(6), s.pub.Last())
}

// TestTheHeadOfABlockStaysGoneWhenTheClockGoesBack: the head of a block expired, the clock goes back, and the stream is
// opened again.
func TestTheHeadOfABlockStaysGoneWhenTheClockGoesBack(t *testing.T) {
	s := aged(t, 10*time.Second)
	s.must(t, raw(1, start), raw(2, start+second), raw(3, start+5*second))
	s.tick(start + 11*second)
	s.settle()
	require.Equal(t, []uint64{3}, s.live())
	s.goBack()
	s.reopen()
	require.Equal(t, []uint64{3}, s.live())
}

// TestExpiryBehindOthersReadsFewTablesAtATime, and removes all that is due.
func TestExpiryBehindOthersReadsFewTablesAtATime(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	s := open(func(c *engine.Config) { c.BlockSize, c.Limits.MaxAge = 200, time.Second })
	s.must(t, raw(0, start+5*second))
	for range 100 {
		s.must(t, raw(0, start))
	}
	s.must(t, raw(0, start+5*second))
	s.cfg.Limits.MaxAge = 0
	s.now = start + 5*second
	s.reopen()
	s.cfg.Limits.MaxAge = time.Second
	loads, most := 0, 0
	s.reopen()
	s.disk.fault = func(_ int, what string) error {
		if what[:4] == "load" {
			loads++
			most = max(most, s.e.Tables())
		}
		return nil
	}
	s.passed(t, start+6*second-1)
	require.Equal(t, []uint64{1, 102}, s.live())
	require.LessOrEqual(t, most, 6)
	before := s.pub.State()
	s.reopen()
	require.Equal(t, before.Messages, s.pub.State().Messages)
}

// TestExpiryGoesOnWhenATableHasCome, and does not wait for its next run.
func TestExpiryGoesOnWhenATableHasCome(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	s := open(func(c *engine.Config) { c.BlockSize, c.Limits.MaxAge = 300, 10*time.Second })
	for i := range 30 {
		s.must(t, raw(0, start+int64(i)))
	}
	s.reopen()
	s.tick(start + 10*second + 28)
	s.settle()
	require.Equal(t, []uint64{30}, s.live())
}
