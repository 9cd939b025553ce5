package engine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

func aged(t *testing.T, age time.Duration) *shell {
	t.Helper()
	return open(limits(engine.Limits{MaxAge: age}))
}

// wake ticks at the time that the engine asks for, which must not be later than
// wanted.
func (s *shell) wake(t *testing.T, want int64) {
	t.Helper()
	at, ok := s.e.NextTick()
	if !ok || at != want {
		t.Fatalf("next tick %v at %d, want %d", ok, at-start, want-start)
	}
	s.tick(at)
	s.settle()
}

func TestExpiryIsArmedFromTheOldestMessage(t *testing.T) {
	// DEFECT-6: the reference forgets later ones that are old already.
	s := aged(t, 3*time.Second)
	s.must(t, raw(1, start-2500*millisecond), raw(2, start-2400*millisecond))
	s.wake(t, start+500*millisecond)
	if got := s.live(); !slices.Equal(got, []uint64{2}) {
		t.Fatalf("live %v", got)
	}
	s.wake(t, start+750*millisecond) // due 100 ms later, but not before 250 ms went by
	if got := s.live(); len(got) != 0 || s.pub.State().FirstSequence != 3 {
		t.Fatalf("live %v", got)
	}
}

func TestExpiryIsShownWithoutAnyRecord(t *testing.T) {
	s := aged(t, time.Second)
	s.must(t, raw(1, start), raw(2, start+second))
	written := len(s.disk.current[1])
	s.wake(t, start+second)
	require.Len(t, s.disk.current[1], written)
	if got := s.pub.State(); got.Messages != 1 || got.FirstSequence != 2 || got.Deleted != 0 {
		t.Fatalf("published %+v", got)
	}
	checkState(t, s, engine.State{Messages: 1, Bytes: 30, FirstSequence: 2, LastSequence: 2, FirstTime: start + second, LastTime: start + second})
}

func TestAMessageIsDueAtExactlyMaxAge(t *testing.T) {
	s := aged(t, time.Second)
	s.must(t, raw(1, start))
	s.tick(start + second - 1)
	if s.settle(); s.pub.State().Messages != 1 {
		t.Fatal("gone too early")
	}
	s.tick(start + second)
	if s.settle(); s.pub.State().Messages != 0 {
		t.Fatal("still there")
	}
}

func TestEachMessageGoesAtItsOwnTimeWhereverItStands(t *testing.T) {
	s := aged(t, time.Second)
	s.must(t, raw(1, start+second), raw(2, start-10*second), raw(3, start))
	s.tick(start + second)
	s.settle()
	require.Equal(t, []uint64{1}, s.live())
	s.now = start // a clock that is behind, and a longer age, bring nothing back
	s.cfg.Limits.MaxAge = time.Hour
	s.reopen()
	require.Equal(t, []uint64{1}, s.live())
	s.cfg.Limits.MaxAge = time.Second
	s.now = start + second
	s.reopen()
	require.Equal(t, []uint64{1}, s.live())
	s.wake(t, start+2*second)
	require.Empty(t, s.live())
}

func TestEvictionMovesExpiryToTheNewHead(t *testing.T) {
	s := open(limits(engine.Limits{MaxAge: time.Second, MaxMsgs: 2}))
	s.must(t, raw(1, start+10*second), raw(2, 0), raw(3, start))
	if at, ok := s.e.NextTick(); !ok || at > start+250*millisecond {
		t.Fatalf("next tick %v at %d", ok, at-start)
	}
	s.tick(start + 250*millisecond)
	s.settle()
	if got := s.live(); !slices.Equal(got, []uint64{3}) {
		t.Fatalf("live %v", got)
	}
}

func TestEvictionDoesNotPutExpiryOff(t *testing.T) {
	s := open(limits(engine.Limits{MaxAge: time.Hour, MaxMsgs: 3}))
	s.must(t, raw(0, start-int64(time.Hour)))
	for i := range 1000 {
		s.tick(start + int64(i)*millisecond)
		s.must(t, raw(0, start+int64(i)*millisecond-int64(time.Hour)))
		if at, ok := s.e.NextTick(); !ok || at > s.now+250*millisecond {
			t.Fatalf("after %d ms the next tick is %v, in %d ms", i, ok, (at-s.now)/millisecond)
		}
	}
	if s.pub.Counts().RemovedAge == 0 {
		t.Fatal("nothing expired")
	}
}

func TestExpiryLastsUntilTheClockHasCaughtUp(t *testing.T) {
	s := open(func(c *engine.Config) {
		c.Limits.MaxAge = time.Second
		c.Level, c.SyncEvery = engine.SyncInterval, time.Minute
	})
	s.must(t, raw(1, start-second))
	s.tick(start)
	s.settle()
	s.must(t, raw(2, start-10*second))
	// The clock goes back an hour: message 2 is not due by then, and the data is
	// synced within a minute of the new time.
	back := start - int64(time.Hour)
	s.now = back
	s.e.Tick(back)
	if at, ok := s.e.NextTick(); !ok || at > back+int64(time.Minute) {
		t.Fatalf("next tick %v, in %d s", ok, (at-back)/second)
	}
	s.tick(start)
	s.settle()
	s.tick(start + second)
	if s.settle(); s.pub.State().Messages != 0 {
		t.Fatalf("state %+v", s.pub.State())
	}
}

func TestExpiryAtOpenFindsALiveFirst(t *testing.T) {
	for _, keep := range []int{0, 1 << 20} {
		restore := engine.SetKeepRecords(keep)
		s := open(nil)
		for i := range 100 {
			s.must(t, raw(0, start+int64(i)*second))
		}
		s.cfg.Limits.MaxAge = 10 * time.Second
		s.now = start + 60*second
		s.reopen()
		restore()
		state := s.pub.State()
		if state.FirstSequence != 52 || state.FirstTime != start+51*second || state.Messages != 49 {
			t.Fatalf("state %+v", state)
		}
		s.passed(t, start+61*second)
		if s.pub.First() != 53 {
			t.Fatalf("first %d", s.pub.First())
		}
	}
}

func TestATableThatCannotBeReadIsAskedForAgain(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	s := aged(t, time.Second)
	s.must(t, repeat(store("a", 100), 30)...)
	s.cfg.Limits.MaxMsgs = 30
	s.reopen()
	broken := true
	s.disk.fault = func(_ int, what string) error {
		if broken && what[:4] == "load" {
			return errDisk
		}
		return nil
	}
	// Stores do not wait for a disk that cannot be read.
	if r := s.do(store("a", 0)); len(r) != 1 || r[0].Err != nil {
		t.Fatalf("replies %+v", r)
	}
	s.tick(start + 2*second)
	s.settle()
	// The tables of the first two blocks were kept by recovery.
	if s.pub.State().Messages != 31-14 {
		t.Fatalf("state %+v", s.pub.State())
	}
	for range 3 {
		at, ok := s.e.NextTick()
		if !ok || at <= s.now || at > s.now+second {
			t.Fatalf("next tick %v, in %d ms", ok, (at-s.now)/millisecond)
		}
		s.tick(at)
		s.settle()
	}
	broken = false
	for s.pub.State().Messages > 0 {
		at, ok := s.e.NextTick()
		if !ok {
			t.Fatalf("gave up with %+v", s.pub.State())
		}
		s.tick(at)
		s.settle()
	}
	if s.pub.Last() != 31 {
		t.Fatalf("state %+v", s.pub.State())
	}
}

func TestOpeningOutlivesATableThatCannotBeRead(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	d := newDisk()
	d.current[1] = blockOf(1, msg(1), msg(2), msg(3))
	d.current[2] = blockOf(2, tomb(2), msg(4))
	failures := 3
	d.fault = func(_ int, what string) error {
		if failures > 0 && what == "load 1" {
			failures--
			return errDisk
		}
		return nil
	}
	s := newShell(testConfig(), d, engine.NewPublished(), start)
	if got := s.live(); !slices.Equal(got, []uint64{1, 3, 4}) || failures != 0 {
		t.Fatalf("live %v", got)
	}
	if s.now != start+3*second {
		t.Fatalf("took %d s", (s.now-start)/second)
	}
}

func TestSlowSyncDoesNotLeaveLaterWritesUnsynced(t *testing.T) {
	s := open(func(c *engine.Config) { c.Level = engine.SyncInterval })
	s.must(t, store("a", 0))
	s.tick(start + second)
	s.turn() // hands out the sync, which takes long
	s.step(store("a", 0))
	s.turn()
	for s.runCommit() {
	}
	s.tick(start + 3*second)
	s.settle()
	for range 3 {
		if at, ok := s.e.NextTick(); ok {
			s.tick(at)
			s.settle()
		}
	}
	if s.pub.Durable() != 2 {
		t.Fatalf("durable %d", s.pub.Durable())
	}
}
