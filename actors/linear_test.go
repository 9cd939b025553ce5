package actors_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/seed-d8b58eba/millrace/actors"
)

// The operations of the histories that porcupine checks.
type (
	linearStore struct{ values []string } // one, or a batch
	linearLoad  struct{ sequence uint64 }
	linearState struct{}
	// linearSkip uses up one sequence.
	linearSkip struct{}

	linearAck struct {
		last uint64
		err  error
	}
	linearLoaded struct {
		value string
		err   error
	}
	// linearModel is the stream: the live messages, from the first one on.
	linearModel struct {
		first, last uint64
		live        string // values, each with ";" behind it; "-;" for a skip
	}
)

const linearMax = 12

// linearLarge ends values whose messages are large.
const linearLarge = "+"

func (m linearModel) append(values ...string) linearModel {
	live := strings.Split(strings.TrimSuffix(m.live, ";"), ";")
	if m.live == "" {
		live = nil
	}
	for _, v := range values {
		m.last++
		live = append(live, v)
	}
	for n := count(live); n > linearMax; n-- {
		live = live[1:]
		for len(live) > 0 && live[0] == "-" {
			live = live[1:]
		}
	}
	for len(live) > 0 && live[0] == "-" {
		live = live[1:]
	}
	m.first = m.last + 1 - uint64(len(live))
	m.live = ""
	for _, v := range live {
		m.live += v + ";"
	}
	return m
}

func count(live []string) (n uint64) {
	for _, v := range live {
		if v != "-" {
			n++
		}
	}
	return n
}

func (m linearModel) load(sequence uint64) linearLoaded {
	if sequence == 0 {
		sequence = m.first
	}
	switch {
	case sequence > m.last:
		return linearLoaded{err: actors.ErrEOF}
	case sequence < m.first:
		return linearLoaded{err: actors.ErrNotFound}
	}
	value := strings.Split(m.live, ";")[sequence-m.first]
	if value == "-" {
		return linearLoaded{err: actors.ErrNotFound}
	}
	return linearLoaded{value: value}
}

var linear = porcupine.Model{
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
		case linearLoad:
			return output == m.load(in.sequence), m
		case linearState:
			live := strings.Split(strings.TrimSuffix(m.live, ";"), ";")
			if m.live == "" {
				live = nil
			}
			got := output.(actors.State)
			first := m.first
			if m.last == 0 {
				first = 0
			}
			return got.Messages == count(live) && got.FirstSequence == first && got.LastSequence == m.last, m
		}
		return false, m
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %+v", input, output) },
}

// TestHistoriesAreLinearizable: whatever overlaps, the outcomes are those of the
// operations one after the other, with messages going for MaxMsgs.
func TestHistoriesAreLinearizable(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				s := open(t, actors.Config{Sync: level, MaxMsgs: linearMax, BlockSize: 4 << 10})
				checkHistory(t, linear, seed, 250, func(random *rand.Rand, token string) (input any, run func() any) {
					input = linearInput(random, s, token)
					return input, func() any { return linearRun(context.Background(), s, input) }
				})
			})
		}
	})
}

func linearInput(random *rand.Rand, s *actors.Store, value string) any {
	state, _ := s.FastState(context.Background())
	switch n := random.IntN(20); {
	case n < 7:
		return linearStore{[]string{value}}
	case n < 9:
		return linearStore{[]string{value + "a", value + "b", value + "c"}}
	case n < 10:
		return linearSkip{}
	case n < 13: // about the head, where messages go
		return linearLoad{max(1, state.FirstSequence) - 1 + uint64(random.IntN(3))}
	case n < 17: // about the end, where they come
		return linearLoad{max(1, state.LastSequence) + uint64(random.IntN(3))}
	}
	return linearState{}
}

func linearRun(ctx context.Context, s *actors.Store, input any) any {
	payload := func(v string) []byte {
		size := 200
		if strings.HasSuffix(v, linearLarge) {
			size = 48 << 10
		}
		return append([]byte(v+";"), make([]byte, size)...)
	}
	switch in := input.(type) {
	case linearStore:
		if len(in.values) == 1 {
			ack, err := s.StoreMsg(ctx, "a", nil, payload(in.values[0]))
			return linearAck{ack.Sequence, err}
		}
		batch := make([]actors.BatchMessage, len(in.values))
		for i, v := range in.values {
			batch[i] = actors.BatchMessage{Subject: "a", Payload: payload(v)}
		}
		ack, err := s.StoreBatch(ctx, batch)
		return linearAck{ack.Last, err}
	case linearSkip:
		last, err := s.Skip(ctx, 0, 1)
		return linearAck{last, err}
	case linearLoad:
		m, err := s.LoadMsg(ctx, in.sequence)
		for _, sentinel := range []error{actors.ErrEOF, actors.ErrNotFound} {
			if errors.Is(err, sentinel) {
				err = sentinel
			}
		}
		value, _, _ := strings.Cut(string(m.Payload), ";")
		return linearLoaded{value, err}
	}
	state, _ := s.FastState(ctx)
	return state
}
