package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// unloaded returns a stream of 28 messages in 4 blocks, which MaxMsgs allows, as it is when
// it was reopened and keeps the tables of the first two blocks only.
func unloaded(t *testing.T) *shell {
	t.Helper()
	t.Cleanup(engine.SetKeepRecords(0))
	s := open(sevenABlock)
	for i := range 28 {
		s.must(t, store([]string{"a", "b", "c", "d"}[i/7], 100))
	}
	s.cfg.Limits.MaxMsgs = 28
	s.reopen()
	require.Equal(t, uint64(4), s.pub.State().Subjects)
	return s
}

// untilLoad stores until the table of a block is asked for, and returns that work.
func (s *shell) untilLoad(t *testing.T, block uint32) engine.Work {
	t.Helper()
	for range 28 {
		s.step(store("e", 0))
		s.runCommits()
		for _, w := range s.work {
			if w.Kind == engine.WorkLoad && w.Block == block {
				return s.hold(t, engine.WorkLoad, block)
			}
		}
		for s.runWork() {
		}
		s.runCommits()
	}
	t.Fatalf("the table of block %d is not asked for", block)
	return engine.Work{}
}

// TestWhatWaitsForATableGoesOnWhenItComes, also while a commit is on its way: it is in the next group then, however long
// that one takes.
func TestWhatWaitsForATableGoesOnWhenItComes(t *testing.T) {
	s := unloaded(t)
	w := s.untilLoad(t, 3)
	for s.e.Parked() == 0 {
		s.step(store("e", 0))
		s.turn()
	}
	require.NotNil(t, s.commit, "a commit is on its way")
	s.work = []engine.Work{w}
	require.True(t, s.runWork())
	require.Zero(t, s.e.Parked())
}

// TestATableIsLoadedOnce, however much waits for it.
func TestATableIsLoadedOnce(t *testing.T) {
	s := unloaded(t)
	s.untilLoad(t, 3)
	for range 20 {
		s.step(store("e", 0))
		s.runCommits()
	}
	require.Positive(t, s.e.Parked(), "stores wait for the table")
	for _, w := range s.work {
		require.False(t, w.Kind == engine.WorkLoad && w.Block == 3, "asked for again while it is loaded")
	}
}

// tableOf returns the table of messages of these sizes, the first of a sequence.
func tableOf(block uint32, first uint64, subject string, sizes ...int) *engine.Table {
	s := engine.NewScan(block)
	offset := int64(0)
	for i, size := range sizes {
		s.Message(first+uint64(i), start, offset, size, []byte(subject))
		offset += int64(size)
	}
	return s.Table()
}

// TestATableThatDoesNotAgreeTakesNoTotalBelowZero: a block may be damaged between its scan
// and the load of its table. Everything about it is gone when it was evicted, and no more.
func TestATableThatDoesNotAgreeTakesNoTotalBelowZero(t *testing.T) {
	for _, row := range []struct {
		name  string
		sizes []int
	}{
		{"larger records", []int{500, 500, 500, 500, 500, 500, 500}},
		{"smaller records", []int{31, 31, 31, 31, 31, 31, 31}},
		{"fewer records", []int{131, 131}},
		{"one record", []int{131}},
		{"none", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := unloaded(t)
			w := s.untilLoad(t, 3)
			s.e.Done(engine.Done{ID: w.ID, Table: tableOf(3, 15, "c", row.sizes...)})
			for range 28 {
				s.step(store("e", 0))
				s.settle()
				state := s.pub.State()
				require.LessOrEqual(t, state.Messages, uint64(28))
				require.Less(t, state.Bytes, uint64(28*200))
				require.LessOrEqual(t, state.Subjects, uint64(5))
			}
			state := s.pub.State()
			require.Equal(t, uint64(28), state.Messages)
			require.Equal(t, uint64(28*31), state.Bytes, "only the messages of after it are there")
			require.Equal(t, uint64(1), state.Subjects, "subjects of lost messages are gone, too")
			require.Equal(t, uint64(7-len(row.sizes)), state.LostMessages)
		})
	}
}
