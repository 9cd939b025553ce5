package actors_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// oneOfEach is a question for every query, without and with a filter.
func oneOfEach() []question {
	var list []question
	for _, p := range []picks{none, nothing, matching(""), matching("a.>"), exactly("a.b"), matching("*", "absent")} {
		list = append(list, askNext(1, p), askPrev(5, p), askLast(p), askFiltered(1, p), askSubjects(p), askTotals(p),
			askPending(1, p), askPendingLast(1, p), askScan(0, false, p), askScan(0, true, p))
	}
	for _, sequence := range []uint64{0, 1, 3, math.MaxUint64} {
		list = append(list, askLoad(sequence), askLoadInto(sequence), askSubject(sequence))
	}
	for _, patterns := range [][]string{nil, {""}, {">"}, {"a.b", "absent"}} {
		list = append(list, askMulti(patterns, 0, 0), askMultiMsgs(patterns, 0, 1))
	}
	return append(list, askFirst("a.b"), askFirst("absent"), askAllLast(), askTime(second(1)), askTime(time.Time{}))
}

// TestQueryOfAStoppedStore says so, whatever is asked; the states are still those
// of before.
func TestQueryOfAStoppedStore(t *testing.T) {
	for _, name := range []string{"brand-new", "emptied", "subjects", "one message"} {
		t.Run(name, func(t *testing.T) {
			s := open(t, fixtures[name].config(t.TempDir()))
			n := fixtures[name].store(t, s, 0)
			checkEverything(t, s, n)
			early := s.Messages(t.Context(), actors.Filter(">"))
			earlyLast := s.MultiLastMsgs(t.Context(), []string{">"}, 0, 0)
			before, err := s.State(t.Context())
			require.NoError(t, err)
			stop(t, s)
			for _, q := range oneOfEach() {
				a := q.got(t.Context(), s)
				require.Equal(t, actors.ErrStopped, a.err, "%s", q.text)
				value := reflect.ValueOf(a.value)
				require.True(t, value.IsZero(), "%s gave %v", q.text, a.value)
			}
			require.Equal(t, answer{[]record(nil), actors.ErrStopped}, iterated(early), "asked for before the stop")
			require.Equal(t, answer{[]record(nil), actors.ErrStopped}, iterated(earlyLast), "asked for before the stop")
			after, err := s.State(t.Context())
			require.NoError(t, err)
			before.Durable = after.Durable
			require.Equal(t, before, after)
			fast, err := s.FastState(t.Context())
			require.NoError(t, err)
			require.Equal(t, after.State, fast)
		})
	}
}

// TestQueryWithAnEndedContext gives what ended it, whatever is asked.
func TestQueryWithAnEndedContext(t *testing.T) {
	for _, name := range []string{"brand-new", "subjects"} {
		s := open(t, fixtures[name].config(t.TempDir()))
		fixtures[name].store(t, s, 0)
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("enough")
		cancel(cause)
		for _, q := range append(oneOfEach(), askState(), askFastState()) {
			require.ErrorIs(t, q.got(ctx, s).err, cause, "%s", q.text)
		}
	}
}

// TestQueryOfAnUnusedStoreThatStartsHigh: its first sequence is known before it
// has one.
func TestQueryOfAnUnusedStoreThatStartsHigh(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), FirstSequence: 100}
	n := &naive{last: 99}
	for range 2 {
		s := open(t, config)
		checkEverything(t, s, n)
		for want, q := range map[string]question{
			"end": askLoad(0), "not found": askLoad(99), "end, skip 99": askNext(0, none), "end, skip 100": askPrev(200, none),
			"100": askTime(second(1)), "0 through 99": askPending(0, matching("a")), "{0 100 99}": askFiltered(0, none),
		} {
			require.Equal(t, want, q.got(t.Context(), s).String(), "%s", q.text)
		}
		for _, q := range oneOfEach() {
			q.check(t, s, n)
		}
		stop(t, s)
	}
}

// TestQueryLeavesCallersSlicesAlone: patterns are neither reordered nor kept.
func TestQueryLeavesCallersSlicesAlone(t *testing.T) {
	config := fixtures["subjects"].config(t.TempDir())
	config.Subjects = []string{"stock.>", "orders.>", "a", "orders.eu.*"}
	s := open(t, config)
	fixtures["subjects"].store(t, s, 0)
	patterns := []string{"stock.>", "orders.eu.1", "", "a", "orders.>", "orders.eu.*", "a"}
	kept := slices.Clone(patterns)
	for _, f := range []actors.Filters{actors.Filter(patterns...), actors.Literal(patterns...)} {
		_, _, err := s.LoadNextMsg(t.Context(), 1, f)
		require.NoError(t, err)
		_, _, err = s.LoadPrevMsg(t.Context(), 16, f)
		require.NoError(t, err)
		_, err = s.LoadLastMsg(t.Context(), f)
		require.NoError(t, err)
		_, err = s.FilteredState(t.Context(), 2, f)
		require.NoError(t, err)
		_, err = s.SubjectsState(t.Context(), f)
		require.NoError(t, err)
		_, err = s.SubjectsTotals(t.Context(), f)
		require.NoError(t, err)
		_, _, err = s.NumPending(t.Context(), 2, f)
		require.NoError(t, err)
		_, _, err = s.NumPendingLastPerSubject(t.Context(), 2, f)
		require.NoError(t, err)
		for range s.Messages(t.Context(), f) {
		}
		for range s.Messages(t.Context(), f, actors.Reverse()) {
		}
	}
	_, err := s.MultiLastSeqs(t.Context(), patterns, 0, 0)
	require.NoError(t, err)
	for range s.MultiLastMsgs(t.Context(), patterns, 0, 0) {
	}
	require.Equal(t, kept, patterns)
	require.Equal(t, []string{"stock.>", "orders.>", "a", "orders.eu.*"}, config.Subjects)
}

// TestQueryResultsAreTheCallers: what is done to them changes nothing.
func TestQueryResultsAreTheCallers(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			s, n := shape.open(t, fixtures["subjects"])
			spoil := func(m actors.Message) {
				if len(m.HeaderBlock) > 0 {
					before := string(m.Payload)
					_ = append(m.HeaderBlock, "xxxxxxxx"...)
					require.Equal(t, before, string(m.Payload), "appending to the header reached the payload")
				}
				clear(m.HeaderBlock)
				clear(m.Payload)
				_ = append(m.Payload, "xxxxxxxx"...)
			}
			for range 2 {
				for sequence := range n.last + 1 {
					m, _ := s.LoadMsg(t.Context(), sequence)
					spoil(m)
					m, _, _ = s.LoadNextMsg(t.Context(), sequence, actors.Filter("orders.>"))
					spoil(m)
					m, _, _ = s.LoadPrevMsg(t.Context(), sequence, actors.Filter(""))
					spoil(m)
				}
				m, err := s.LoadLastMsg(t.Context())
				require.NoError(t, err)
				spoil(m)
				for m := range s.Messages(t.Context(), actors.Filter("*.eu.>"), actors.Reverse()) {
					spoil(m)
				}
				for m := range s.MultiLastMsgs(t.Context(), []string{">"}, 0, 0) {
					spoil(m)
				}
				states, err := s.SubjectsState(t.Context())
				require.NoError(t, err)
				clear(states)
				states["x"] = actors.SubjectState{}
				totals, err := s.SubjectsTotals(t.Context(), actors.Filter("orders.>"))
				require.NoError(t, err)
				clear(totals)
				totals["x"] = 1
				list, err := s.AllLastSeqs(t.Context())
				require.NoError(t, err)
				clear(list)
				list, err = s.MultiLastSeqs(t.Context(), []string{">"}, 9, 0)
				require.NoError(t, err)
				clear(list)
				_ = append(list, 1, 2, 3)
				full, err := s.State(t.Context())
				require.NoError(t, err)
				clear(full.DeletedRanges)
				_ = append(full.DeletedRanges, actors.SequenceRange{First: 1, Last: 2})
			}
			checkEverything(t, s, n)
			for _, q := range append(oneOfEach(), askSubjects(matching("orders.>")), askMulti([]string{">"}, 9, 0)) {
				q.check(t, s, n)
			}
		})
	}
}

// TestQueryResultsOutliveTheirMessages: what was returned stays when memory is
// used again, blocks go, and the store stops.
func TestQueryResultsOutliveTheirMessages(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), BlockSize: 4 << 10, IndexFrom: 1, MaxMsgs: 20, Sync: actors.SyncNever}
	s := open(t, config)
	var kept []actors.Message
	var subjects []string
	var states []map[string]actors.SubjectState
	for i := range 400 {
		mustStore(t, s, fmt.Sprint("s.", i), fmt.Sprintf("%d %0300d", i, 0))
		m, _, err := s.LoadNextMsg(t.Context(), uint64(i+1), actors.Filter("s.*"))
		require.NoError(t, err)
		kept = append(kept, m)
		subject, err := s.SubjectForSeq(t.Context(), uint64(i+1))
		require.NoError(t, err)
		subjects = append(subjects, subject)
		if i%50 == 49 {
			state, err := s.SubjectsState(t.Context())
			require.NoError(t, err)
			require.Len(t, state, 20)
			states = append(states, state)
		}
	}
	stop(t, s)
	for i, m := range kept {
		require.Equal(t, fmt.Sprint("s.", i), m.Subject)
		require.Equal(t, fmt.Sprint("s.", i), subjects[i])
		require.Equal(t, fmt.Sprintf("%d %0300d", i, 0), string(m.Payload))
	}
	for i, state := range states {
		for j := range 20 {
			last := uint64((i+1)*50 - j)
			require.Equal(t, actors.SubjectState{Messages: 1, First: last, Last: last}, state[fmt.Sprint("s.", last-1)])
		}
	}
}

// TestQueryMessageBufferIsUsedAgain: each load leaves the message of that load, and
// nothing of one before; memory that is large enough stays.
func TestQueryMessageBufferIsUsedAgain(t *testing.T) {
	s := open(t, actors.Config{Dir: t.TempDir(), BlockSize: 4 << 10, IndexFrom: 1})
	n := &naive{}
	for i := range 60 {
		r := record{
			sequence: uint64(i + 1), time: second(i), subject: []string{"", "a", "a.long.subject"}[i%3],
			header: []string{"", "NATS/1.0\r\nA: b\r\n\r\n"}[i%2], payload: fmt.Sprintf("%0*d", (i*7919)%700, i),
		}
		if i%10 == 5 {
			r.payload = ""
		}
		_, err := s.StoreRaw(t.Context(), actors.RawMessage{Time: r.time, Subject: r.subject, HeaderBlock: []byte(r.header), Payload: []byte(r.payload)})
		require.NoError(t, err)
		n.add(r)
	}
	var into actors.MessageBuffer
	for i := range 200 {
		sequence := uint64(i*31%60 + 1)
		require.NoError(t, s.LoadMsgInto(t.Context(), sequence, &into))
		require.Equal(t, n.live[sequence-1], recordOf(into.Message))
		require.Equal(t, n.live[sequence-1].header == "", into.HeaderBlock == nil)
		_ = append(into.HeaderBlock, "xxxxxx"...)
		require.Equal(t, n.live[sequence-1], recordOf(into.Message))
		kept, err := s.LoadMsg(t.Context(), sequence)
		require.NoError(t, err)
		clear(into.Payload)
		require.Equal(t, n.live[sequence-1], recordOf(kept), "another's copy")
		if i%20 == 19 {
			require.ErrorIs(t, s.LoadMsgInto(t.Context(), 61, &into), actors.ErrEOF)
			require.NoError(t, s.LoadMsgInto(t.Context(), 0, &into))
			require.Equal(t, n.live[0], recordOf(into.Message))
		}
	}
	checkEverything(t, s, n)
	require.NoError(t, s.LoadMsgInto(t.Context(), 60, &into))
	before := &into.Payload[:1][0]
	require.NoError(t, s.LoadMsgInto(t.Context(), 60, &into))
	require.Same(t, before, &into.Payload[:1][0])
}

// TestQueryIteratorsMayBeLeftEarly, and used again.
func TestQueryIteratorsMayBeLeftEarly(t *testing.T) {
	for _, shape := range shapes {
		s, n := shape.open(t, fixtures["subjects"])
		for name, it := range map[string]struct {
			messages func(func(actors.Message, error) bool)
			want     []record
		}{
			"all":       {s.Messages(t.Context()), n.scan(0, false, none)},
			"reverse":   {s.Messages(t.Context(), actors.Reverse()), n.scan(0, true, none)},
			"filtered":  {s.Messages(t.Context(), actors.Filter("orders.>")), n.scan(0, false, matching("orders.>"))},
			"both":      {s.Messages(t.Context(), actors.Filter("*.eu.*"), actors.Reverse()), n.scan(0, true, matching("*.eu.*"))},
			"borrowed":  {s.Messages(t.Context(), actors.Borrowed(), actors.Filter("*.eu.*")), n.scan(0, false, matching("*.eu.*"))},
			"backwards": {s.Messages(t.Context(), actors.Borrowed(), actors.Reverse()), n.scan(0, true, none)},
			"last ones": {s.MultiLastMsgs(t.Context(), []string{"orders.>"}, 0, 0), func() []record {
				list, _ := n.multiLast([]string{"orders.>"}, 0, 0)
				return list
			}()},
		} {
			for leave := range len(it.want) + 1 {
				var got []record
				for m, err := range it.messages {
					require.NoError(t, err)
					if len(got) == leave {
						break
					}
					got = append(got, recordOf(m))
				}
				require.Equal(t, it.want[:leave], append([]record{}, got...), "%s, %s", shape.name, name)
			}
			require.Equal(t, answer{it.want, nil}, iterated(it.messages), "%s, %s", shape.name, name)
		}
	}
}

// TestQueryBorrowedScans hand out what others do, in either direction.
func TestQueryBorrowedScans(t *testing.T) {
	for name, f := range fixtures {
		for _, shape := range shapes[:6] {
			s, n := shape.open(t, f)
			for _, p := range []picks{none, matching("a", "*.>")} {
				for _, reverse := range []bool{false, true} {
					for _, from := range []uint64{0, 2} {
						q := askScan(from, reverse, p, actors.Borrowed())
						require.Equal(t, q.want(n), q.got(t.Context(), s), "%s, %s: %s", name, shape.name, q.text)
					}
				}
			}
		}
	}
}

// TestQueryAfterExpiry does not see what MaxAge took, nor miss the rest.
func TestQueryAfterExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := inMemory()
		config.MaxAge = time.Minute
		s := open(t, config)
		n := &naive{}
		put := func(subject string) {
			ack := mustStoreRaw(t, s, subject, fmt.Sprintf("%0300d", n.last))
			n.add(record{sequence: ack.Sequence, time: ack.Time, subject: subject, payload: fmt.Sprintf("%0300d", n.last)})
		}
		for i := range 40 {
			put([]string{"a.b", "a", "", "old"}[i%4])
		}
		waitFor(30 * time.Second)
		for i := range 40 {
			put([]string{"a.b", "new", ""}[i%3])
		}
		ask := func() {
			checkEverything(t, s, n)
			for _, q := range append(oneOfEach(), askNext(1, matching("old")), askSubjects(matching("*")), askMulti([]string{">"}, 41, 0),
				askLoad(40), askLoad(41), askPrev(40, none), askPrev(45, matching("old"))) {
				q.check(t, s, n)
			}
		}
		ask()
		waitFor(31 * time.Second)
		n.live = n.live[40:]
		ask()
		waitFor(31 * time.Second)
		n.live = nil
		ask()
		require.NoError(t, s.Stop(t.Context()))
	})
}

// TestQueryTimesOfRawMessages: without a time, and out of order, which must not
// fail, whatever comes out.
func TestQueryTimesOfRawMessages(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), BlockSize: 4 << 10, IndexFrom: 1}
	s := open(t, config)
	n := &naive{}
	put := func(at time.Time) {
		payload := make([]byte, 1500)
		_, err := s.StoreRaw(t.Context(), actors.RawMessage{Time: at, Subject: "a", Payload: payload})
		require.NoError(t, err)
		n.add(record{sequence: n.last + 1, time: at, subject: "a", payload: string(payload)})
	}
	for range 5 {
		put(time.Time{})
	}
	for i := range 5 {
		put(second(i))
	}
	times := []time.Time{{}, time.Unix(0, 0), second(0), second(0).Add(1), second(4), second(5)}
	ask := func() {
		checkEverything(t, s, n)
		for _, at := range times {
			q := askTime(at)
			q.check(t, s, n)
		}
	}
	ask()
	stop(t, s)
	s = open(t, config)
	ask()
	for _, i := range []int{100, 3, 50, -10, 2, 70} {
		put(second(i))
	}
	for range 2 {
		for _, i := range []int{-20, -10, 0, 3, 60, 71, 101} {
			sequence, err := s.GetSeqFromTime(t.Context(), second(i))
			require.NoError(t, err)
			require.Equal(t, n.fromTime(second(i)), sequence)
		}
		checkEverything(t, s, n)
		stop(t, s)
		s = open(t, config)
	}
}

// TestSequencesOfRanges: each once, up to the highest there can be, and no further than
// asked for.
func TestSequencesOfRanges(t *testing.T) {
	const highest = ^uint64(0)
	ranges := []actors.SequenceRange{{First: 2, Last: 4}, {First: 7, Last: 7}, {First: highest - 1, Last: highest}}
	require.Equal(t, []uint64{2, 3, 4, 7, highest - 1, highest}, slices.Collect(actors.Sequences(ranges)))
	for sequence := range actors.Sequences(ranges) {
		require.Equal(t, uint64(2), sequence)
		break
	}
	require.Empty(t, slices.Collect(actors.Sequences(nil)))
}
