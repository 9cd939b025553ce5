package engine_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/seed-d8b58eba/millrace/engine"
)

// sevenABlock makes blocks that have room for seven messages of 131 bytes, each in a commit of its own.
func sevenABlock(c *engine.Config) { c.BlockSize = 7 * (30 + 131) }

// lostWorld is a stream of 35 messages of 131 bytes, seven a block, on two subjects.
func lostWorld(t *testing.T) *shell {
	t.Helper()
	s := open(sevenABlock)
	for i := range 35 {
		s.must(t, store([]string{"a", "b"}[i%2], 100))
	}
	return s
}

// lose tells the engine of a loss, and lets it publish that.
func (s *shell) lose(t *testing.T, block uint32, first, last uint64, more func(*engine.Loss)) uint64 {
	t.Helper()
	l := engine.Loss{
		LostRange:  engine.LostRange{SequenceRange: engine.SequenceRange{First: first, Last: last}, Block: block},
		Generation: s.e.Generation(),
	}
	if more != nil {
		more(&l)
	}
	lost := s.e.Lose(l)
	s.settle()
	if err := s.e.CheckInvariants(); err != nil {
		t.Fatal(err)
	}
	return lost
}

func TestLossIsCountedOnce(t *testing.T) {
	s := lostWorld(t)
	subject := func(name string) func(*engine.Loss) {
		return func(l *engine.Loss) { l.Subject, l.SubjectKnown, l.Bytes = name, true, 131 }
	}
	if got := s.lose(t, 2, 10, 10, subject("b")); got != 1 {
		t.Fatalf("lost %d", got)
	}
	for name, again := range map[string]func() uint64{
		"the same":           func() uint64 { return s.lose(t, 2, 10, 10, subject("b")) },
		"another generation": func() uint64 { return s.lose(t, 2, 11, 11, func(l *engine.Loss) { l.Generation++ }) },
		"another block":      func() uint64 { return s.lose(t, 3, 10, 10, nil) },
		"no such block":      func() uint64 { return s.lose(t, 77, 10, 10, nil) },
		"beyond the end":     func() uint64 { return s.lose(t, 2, 100, 200, nil) },
	} {
		if got := again(); got != 0 {
			t.Errorf("%s: lost %d", name, got)
		}
	}
	state := s.pub.State()
	if state.Messages != 34 || state.Bytes != 34*131 || state.LostMessages != 1 || state.LostBytes != 131 || state.Deleted != 1 {
		t.Fatalf("state %+v", state)
	}
	b := s.pub.View().Find(10)
	if !b.Deleted(10) || b.Deleted(9) || b.Deleted(11) {
		t.Fatal("deleted sequences")
	}
	if r, ok := s.pub.Lost(10); !ok || r.Block != 2 || r.First != 10 || r.Last != 10 {
		t.Fatalf("lost %+v %v", r, ok)
	}
	if _, ok := s.pub.Lost(9); ok {
		t.Fatal("9 is not lost")
	}
	if info, _ := s.pub.Subjects().Get("b"); info.Count != 16 {
		t.Fatalf("subject %+v", info)
	}
}

// TestLossInTheLastBlock is counted as in any other, and the stream goes on behind it.
func TestLossInTheLastBlock(t *testing.T) {
	s := lostWorld(t)
	if got := s.lose(t, 5, 35, 35, nil); got != 1 {
		t.Fatalf("lost %d", got)
	}
	if got := s.lose(t, 5, 1, 100, nil); got == 0 {
		t.Fatal("the rest of the block")
	}
	state := s.pub.State()
	if state.LastSequence != 35 || state.LostMessages != 35-state.Messages {
		t.Fatalf("state %+v", state)
	}
	if _, ok := s.pub.Lost(35); !ok {
		t.Fatal("35 is lost")
	}
}

// TestLossOfARange takes what is live of it, a block at most, and moves the first sequence.
func TestLossOfARange(t *testing.T) {
	s := lostWorld(t)
	s.lose(t, 1, 3, 3, nil)
	if got := s.lose(t, 1, 1, 5, nil); got != 4 {
		t.Fatalf("lost %d", got)
	}
	state := s.pub.State()
	if state.FirstSequence != 6 || state.FirstTime == engine.NoTime || state.Messages != 30 || state.LostMessages != 5 {
		t.Fatalf("state %+v", state)
	}
	if got := s.lose(t, 1, 0, 1000, nil); got != 2 {
		t.Fatalf("lost %d", got)
	}
	if state := s.pub.State(); state.FirstSequence != 8 || state.Messages != 28 || state.Bytes != 28*131 {
		t.Fatalf("state %+v", state)
	}
	// All of a block between others: nothing of the file is removed.
	if got := s.lose(t, 3, 15, 21, nil); got != 7 {
		t.Fatalf("lost %d", got)
	}
	if _, ok := s.disk.current[3]; !ok {
		t.Fatal("the damaged block was removed")
	}
	if _, ok := s.pub.Lost(15); !ok || s.pub.View().Find(15) == nil {
		t.Fatal("15 is lost, and its block stays")
	}
}

// TestLimitsGoOnBehindALoss: what is lost of a block that a limit reaches costs itself, not the rest of the block.
func TestLimitsGoOnBehindALoss(t *testing.T) {
	defer engine.SetKeepRecords(0)()
	s := lostWorld(t)
	s.cfg.Limits.MaxMsgs = 35
	s.reopen()
	// The last two records of block 4, whose table is not in memory, go to zeros while the store is open.
	clear(s.disk.current[4][5*(30+131):])
	for range 20 {
		s.must(t, store("c", 100))
	}
	state := s.pub.State()
	if state.LostMessages != 2 || state.FirstSequence != 19 || state.Messages != 35 || state.LastSequence != 55 {
		t.Fatalf("state %+v", state)
	}
	if err := s.e.CheckInvariants(); err != nil {
		t.Fatal(err)
	}
}

// TestVeryManyLostRanges are taken in order in a time that grows with their number alone: in its square, this
// test would not end.
func TestVeryManyLostRanges(t *testing.T) {
	const n = 400_000
	r := engine.NewRecovery(testConfig(), engine.NewPublished())
	for pass, want := range []uint64{1, 0} { // what is known is not counted again
		for i := range uint64(n) {
			lost := engine.LostRange{SequenceRange: engine.SequenceRange{First: 2*i + 2, Last: 2*i + 2}, Block: 1, Bytes: 10}
			if got := r.Lose(lost); got != want {
				t.Fatalf("pass %d, range %d: lost %d", pass, i, got)
			}
		}
	}
	if got := len(r.Lost()); got != n {
		t.Fatalf("%d ranges", got)
	}
	// One that comes late finds its place.
	if got := r.Lose(engine.LostRange{SequenceRange: engine.SequenceRange{First: 1, Last: 5}, Block: 1, Bytes: 10}); got != 3 {
		t.Fatalf("lost %d", got)
	}
	if got := r.Lost()[0]; got.First != 1 || got.Last != 6 {
		t.Fatalf("%+v", got)
	}
	if got := r.Last(); got != 2*n {
		t.Fatalf("last %d", got)
	}
}

// TestLossIsWrittenDown once readers are shown it, one time after the other.
func TestLossIsWrittenDown(t *testing.T) {
	s := lostWorld(t)
	var shown []uint64 // how much readers were shown to be lost when it was written down
	told := func() {
		s.turn()
		for i, w := range s.work {
			if w.Kind == engine.WorkTell {
				s.work = append(s.work[:i], s.work[i+1:]...)
				shown = append(shown, s.pub.State().LostMessages)
				s.e.Done(engine.Done{ID: w.ID, Err: errors.New("it cannot be written")}) // which changes nothing
				return
			}
		}
	}
	one := func(block uint32, sequence uint64) {
		s.e.Lose(engine.Loss{Generation: s.e.Generation(), LostRange: engine.LostRange{
			SequenceRange: engine.SequenceRange{First: sequence, Last: sequence}, Block: block}})
	}
	one(2, 10)
	s.turn() // the work is handed out
	one(2, 11)
	one(3, 16)
	s.turn() // there is one at a time
	told()
	told()
	told()
	if want := []uint64{3, 3}; !slices.Equal(shown, want) {
		t.Fatalf("%v, want %v", shown, want)
	}
	if err := s.e.Failed(); err != nil {
		t.Fatal(err)
	}
}
