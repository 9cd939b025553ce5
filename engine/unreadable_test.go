package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// unreadableHead returns a stream whose head is block 3, with messages 15 to 21, and which ends at message 42. Its
// table was not kept, and while broken holds all attempts to load it fail, which are counted.
func unreadableHead(t *testing.T, limits engine.Limits) (s *shell, attempts *int, broken *bool) {
	t.Helper()
	t.Cleanup(engine.SetKeepRecords(0))
	s = open(sevenABlock)
	for i := range 28 {
		s.must(t, store([]string{"a", "b", "c", "d"}[i/7], 100))
	}
	s.cfg.Limits = limits
	s.reopen()
	attempts, broken = new(int), new(bool)
	*broken = true
	s.disk.fault = func(_ int, what string) error {
		if what == "load 3" && *broken {
			*attempts++
			return errDisk
		}
		return nil
	}
	s.listen()
	t.Cleanup(func() { require.NoError(t, s.taker.wrong, "notices") })
	s.must(t, repeat(store("e", 100), 14)...)
	return s, attempts, broken
}

// TestALimitHoldsBehindABlockThatCannotBeRead: stores go on at once, and after some attempts the block goes.
func TestALimitHoldsBehindABlockThatCannotBeRead(t *testing.T) {
	for name, limits := range map[string]engine.Limits{"messages": {MaxMsgs: 28}, "bytes": {MaxBytes: 28 * 131}} {
		t.Run(name, func(t *testing.T) {
			s, _, _ := unreadableHead(t, limits)
			s.must(t, repeat(store("f", 100), 4)...)
			require.Equal(t, uint64(32), s.pub.State().Messages)
			for range engine.MostLoads + 1 {
				s.tick(s.now + second)
				s.settle()
			}
			state := s.pub.State()
			require.Equal(t, uint64(25), state.Messages)
			require.Equal(t, uint64(25*131), state.Bytes)
			require.Equal(t, uint64(22), state.FirstSequence)
			require.Equal(t, uint64(7), state.LostMessages)
			require.Equal(t, uint64(3), state.Subjects, "d, e and f")
			require.NotContains(t, s.disk.current, uint32(3))
			for range 100 {
				s.must(t, store("e", 100))
				s.settle()
				require.LessOrEqual(t, s.pub.State().Messages, uint64(28))
			}
		})
	}
}

// TestABlockThatIsReadAgainLosesNothing: it is tried several times.
func TestABlockThatIsReadAgainLosesNothing(t *testing.T) {
	s, attempts, broken := unreadableHead(t, engine.Limits{MaxMsgs: 28})
	*attempts = 0
	s.must(t, store("e", 100))
	for *attempts < engine.MostLoads-1 {
		s.tick(s.now + second)
		s.settle()
	}
	*broken = false
	s.tick(s.now + second)
	s.settle()
	state := s.pub.State()
	require.Equal(t, uint64(28), state.Messages)
	require.Zero(t, state.LostMessages)
	require.Equal(t, uint64(16), state.FirstSequence)
}

// TestAgeHoldsBehindABlockThatCannotBeRead: the block goes when all that it has is old enough.
func TestAgeHoldsBehindABlockThatCannotBeRead(t *testing.T) {
	s, _, _ := unreadableHead(t, engine.Limits{MaxAge: time.Minute})
	for range 70 {
		s.tick(s.now + second)
		s.settle()
	}
	require.Zero(t, s.pub.State().Messages)
	require.Equal(t, uint64(7), s.pub.State().LostMessages)
}

// TestATailThatCannotBeReadKeepsWhatIsInMemory: of the block that takes records only the part goes that was in the
// file when the stream was opened.
func TestATailThatCannotBeReadKeepsWhatIsInMemory(t *testing.T) {
	t.Cleanup(engine.SetKeepRecords(0))
	s := open(sevenABlock)
	for range 18 { // four of them in block 3
		s.must(t, store("a", 100))
	}
	s.cfg.Limits.MaxMsgs = 18
	s.reopen()
	s.disk.fault = func(_ int, what string) error {
		if what == "load 3" {
			return errDisk
		}
		return nil
	}
	s.listen()
	for range 2 {
		s.must(t, store("b", 100))
	}
	s.must(t, repeat(store("c", 100), 13)...)
	for range engine.MostLoads + 1 {
		s.tick(s.now + second)
		s.settle()
	}
	state := s.pub.State()
	require.Equal(t, uint64(4), state.LostMessages)
	require.Zero(t, state.Recounting)
	require.Equal(t, uint64(2), state.Subjects, "b and c")
	require.LessOrEqual(t, state.Messages, uint64(18))
	require.Equal(t, state.LastSequence-state.Messages+1, state.FirstSequence)
	require.Equal(t, []uint64{state.FirstSequence}, s.live()[:1])
	require.NoError(t, s.taker.wrong, "notices")
}
