package engine_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/engine"
)

// rolledUp returns the messages that one takes the place of.
func (m *model) rolledUp(msg engine.Message) (sequences []uint64) {
	for _, e := range m.live {
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
		inBatch error
	}{
		{"sub", false, nil, []uint64{1, 2, 3}, nil},
		{"sub", true, nil, []uint64{2, 3}, engine.ErrRollupInBatch},
		{"ALL", true, nil, []uint64{3}, engine.ErrRollupInBatch},
		{"", true, nil, []uint64{1, 2, 3}, nil},
		{"some", true, engine.ErrBadHeader, []uint64{1, 2}, engine.ErrBadHeader},
		{"some", false, nil, []uint64{1, 2, 3}, nil},
	} {
		t.Run(fmt.Sprint(row.value, row.counts), func(t *testing.T) {
			s := open(func(cfg *engine.Config) { cfg.RollupHeaders = row.counts })
			s.must(t, store("a", 0), store("b", 0))
			require.ErrorIs(t, s.do(sent{1, &engine.Store{Message: with(row.value)}})[0].Err, row.err)
			require.Equal(t, row.live, s.live())
			batch := &engine.StoreBatch{Messages: []engine.Message{{Subject: "a"}, with(row.value)}}
			require.ErrorIs(t, s.do(sent{2, batch})[0].Err, row.inBatch)
			s.must(t, sent{3, &engine.StoreRaw{Message: with(row.value)}})
		})
	}
}
