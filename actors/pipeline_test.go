package actors_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestPipelineOutcomesComeInOrder, refusals among them, at any window.
func TestPipelineOutcomesComeInOrder(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		for _, window := range []int{-1, 1, 2, 7, 1 << 30} {
			s := open(t, actors.Config{Sync: level, MaxMsgSize: 10, BlockSize: 4 << 10, MaxInFlight: 64})
			var results []actors.PipelineResult
			p := s.Pipeline(window, func(r actors.PipelineResult) { results = append(results, r) })
			const n = 300
			payload := make([]byte, 0, 11)
			for i := range n {
				payload = payload[:i%12]
				for j := range payload {
					payload[j] = byte(i)
				}
				index, err := p.Store(t.Context(), fmt.Sprint("s", i), nil, payload)
				require.NoError(t, err)
				require.Equal(t, uint64(i), index)
				for j := range payload {
					payload[j] = 0xff // ours again
				}
			}
			require.NoError(t, p.Wait(t.Context()))
			require.Len(t, results, n)
			sequence := uint64(0)
			for i, r := range results {
				require.Equal(t, uint64(i), r.Index)
				if i%12 == 11 {
					require.ErrorIs(t, r.Err, actors.ErrTooLarge)
					continue
				}
				require.NoError(t, r.Err)
				sequence++
				require.Equal(t, sequence, r.Ack.Sequence)
				m, err := s.LoadMsg(t.Context(), sequence)
				require.NoError(t, err)
				require.Equal(t, fmt.Sprint("s", i), m.Subject)
				require.Len(t, m.Payload, i%12)
				for _, b := range m.Payload {
					require.Equal(t, byte(i), b)
				}
			}
			require.Zero(t, s.Stats().InFlight)
		}
	})
}

func TestPipelineWaitsForRoomInItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		fault := blocktest.NewFaultFS(blocktest.NewMemFS())
		s := open(t, actors.Config{Dir: "data", FS: fault})
		fault.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind == blocktest.OpSync {
				return blocktest.Fault{Wait: func() { <-block }}
			}
			return blocktest.Fault{}
		})
		p := s.Pipeline(3, nil)
		for range 3 {
			_, err := p.Store(t.Context(), "a", nil, nil)
			require.NoError(t, err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("enough")
		results := make(chan error, 3)
		go func() {
			_, err := p.Store(ctx, "never stored", nil, nil)
			results <- err
		}()
		go func() { results <- p.Wait(ctx) }()
		synctest.Wait()
		require.Empty(t, results)
		require.Equal(t, int64(3), s.Stats().InFlight, "no credit is held while the window is full")
		cancel(cause)
		for range 2 {
			err := <-results
			require.ErrorIs(t, err, cause)
			require.NotErrorIs(t, err, actors.ErrOutcomeUnknown)
		}
		go func() {
			index, err := p.Store(t.Context(), "a", nil, nil)
			if index != 3 {
				err = fmt.Errorf("index %d", index)
			}
			results <- err
		}()
		synctest.Wait()
		require.Empty(t, results)
		close(block)
		require.NoError(t, <-results)
		require.NoError(t, p.Wait(t.Context()))
		require.Equal(t, uint64(4), stateOf(t, s).Messages)
	})
}

func TestPipelineServesSeveralGoroutines(t *testing.T) {
	s := open(t, actors.Config{Sync: actors.SyncNever, MaxInFlight: 32})
	const goroutines, each = 8, 500
	var results []actors.PipelineResult
	p := s.Pipeline(16, func(r actors.PipelineResult) { results = append(results, r) })
	var all sync.WaitGroup
	var mu sync.Mutex
	texts := map[uint64]string{}
	for g := range goroutines {
		all.Go(func() {
			before := -1
			for i := range each {
				text := fmt.Sprintf("%d/%d", g, i)
				index, err := p.Store(t.Context(), "a", nil, []byte(text))
				if err != nil || int(index) <= before {
					t.Errorf("index %d after %d: %v", index, before, err)
				}
				before = int(index)
				mu.Lock()
				texts[index] = text
				mu.Unlock()
				if i%100 == 50 {
					if err := p.Wait(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, p.Wait(t.Context()))
	require.Len(t, results, goroutines*each)
	for i, r := range results {
		require.NoError(t, r.Err)
		require.Equal(t, uint64(i), r.Index)
		m, err := s.LoadMsg(t.Context(), r.Ack.Sequence)
		require.NoError(t, err)
		require.Equal(t, texts[r.Index], string(m.Payload))
	}
}

// TestPipelineTellsOfFailure: what was on its way gets ErrFailed and ErrOutcomeUnknown, in
// order, what came later ErrFailed alone, and the pipeline works again when the store has
// recovered.
func TestPipelineTellsOfFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fault := blocktest.NewFaultFS(blocktest.NewMemFS())
		s := open(t, actors.Config{Dir: "data", FS: fault})
		var results []actors.PipelineResult
		p := s.Pipeline(8, func(r actors.PipelineResult) { results = append(results, r) })
		fault.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind == blocktest.OpSync {
				return blocktest.Fault{Err: blocktest.ErrIO}
			}
			return blocktest.Fault{}
		})
		for range 20 {
			_, err := p.Store(t.Context(), "a", nil, nil)
			require.NoError(t, err)
		}
		require.NoError(t, p.Wait(t.Context()))
		require.Len(t, results, 20)
		require.ErrorIs(t, results[0].Err, actors.ErrOutcomeUnknown)
		require.NotErrorIs(t, results[19].Err, actors.ErrOutcomeUnknown)
		for i, r := range results {
			require.Equal(t, uint64(i), r.Index)
			require.ErrorIs(t, r.Err, actors.ErrFailed)
			require.Zero(t, r.Ack)
		}
		require.True(t, s.Stats().Failed)
		fault.SetHook(nil)
		for results = nil; len(results) == 0 || results[len(results)-1].Err != nil; {
			_, err := p.Store(t.Context(), "b", nil, nil)
			require.NoError(t, err)
			require.NoError(t, p.Wait(t.Context()))
			waitABit()
		}
		require.Equal(t, uint64(1), s.Stats().Recoveries)
		require.False(t, s.Stats().Failed)
	})
}

// TestPipelineEndsWithItsStore: every message handed over has an outcome, in order,
// and Wait returns.
func TestPipelineEndsWithItsStore(t *testing.T) {
	for range 20 {
		s := open(t, actors.Config{Sync: actors.SyncNever, MaxInFlight: 64})
		var results []actors.PipelineResult
		p := s.Pipeline(64, func(r actors.PipelineResult) { results = append(results, r) })
		var all sync.WaitGroup
		var mu sync.Mutex
		handed := 0
		go func() { _ = s.Stop(context.Background()) }()
		for range 4 {
			all.Go(func() {
				for range 2000 {
					if _, err := p.Store(context.Background(), "a", nil, nil); err != nil {
						if !errors.Is(err, actors.ErrStopped) {
							t.Error(err)
						}
						return
					}
					mu.Lock()
					handed++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		require.NoError(t, p.Wait(t.Context()))
		require.NoError(t, s.Stop(t.Context()))
		require.Len(t, results, handed)
		for i, r := range results {
			require.Equal(t, uint64(i), r.Index)
			if r.Err != nil {
				require.ErrorIs(t, r.Err, actors.ErrStopped)
				require.NotErrorIs(t, r.Err, actors.ErrOutcomeUnknown)
			}
		}
	}
}

// TestPanicInAPipelineFunctionHurtsNobody else.
func TestPanicInAPipelineFunctionHurtsNobody(t *testing.T) {
	s := open(t, actors.Config{})
	calls := 0
	p := s.Pipeline(4, func(actors.PipelineResult) { calls++; panic("the caller's") })
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				if _, err := p.Store(t.Context(), "a", nil, nil); err != nil {
					t.Error(err)
				}
				if _, err := s.StoreMsg(t.Context(), "b", nil, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, p.Wait(t.Context()))
	require.Equal(t, 200, calls)
	require.Equal(t, uint64(400), stateOf(t, s).Messages)
}

func TestPipelineRefusesBadHeaders(t *testing.T) {
	s := open(t, actors.Config{})
	p := s.Pipeline(2, nil)
	for range 5 {
		_, err := p.Store(t.Context(), "a", actors.Header{"a b": {"x"}}, nil)
		require.ErrorIs(t, err, actors.ErrBadHeader)
	}
	index, err := p.Store(t.Context(), "a", actors.Header{"A": {"x"}}, []byte("p"))
	require.NoError(t, err)
	require.Zero(t, index)
	require.NoError(t, p.Wait(t.Context()))
	m, err := s.LoadMsg(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "NATS/1.0\r\nA: x\r\n\r\n", string(m.HeaderBlock))
	require.Zero(t, s.Stats().InFlight)
}
