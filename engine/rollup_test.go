package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
)

// rolledUp returns the messages that one takes the place of, of those that are live and of those of its batch so far.
func (m *model) rolledUp(msg engine.Message, batch []entry) (sequences []uint64) {
	for _, e := range slices.Concat(m.live, batch) {
		if msg.Rollup == engine.RollupAll || msg.Rollup == engine.RollupSubject && e.subject == msg.Subject {
			sequences = append(sequences, e.sequence)
		}
	}
	return sequences
}

// rollingUp has one in so many messages take the place of others.
func rollingUp(t *rapid.T, one int, msg engine.Message) engine.Message {
	if rapid.IntRange(0, one-1).Draw(t, "rolls up") == one-1 {
		msg.Rollup = rapid.SampledFrom([]engine.Rollup{engine.RollupSubject, engine.RollupAll}).Draw(t, "roll-up")
	}
	return msg
}

func rollsUp(kind engine.Rollup, name string, payload int) sent {
	s := store(name, payload)
	s.command.(*engine.Store).Rollup = kind
	return s
}

// TestARollupIsAllOrNothing: after a crash at any moment there are the messages from before, or the one that
// has taken their place.
func TestARollupIsAllOrNothing(t *testing.T) {
	for _, row := range []struct {
		name   string
		rollup sent
		want   []uint64
	}{
		{"of a subject", rollsUp(engine.RollupSubject, "a", 10), []uint64{2, 4, 6, 8, 10, 12, 13}},
		{"of a subject, large", rollsUp(engine.RollupSubject, "a", 900), []uint64{2, 4, 6, 8, 10, 12, 13}},
		{"of a subject that nobody has", rollsUp(engine.RollupSubject, "c", 10), []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}},
		{"without a subject", rollsUp(engine.RollupSubject, "", 10), []uint64{1, 3, 5, 7, 9, 11, 13}},
		{"of all", rollsUp(engine.RollupAll, "a", 10), []uint64{13}},
		{"of all, large", rollsUp(engine.RollupAll, "a", 3000), []uint64{13}},
	} {
		for _, reopened := range []bool{false, true} {
			t.Run(fmt.Sprint(row.name, ", reopened ", reopened), func(t *testing.T) {
				defer engine.SetKeepRecords(0)()
				s := newShell(testConfig(), newDisk(), engine.NewPublished(), start)
				before := make([]uint64, 12)
				for i := range before {
					before[i] = uint64(i + 1)
					s.must(t, store([]string{"a", ""}[i%2], 150))
				}
				if reopened {
					s.reopen()
				}
				s.disk.point = func(what string) {
					for _, keep := range []func() bool{dropAll, keepAll, keepSome(1), keepSome(2)} {
						after := newShell(s.cfg, s.disk.crash(keep), engine.NewPublished(), s.now)
						if got := after.live(); !slices.Equal(got, before) && !slices.Equal(got, row.want) {
							t.Errorf("crash %s: live are %v", what, got)
						}
					}
				}
				s.must(t, row.rollup)
				s.disk.point = nil
				require.Equal(t, row.want, s.live())
				require.NoError(t, s.e.CheckInvariants())
				s.reopen()
				require.Equal(t, row.want, s.live())
			})
		}
	}
}

// rolling is a batch of messages with these subjects; a + before one takes the place of those of its subject, and a *
// of all.
func rolling(names ...string) sent {
	c := &engine.StoreBatch{}
	for _, name := range names {
		m := engine.Message{Payload: payload(10)}
		switch {
		case name[0] == '+':
			m.Rollup = engine.RollupSubject
		case name[0] == '*':
			m.Rollup = engine.RollupAll
		}
		m.Subject = strings.TrimPrefix(strings.TrimLeft(name, "+*"), "-")
		c.Messages = append(c.Messages, m)
	}
	return sent{fmt.Sprint(names), c}
}

// TestRollupsInABatch: what each takes the place of goes with the batch, all or nothing, and is not back when the
// stream is opened. Six messages are there before: 1 and 5 of a, 2 of b, 3 without a subject, 4 and 6 of c.
func TestRollupsInABatch(t *testing.T) {
	for _, row := range []struct {
		batch []string
		want  []uint64
		err   error
	}{
		{[]string{"+a", "b"}, []uint64{2, 3, 4, 6, 7, 8}, nil},
		{[]string{"b", "+a"}, []uint64{2, 3, 4, 6, 7, 8}, nil},
		{[]string{"+a", "+b", "+c"}, []uint64{3, 7, 8, 9}, nil},
		{[]string{"+a", "+a"}, []uint64{2, 3, 4, 6, 8}, nil},
		{[]string{"a", "b", "a", "+a", "a"}, []uint64{2, 3, 4, 6, 8, 10, 11}, nil},
		{[]string{"+new", "new", "+new"}, []uint64{1, 2, 3, 4, 5, 6, 9}, nil},
		{[]string{"+-", "a"}, []uint64{1, 2, 4, 5, 6, 7, 8}, nil},
		{[]string{"-", "+-", "+b"}, []uint64{1, 4, 5, 6, 8, 9}, nil},
		{[]string{"*a"}, []uint64{7}, nil},
		{[]string{"*a", "a", "b"}, []uint64{7, 8, 9}, nil},
		{[]string{"*a", "b", "+a"}, []uint64{8, 9}, nil},
		{[]string{"a", "*a"}, []uint64{1, 2, 3, 4, 5, 6}, engine.ErrRollupInBatch},
	} {
		for _, per := range []int64{0, 3} {
			t.Run(fmt.Sprint(row.batch, per), func(t *testing.T) {
				defer engine.SetKeepRecords(0)()
				s := open(func(c *engine.Config) { c.BlockSize, c.Limits.MaxMsgsPer = 150, per })
				for _, name := range []string{"a", "b", "", "c", "a", "c"} {
					s.must(t, store(name, 20))
				}
				before := s.live()
				s.reopen()
				s.listen()
				want := row.want
				s.disk.point = func(what string) {
					for _, keep := range []func() bool{dropAll, keepAll, keepSome(1), keepSome(2)} {
						after := newShell(s.cfg, s.disk.crash(keep), engine.NewPublished(), s.now)
						if got := after.live(); !slices.Equal(got, before) && !slices.Equal(got, want) {
							t.Errorf("crash %s: live are %v", what, got)
						}
					}
				}
				r := s.do(rolling(row.batch...))
				s.disk.point = nil
				require.ErrorIs(t, r[0].Err, row.err)
				require.NoError(t, s.e.CheckInvariants())
				require.NoError(t, s.taker.wrong)
				for range 2 {
					require.Equal(t, want, s.live())
					s.reopen()
				}
			})
		}
	}
}

// TestNoticesOfRollupsInABatch come in the order in which things happen.
func TestNoticesOfRollupsInABatch(t *testing.T) {
	s := open(nil)
	s.must(t, store("a", 59), store("b", 59), store("a", 59))
	s.listen()
	s.settle()
	s.heard(t)
	s.must(t, rolling("b", "+a", "c", "+b"))
	require.Equal(t, []string{
		"purged -3 -270 0 ", "stored +1 +41 4 b", "stored +1 +41 5 a", "stored +1 +41 6 c", "purged -1 -41 4 b", "stored +1 +41 7 b",
	}, s.heard(t))
}

// TestExpectationsInABatchThatRollsUp: behind a message that takes the place of all there is nothing else.
func TestExpectationsInABatchThatRollsUp(t *testing.T) {
	s := open(nil)
	s.must(t, store("a", 0), store("b", 0))
	batch := rolling("*c", "a").command.(*engine.StoreBatch)
	batch.Messages[1].Expect = []engine.ExpectedLast{{Subject: "b", Sequence: 2}}
	require.ErrorIs(t, s.do(sent{1, batch})[0].Err, engine.ErrSequenceMismatch)
	batch = rolling("*c", "a").command.(*engine.StoreBatch)
	batch.Messages[0].Expect = []engine.ExpectedLast{{Subject: "b", Sequence: 2}}
	batch.Messages[1].Expect = []engine.ExpectedLast{{Subject: "b"}, {Subject: "c", Sequence: 3}}
	s.must(t, sent{1, batch})
	require.Equal(t, []uint64{3, 4}, s.live())
}

// TestRollupsInABatchAreLetThrough where new messages of a full subject are refused, and make room behind them.
func TestRollupsInABatchAreLetThrough(t *testing.T) {
	s := open(limits(engine.Limits{MaxMsgsPer: 2, Discard: engine.DiscardNew, DiscardNewPer: true}))
	s.must(t, store("a", 0), store("a", 0))
	require.ErrorIs(t, s.do(rolling("b", "a"))[0].Err, engine.ErrMaxMsgsPerSubject)
	require.ErrorIs(t, s.do(rolling("+a", "a", "a"))[0].Err, engine.ErrMaxMsgsPerSubject)
	s.must(t, rolling("b", "+a", "a"))
	require.Equal(t, []uint64{3, 4, 5}, s.live())
	s.must(t, rolling("*b", "a", "a"))
	require.Equal(t, []uint64{6, 7, 8}, s.live())
}

// TestRollupIsLetThroughWhereNewMessagesOfASubjectAreDiscarded, and then takes the place of the others.
func TestRollupIsLetThroughWhereNewMessagesOfASubjectAreDiscarded(t *testing.T) {
	s := open(limits(engine.Limits{MaxMsgsPer: 2, Discard: engine.DiscardNew, DiscardNewPer: true}))
	s.must(t, store("a", 0), store("b", 0), store("a", 0))
	require.ErrorIs(t, s.do(store("a", 0))[0].Err, engine.ErrMaxMsgsPerSubject)
	s.must(t, rollsUp(engine.RollupSubject, "a", 0))
	require.Equal(t, []uint64{2, 4}, s.live())
	s.must(t, store("a", 0))
	require.ErrorIs(t, s.do(store("a", 0))[0].Err, engine.ErrMaxMsgsPerSubject)
}

// TestTheHeaderOfARollupCounts only if the configuration says so.
func TestTheHeaderOfARollupCounts(t *testing.T) {
	with := func(value string) engine.Message {
		return engine.Message{Subject: "a", Header: []byte("NATS/1.0\r\nNats-Rollup: " + value + "\r\n\r\n")}
	}
	for _, row := range []struct {
		value   string
		counts  bool
		err     error
		live    []uint64
		batched []uint64 // live behind a batch of two
		inBatch error
	}{
		{"sub", false, nil, []uint64{1, 2, 3}, []uint64{1, 2, 3, 4, 5}, nil},
		{"sub", true, nil, []uint64{2, 3}, []uint64{2, 5}, nil},
		{"ALL", true, nil, []uint64{3}, []uint64{3}, engine.ErrRollupInBatch},
		{"", true, nil, []uint64{1, 2, 3}, []uint64{1, 2, 3, 4, 5}, nil},
		{"some", true, engine.ErrBadHeader, []uint64{1, 2}, []uint64{1, 2}, engine.ErrBadHeader},
		{"some", false, nil, []uint64{1, 2, 3}, []uint64{1, 2, 3, 4, 5}, nil},
	} {
		t.Run(fmt.Sprint(row.value, row.counts), func(t *testing.T) {
			s := open(func(cfg *engine.Config) { cfg.RollupHeaders = row.counts })
			s.must(t, store("a", 0), store("b", 0))
			require.ErrorIs(t, s.do(sent{1, &engine.Store{Message: with(row.value)}})[0].Err, row.err)
			require.Equal(t, row.live, s.live())
			batch := &engine.StoreBatch{Messages: []engine.Message{{Subject: "a"}, with(row.value)}}
			require.ErrorIs(t, s.do(sent{2, batch})[0].Err, row.inBatch)
			require.Equal(t, row.batched, s.live())
			s.must(t, sent{3, &engine.StoreRaw{Message: with(row.value)}})
		})
	}
}
