package actors_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/seed-d8b58eba/millrace/actors"
)

// linearQuery is a query in a history; its outcome is the answer's short form.
type linearQuery struct{ question }

// The values of these histories are subjects.
var linearSubjects = []string{"x", "x.a", "x.b", "y.a", ""} // the last only for raw messages

var linearPicks = []picks{
	none, matching("x"), matching("x.*"), matching("*.a"), matching("x.>", "*.a", "x.a"), exactly("y.a"), matching("absent"), nothing,
}

// naive makes the list of messages of a state, where the values are subjects with
// ":" behind them.
func (m linearModel) naive() *naive {
	n := &naive{last: m.last}
	sequence := m.first
	for value := range strings.SplitSeq(strings.TrimSuffix(m.live, ";"), ";") {
		if subject, ok := strings.CutSuffix(value, ":"); ok {
			n.live = append(n.live, record{sequence: sequence, subject: subject})
		}
		sequence++
	}
	return n
}

var linearQueries = porcupine.Model{
	Init: func() any { return linearModel{first: 1} },
	Step: func(state, input, output any) (bool, any) {
		m := state.(linearModel)
		switch in := input.(type) {
		case linearStore:
			next := m.append(in.values...)
			return output == linearAck{last: next.last}, next
		case linearSkip:
			next := m.append("-")
			return output == linearAck{last: next.last}, next
		case linearQuery:
			return output == in.want(m.naive()).String(), m
		}
		return false, m
	},
	DescribeOperation: func(input, output any) string {
		if q, ok := input.(linearQuery); ok {
			return fmt.Sprintf("%s → %v", q.text, output)
		}
		return fmt.Sprintf("%+v → %+v", input, output)
	},
}

// TestQueryHistoriesAreLinearizable: queries are of one instant, whatever is stored
// and evicted meanwhile. What NumPending counts and how far that holds are of the
// same one.
func TestQueryHistoriesAreLinearizable(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				s := open(t, actors.Config{Dir: t.TempDir(), Sync: level, MaxMsgs: linearMax, BlockSize: 4 << 10, IndexFrom: 1})
				checkHistory(t, linearQueries, seed, 200, func(random *rand.Rand, _ string) (input any, run func() any) {
					input = drawLinear(random, s)
					return input, func() any { return runLinear(s, input) }
				})
			})
		}
	})
}

func drawLinear(random *rand.Rand, s *actors.Store) any {
	state, _ := s.FastState(context.Background())
	subject := func() string { return linearSubjects[random.IntN(len(linearSubjects))] + ":" }
	legal := func() string { return linearSubjects[random.IntN(len(linearSubjects)-1)] + ":" }
	p := linearPicks[random.IntN(len(linearPicks))]
	about := func() uint64 { // a place about the head, the end, or between
		switch random.IntN(3) {
		case 0:
			return max(1, state.FirstSequence) - 1 + random.Uint64N(4)
		case 1:
			return max(2, state.LastSequence) - 2 + random.Uint64N(5)
		}
		return state.FirstSequence + random.Uint64N(linearMax)
	}
	switch random.IntN(24) {
	case 0, 1, 2, 3, 4, 5:
		return linearStore{[]string{subject()}}
	case 6, 7:
		return linearStore{[]string{legal(), legal(), legal()}}
	case 8:
		return linearSkip{}
	case 9:
		return linearQuery{askLoad(about())}
	case 10:
		return linearQuery{askLoadInto(0)}
	case 11, 12, 13:
		return linearQuery{askNext(about(), p)}
	case 14:
		return linearQuery{askPrev(about(), p)}
	case 15, 16:
		return linearQuery{askLast(p)}
	case 17, 18:
		return linearQuery{askPending(about(), p)}
	case 19:
		return linearQuery{askPendingLast(about(), p)}
	case 20, 21:
		return linearQuery{askFiltered(about(), p)}
	case 22:
		return linearQuery{askSubject(about())}
	}
	return linearQuery{askFastState()}
}

func runLinear(s *actors.Store, input any) any {
	ctx := context.Background()
	switch in := input.(type) {
	case linearStore:
		batch := make([]actors.BatchMessage, len(in.values))
		for i, v := range in.values {
			batch[i] = actors.BatchMessage{Subject: strings.TrimSuffix(v, ":"), Payload: make([]byte, 700)}
		}
		if batch[0].Subject == "" {
			ack, err := storeRaw(ctx, s, "", batch[0].Payload)
			return linearAck{ack.Sequence, err}
		}
		if len(batch) == 1 {
			ack, err := s.StoreMsg(ctx, batch[0].Subject, nil, batch[0].Payload)
			return linearAck{ack.Sequence, err}
		}
		ack, err := s.StoreBatch(ctx, batch)
		return linearAck{ack.Last, err}
	case linearSkip:
		last, err := s.Skip(ctx, 0, 1)
		return linearAck{last, err}
	case linearQuery:
		return in.got(ctx, s).String()
	}
	return nil
}
