package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// lastOf returns the last of some messages that counts for an expectation.
func lastOf(x *engine.ExpectedLast, live []entry) (last uint64) {
	for _, e := range live {
		all := x.Filter == nil && x.Subject == "" || x.Filter != nil && x.Filter.All()
		if all || e.subject != "" && (x.Filter == nil && e.subject == x.Subject || x.Filter != nil && x.Filter.Match([]byte(e.subject))) {
			last = e.sequence
		}
	}
	return last
}

// unexpected returns why messages may not enter that expect something of subjects.
func (m *model) unexpected(messages []engine.Message) error {
	live := slices.Clone(m.live)
	for i := range messages {
		for k := range messages[i].Expect {
			if x := &messages[i].Expect[k]; lastOf(x, live) != x.Sequence {
				return engine.ErrSequenceMismatch
			}
		}
		if messages[i].Rollup == engine.RollupAll {
			live = nil
		}
		live = append(live, entry{sequence: m.last + 1 + uint64(i), subject: messages[i].Subject})
	}
	return nil
}

// expecting has a message expect something now and then, which mostly is right when nothing comes between.
func expecting(t *rapid.T, mc *machine, msg engine.Message) engine.Message {
	if rapid.IntRange(0, 3).Draw(t, "expects") > 0 {
		return msg
	}
	x := engine.ExpectedLast{Subject: rapid.SampledFrom([]string{msg.Subject, "a", "b", "none", ""}).Draw(t, "of")}
	if rapid.Bool().Draw(t, "a filter") {
		set := subject.NewSet(subject.Compile(rapid.SampledFrom([]string{">", "*", "a.*", "orders.>", "none.>"}).Draw(t, "of filter")))
		x.Filter = &set
	}
	if x.Sequence = lastOf(&x, mc.m.live); rapid.IntRange(0, 4).Draw(t, "wrong") == 0 {
		x.Sequence += rapid.SampledFrom([]uint64{1, ^uint64(0)}).Draw(t, "by")
	}
	msg.Expect = []engine.ExpectedLast{x}
	return msg
}

// expects is a store that expects the last sequence of a subject, or of a filter when that has wildcards.
func expects(name string, sequence uint64) sent {
	c := &engine.Store{Message: engine.Message{Subject: "a", Expect: []engine.ExpectedLast{{Subject: name, Sequence: sequence}}}}
	if p := subject.Compile(name); !p.Exact() {
		set := subject.NewSet(p)
		c.Expect[0].Filter = &set
	}
	return sent{fmt.Sprint(name, " ", sequence), c}
}

func removal(sequence uint64) sent { return sent{"remove", &engine.Remove{Sequence: sequence}} }

// TestExpectedLastOfSubjects: what is staged counts, what is removed does not, and what the index does not know
// is looked up, newest first.
func TestExpectedLastOfSubjects(t *testing.T) {
	for _, row := range []struct {
		name   string
		before []sent
		of     string
		last   uint64
	}{
		{"a subject that nobody has", nil, "a", 0},
		{"a subject", []sent{store("a", 0), store("b", 0)}, "a", 1},
		{"every message", []sent{store("a", 0), store("", 0)}, "", 2},
		{"every message, the last one removed", []sent{store("a", 0), store("", 0), removal(2)}, ">", 1},
		{"every message, none left", []sent{store("a", 0), removal(1)}, ">", 0},
		{"the last of a subject removed", []sent{store("a", 0), store("a", 0), store("b", 0), removal(2)}, "a", 1},
		{"two are left in the block", []sent{store("a", 0), store("a", 0), store("a", 0), removal(3)}, "a", 2},
		{"all of a subject removed", []sent{store("a", 0), store("b", 0), removal(1)}, "a", 0},
		{"a filter", []sent{store("a.x", 0), store("a.y", 0), store("b", 0)}, "a.*", 2},
		{"a filter, the last removed", []sent{store("a.x", 0), store("a.y", 0), store("b", 0), removal(2)}, "a.*", 1},
		{"a filter, the last of the earlier subject removed", []sent{store("a.x", 0), store("a.x", 0), store("a.y", 0), removal(2)}, "a.*", 3},
		{"in another block", append(append([]sent{store("a", 0)}, repeat(store("b", 300), 12)...), store("a", 0), removal(14)), "a", 1},
	} {
		for _, reopened := range []bool{false, true} {
			t.Run(fmt.Sprint(row.name, ", reopened ", reopened), func(t *testing.T) {
				defer engine.SetKeepRecords(0)()
				s := newShell(testConfig(), newDisk(), engine.NewPublished(), start)
				for _, c := range row.before {
					s.step(c) // in one group, or two: not published yet
				}
				if reopened {
					s.settle()
					s.reopen()
				}
				s.step(expects(row.of, row.last+1))
				s.step(expects(row.of, row.last))
				s.settle()
				r := s.replies[len(s.replies)-2:]
				var mismatch *engine.SequenceError
				require.ErrorIs(t, r[0].Err, engine.ErrSequenceMismatch)
				require.True(t, errors.As(r[0].Err, &mismatch))
				require.Equal(t, row.last, mismatch.Have)
				require.Contains(t, mismatch.What, fmt.Sprintf("%q", row.of)[1:len(row.of)+1])
				require.NoError(t, r[1].Err)
			})
		}
	}
}

// TestEachMessageOfABatchExpectsForItself, with the messages of the batch before it stored. One that is wrong
// refuses the batch.
func TestEachMessageOfABatchExpectsForItself(t *testing.T) {
	s := newShell(testConfig(), newDisk(), engine.NewPublished(), start)
	s.must(t, store("a", 0), store("b", 0))
	set := subject.NewSet(subject.Compile("*"))
	batch := func(last uint64) sent {
		return sent{"batch", &engine.StoreBatch{Messages: []engine.Message{
			{Subject: "a", Expect: []engine.ExpectedLast{{Subject: "a", Sequence: 1}}},
			{Subject: "c"},
			{Subject: "a", Expect: []engine.ExpectedLast{{Subject: "a", Sequence: 3}, {Subject: "b", Sequence: 2}}},
			{Subject: "b", Expect: []engine.ExpectedLast{{Filter: &set, Sequence: last}, {Sequence: last}, {Subject: "c", Sequence: 4}}},
		}}}
	}
	require.ErrorIs(t, s.do(batch(2))[0].Err, engine.ErrSequenceMismatch)
	require.EqualValues(t, 2, s.pub.Last())
	require.NoError(t, s.do(batch(5))[0].Err)
}

// TestARefusalWaitsForWhatItRestsOn: that another message is the last one of the subject is no news before that
// message is durable.
func TestARefusalWaitsForWhatItRestsOn(t *testing.T) {
	s := newShell(testConfig(), newDisk(), engine.NewPublished(), start)
	s.must(t, expects("a", 0))
	s.replies = nil
	s.step(store("a", 0))
	s.step(expects("a", 1))
	s.turn()
	require.Empty(t, s.replies)
	s.settle()
	require.Len(t, s.replies, 2)
	require.ErrorIs(t, s.replies[1].Err, engine.ErrSequenceMismatch)
}
