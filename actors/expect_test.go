package actors_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/engine"
)

// TestExpectedLastSequenceOfASubject is compared in every way to store.
func TestExpectedLastSequenceOfASubject(t *testing.T) {
	s := open(t, actors.Config{})
	ctx := t.Context()
	of, filter := actors.ExpectLastOfSubject, actors.ExpectLastOf
	_, err := s.StoreMsg(ctx, "a.x", nil, nil, of("a.x", 0))
	require.NoError(t, err)
	_, err = s.StoreMsg(ctx, "a.x", nil, nil, of("a.x", 0))
	require.ErrorIs(t, err, actors.ErrSequenceMismatch)
	_, err = s.StoreMsg(ctx, "a.z", nil, nil, of("a.*", 0))
	require.NoError(t, err, "a wildcard in a subject has no meaning")
	_, err = s.StoreMsg(ctx, "a.y", nil, nil, filter(actors.Filter("a.*"), 2), of("a.x", 1), actors.ExpectLast(2))
	require.NoError(t, err)

	batch := []actors.BatchMessage{
		{Subject: "b", Options: []actors.StoreOption{of("b", 0), actors.ExpectLast(3)}},
		{Subject: "b", Options: []actors.StoreOption{of("b", 4), actors.ExpectLast(4)}},
	}
	_, err = s.StoreBatch(ctx, batch, of("a.x", 2))
	require.ErrorIs(t, err, actors.ErrSequenceMismatch)
	_, err = s.StoreBatch(ctx, batch, of("a.x", 1))
	require.NoError(t, err)
	_, err = s.StoreBatch(ctx, batch)
	require.ErrorIs(t, err, actors.ErrSequenceMismatch)

	p := s.Pipeline(4, func(r actors.PipelineResult) {
		if (r.Err != nil) != (r.Index == 1) {
			t.Errorf("%+v", r)
		}
	})
	for range 2 {
		_, err = p.Store(ctx, "c", nil, nil, of("c", 0))
		require.NoError(t, err)
	}
	_, err = p.Store(ctx, "c", nil, nil)
	require.NoError(t, err, "nothing is left of the message that had its place")
	require.NoError(t, p.Wait(ctx))

	c := newClient(t, 1)
	r := c.ask(t, s, &actors.StoreRequest{Subject: "d", Options: []actors.StoreOption{of("c", 6)}}).(*actors.StoreReply)
	require.ErrorIs(t, r.Err, actors.ErrSequenceMismatch)
	require.EqualValues(t, 7, stateOf(t, s).LastSequence)
}

// The operations of histories with preconditions.
type (
	expectingStore struct {
		subject  string
		of       string // a subject, or a filter
		sequence uint64
	}
	// expectingBatch stores two messages, each of which expects something of its own subject.
	expectingBatch  [2]expectingStore
	expectingRemove struct{ sequence uint64 }
	expectingResult struct {
		sequence uint64
		have     uint64 // when it was refused
		outcome  string
	}
	// expectingModel is the live messages, as sequence:subject; each, and the last sequence.
	expectingModel struct {
		live string
		last uint64
	}
)

func (m expectingModel) lastOf(of string) (last uint64) {
	for _, text := range strings.Split(strings.TrimSuffix(m.live, ";"), ";") {
		var sequence uint64
		var subject string
		if n, _ := fmt.Sscanf(text, "%d:%s", &sequence, &subject); n == 2 && (subject == of || of == "a.*" && subject[0] == 'a') {
			last = sequence
		}
	}
	return last
}

func (m expectingModel) store(in expectingStore) (expectingResult, expectingModel) {
	if have := m.lastOf(in.of); have != in.sequence {
		return expectingResult{have: have, outcome: "refused"}, m
	}
	m.last++
	m.live += fmt.Sprintf("%d:%s;", m.last, in.subject)
	return expectingResult{sequence: m.last}, m
}

var expectingHistories = porcupine.Model{
	Init: func() any { return expectingModel{} },
	Step: func(state, input, output any) (bool, any) {
		m, got := state.(expectingModel), output.(expectingResult)
		switch in := input.(type) {
		case expectingStore:
			want, next := m.store(in)
			return got == want, next
		case expectingBatch:
			r, next := m.store(in[0])
			if r.outcome == "" {
				r, next = next.store(in[1])
			}
			if r.outcome != "" {
				next = m
			}
			return got == r, next
		case expectingRemove:
			part := fmt.Sprintf(";%d:", in.sequence)
			i := strings.Index(";"+m.live, part)
			if i < 0 {
				return got == expectingResult{}, m
			}
			rest := m.live[i:]
			m.live = m.live[:i] + rest[strings.Index(rest, ";")+1:]
			return got == expectingResult{sequence: in.sequence}, m
		}
		return false, m
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %+v", input, output) },
}

// TestHistoriesWithPreconditionsAreLinearizable: of those who expect the same, one is let through.
func TestHistoriesWithPreconditionsAreLinearizable(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				s := open(t, actors.Config{Sync: level, BlockSize: 4 << 10})
				const goroutines, each = 5, 80
				histories := make([][]porcupine.Operation, goroutines)
				var all sync.WaitGroup
				begin := time.Now()
				for g := range goroutines {
					all.Go(func() {
						random := rand.New(rand.NewPCG(seed, uint64(g)))
						known := map[string]uint64{} // the last sequences that refusals told of
						for range each {
							input := expectingInput(random, known)
							call := time.Since(begin)
							output := expectingRun(s, input, known)
							histories[g] = append(histories[g], porcupine.Operation{
								ClientId: g, Input: input, Output: output, Call: int64(call), Return: int64(time.Since(begin)),
							})
						}
					})
				}
				all.Wait()
				result := porcupine.CheckOperationsTimeout(expectingHistories, slices.Concat(histories...), time.Minute)
				require.Equal(t, porcupine.Ok, result)
			})
		}
	})
}

func expectingInput(random *rand.Rand, known map[string]uint64) any {
	name := []string{"a.1", "a.2", "b"}[random.IntN(3)]
	of := name
	if random.IntN(3) == 0 {
		of = "a.*"
	}
	switch random.IntN(6) {
	case 0:
		return expectingRemove{max(1, known[of])}
	case 1:
		return expectingBatch{{"b", "b", known["b"]}, {name, "a.1", known["a.1"]}}
	}
	return expectingStore{name, of, known[of]}
}

func (in expectingStore) option() actors.StoreOption {
	if in.of == "a.*" {
		return actors.ExpectLastOf(actors.Filter(in.of), in.sequence)
	}
	return actors.ExpectLastOfSubject(in.of, in.sequence)
}

func expectingRun(s *actors.Store, input any, known map[string]uint64) expectingResult {
	ctx := context.Background()
	var sequence uint64
	var err error
	learn := func(of string, last uint64) { known[of] = last }
	switch in := input.(type) {
	case expectingStore:
		var ack actors.Ack
		ack, err = s.StoreMsg(ctx, in.subject, nil, make([]byte, 100), in.option())
		if sequence = ack.Sequence; err == nil {
			learn(in.subject, sequence)
		}
		if have, refused := mismatch(err); refused {
			learn(in.of, have)
			return expectingResult{have: have, outcome: "refused"}
		}
	case expectingBatch:
		var ack actors.BatchAck
		ack, err = s.StoreBatch(ctx, []actors.BatchMessage{
			{Subject: in[0].subject, Options: []actors.StoreOption{in[0].option()}},
			{Subject: in[1].subject, Options: []actors.StoreOption{in[1].option()}},
		})
		if sequence = ack.Last; err == nil {
			learn(in[0].subject, ack.First)
			learn(in[1].subject, ack.Last)
		}
		if have, refused := mismatch(err); refused {
			learn("b", have)
			learn("a.1", have)
			return expectingResult{have: have, outcome: "refused"}
		}
	case expectingRemove:
		var removed bool
		removed, err = s.RemoveMsg(ctx, in.sequence)
		if removed {
			sequence = in.sequence
		}
		if errors.Is(err, actors.ErrNotFound) || errors.Is(err, actors.ErrEOF) {
			err = nil
		}
	}
	if err != nil {
		return expectingResult{outcome: err.Error()}
	}
	return expectingResult{sequence: sequence}
}

// mismatch returns what the stream had when a store was refused.
func mismatch(err error) (have uint64, refused bool) {
	var m *engine.SequenceError
	if !errors.As(err, &m) {
		return 0, false
	}
	return m.Have, true
}
