package actors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

var levels = []actors.SyncLevel{actors.SyncAlways, actors.SyncInterval, actors.SyncNever}

// atEachLevel runs a test for each sync level.
func atEachLevel(t *testing.T, test func(t *testing.T, level actors.SyncLevel)) {
	for _, level := range levels {
		t.Run(level.String(), func(t *testing.T) { test(t, level) })
	}
}

func mustStore(t testing.TB, s *actors.Store, subject, payload string) actors.Ack {
	t.Helper()
	ack, err := s.StoreMsg(t.Context(), subject, nil, []byte(payload))
	require.NoError(t, err)
	return ack
}

// storeRaw stores a message with any subject, and the time of the store.
func storeRaw(ctx context.Context, s *actors.Store, subject string, payload []byte) (actors.Ack, error) {
	return s.StoreRaw(ctx, actors.RawMessage{Subject: subject, Payload: payload, StampNow: true})
}

func mustStoreRaw(t testing.TB, s *actors.Store, subject, payload string) actors.Ack {
	t.Helper()
	ack, err := storeRaw(t.Context(), s, subject, []byte(payload))
	require.NoError(t, err)
	return ack
}

func stateOf(t testing.TB, s *actors.Store) actors.State {
	t.Helper()
	state, err := s.FastState(context.Background())
	require.NoError(t, err)
	return state
}

func TestExpectedLastSequenceIsCompared(t *testing.T) {
	s := open(t, actors.Config{})
	ack, err := s.StoreMsg(t.Context(), "a", nil, nil, actors.ExpectLast(0))
	require.NoError(t, err)
	require.Equal(t, uint64(1), ack.Sequence)
	for _, wrong := range []uint64{0, 2, 1 << 40} {
		_, err = s.StoreMsg(t.Context(), "a", nil, nil, actors.ExpectLast(wrong))
		require.ErrorIs(t, err, actors.ErrSequenceMismatch)
		_, err = s.StoreBatch(t.Context(), []actors.BatchMessage{{Subject: "b"}}, actors.ExpectLast(wrong))
		require.ErrorIs(t, err, actors.ErrSequenceMismatch)
	}
	batch, err := s.StoreBatch(t.Context(), []actors.BatchMessage{{Subject: "b"}, {Subject: "b"}}, actors.ExpectLast(1))
	require.NoError(t, err)
	require.Equal(t, uint64(2), batch.First)
	require.Equal(t, uint64(3), batch.Last)
	require.Equal(t, uint64(3), stateOf(t, s).Messages)
	require.Equal(t, uint64(6), s.Stats().RefusedSequence)
}

func TestBadHeaderChangesNothing(t *testing.T) {
	s := open(t, actors.Config{})
	bad := actors.Header{"a b": {"x"}}
	_, err := s.StoreMsg(t.Context(), "a", bad, nil)
	require.ErrorIs(t, err, actors.ErrBadHeader)
	_, err = s.StoreBatch(t.Context(), []actors.BatchMessage{{Subject: "a"}, {Subject: "a", Header: bad}})
	require.ErrorIs(t, err, actors.ErrBadHeader)
	require.ErrorContains(t, err, "message 1")
	require.Zero(t, stateOf(t, s))
	require.Zero(t, s.Stats().InFlight)
	require.Zero(t, s.Stats().InFlightBytes)
}

func TestRawMessageKeepsSequenceAndTime(t *testing.T) {
	config := actors.Config{Dir: t.TempDir()}
	s := open(t, config)
	at := time.Date(2020, 2, 3, 4, 5, 6, 789, time.FixedZone("east", 3600))
	times := []time.Time{at, at.Add(-time.Hour), {}, time.Unix(0, 0), at.AddDate(200, 0, 0), at}
	for i, at := range times {
		ack, err := s.StoreRaw(t.Context(), actors.RawMessage{
			Sequence: uint64(i%2) * uint64(i+1), Time: at, Subject: "raw", HeaderBlock: []byte("any bytes"), Payload: []byte("p"),
		})
		require.NoError(t, err)
		require.Equal(t, uint64(i+1), ack.Sequence)
		require.True(t, ack.Time.Equal(at))
		require.Equal(t, at.IsZero(), ack.Time.IsZero())
	}
	for _, wrong := range []uint64{1, uint64(len(times)), uint64(len(times)) + 2} {
		_, err := s.StoreRaw(t.Context(), actors.RawMessage{Sequence: wrong})
		require.ErrorIs(t, err, actors.ErrSequenceMismatch)
	}
	check := func() {
		for i, at := range times {
			m, err := s.LoadMsg(t.Context(), uint64(i+1))
			require.NoError(t, err)
			require.True(t, m.Time.Equal(at), "%v is not %v", m.Time, at)
			require.Equal(t, at.IsZero(), m.Time.IsZero())
			require.Equal(t, time.UTC, m.Time.Location())
			require.Equal(t, "any bytes", string(m.HeaderBlock))
		}
		state := stateOf(t, s)
		require.True(t, state.FirstTime.Equal(times[0]))
		require.True(t, state.LastTime.Equal(at))
	}
	check()
	require.NoError(t, s.Stop(t.Context()))
	s = open(t, config)
	check()
}

// TestRawMessageWithATimeThatDoesNotFit is refused, by either door, and changes
// nothing; the first and the last time that fit are kept.
func TestRawMessageWithATimeThatDoesNotFit(t *testing.T) {
	s := open(t, actors.Config{})
	c := newClient(t, 10)
	first, last := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)
	for _, at := range []time.Time{
		time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC),
		first.Add(-1), last.Add(1), time.Unix(0, -6795364578871345152),
	} {
		_, err := s.StoreRaw(t.Context(), actors.RawMessage{Time: at, Subject: "a"})
		require.ErrorIs(t, err, actors.ErrBadTime)
		require.ErrorContains(t, err, at.String())
		r := c.ask(t, s, &actors.StoreRawRequest{Message: actors.RawMessage{Time: at}, Tag: 1}).(*actors.StoreReply)
		require.ErrorIs(t, r.Err, actors.ErrBadTime)
		require.Equal(t, 1, r.Tag)
	}
	require.Zero(t, stateOf(t, s))
	require.Zero(t, s.Stats().InFlight)
	for i, at := range []time.Time{first, last} {
		_, err := s.StoreRaw(t.Context(), actors.RawMessage{Time: at})
		require.NoError(t, err)
		m, err := s.LoadMsg(t.Context(), uint64(i+1))
		require.NoError(t, err)
		require.True(t, m.Time.Equal(at))
	}
}

// TestBatchIsSeenWhole: no reader sees a part of a batch, of whatever size, while
// blocks roll.
func TestBatchIsSeenWhole(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		s := open(t, actors.Config{Sync: level, BlockSize: 4 << 10})
		const batches, each = 60, 7
		var readers sync.WaitGroup
		stop := make(chan struct{})
		for range 2 {
			readers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if last := stateOf(t, s).LastSequence; last%each != 0 {
						t.Errorf("last sequence %d is within a batch", last)
						return
					}
					n := 0
					for _, err := range s.Messages(t.Context()) {
						if err != nil {
							t.Error(err)
							return
						}
						n++
					}
					if n%each != 0 {
						t.Errorf("a scan saw %d messages", n)
						return
					}
				}
			})
		}
		for i := range batches {
			batch := make([]actors.BatchMessage, each)
			for j := range batch {
				batch[j] = actors.BatchMessage{Subject: "b", Header: actors.Header{"I": {fmt.Sprint(i, j)}}, Payload: make([]byte, 20*j)}
			}
			ack, err := s.StoreBatch(t.Context(), batch)
			require.NoError(t, err)
			require.Equal(t, uint64(i*each+1), ack.First)
			require.Equal(t, uint64((i+1)*each), ack.Last)
			m, err := s.LoadMsg(t.Context(), ack.First)
			require.NoError(t, err)
			require.Equal(t, ack.Time, m.Time)
		}
		close(stop)
		readers.Wait()
	})
}

func TestBatchIsRefusedWhole(t *testing.T) {
	s := open(t, actors.Config{MaxMsgs: 5, MaxBytes: 2000, MaxMsgSize: 500, Discard: actors.DiscardNew})
	mustStore(t, s, "a", "x")
	before := stateOf(t, s)
	many := func(n, size int) []actors.BatchMessage {
		batch := make([]actors.BatchMessage, n)
		for i := range batch {
			batch[i] = actors.BatchMessage{Subject: "b", Payload: make([]byte, size)}
		}
		return batch
	}
	for _, row := range []struct {
		name  string
		batch []actors.BatchMessage
		want  error
	}{
		{"too many", many(5, 1), actors.ErrMaxMsgs},
		{"too many bytes", many(4, 490), actors.ErrMaxBytes},
		{"one is too large", append(many(2, 1), many(1, 501)...), actors.ErrTooLarge},
		{"one has too long a subject", []actors.BatchMessage{{Subject: "a"}, {Subject: strings.Repeat("a", 65536)}}, actors.ErrMaxBytes},
		{"empty", nil, actors.ErrEmptyBatch},
	} {
		t.Run(row.name, func(t *testing.T) {
			ack, err := s.StoreBatch(t.Context(), row.batch)
			require.ErrorIs(t, err, row.want)
			require.Zero(t, ack)
			require.Equal(t, before, stateOf(t, s))
		})
	}
	ack, err := s.StoreBatch(t.Context(), many(4, 1))
	require.NoError(t, err)
	require.Equal(t, uint64(2), ack.First)
}

func TestSizesAreBounded(t *testing.T) {
	s := open(t, actors.Config{Sync: actors.SyncNever})
	half := make([]byte, 17<<20)
	for _, row := range []struct {
		name string
		err  func() error
	}{
		{"batch", func() error {
			_, err := s.StoreBatch(t.Context(), []actors.BatchMessage{{Subject: "a", Payload: half}, {Subject: "a", Payload: half}})
			return err
		}},
		{"record", func() error {
			_, err := s.StoreMsg(t.Context(), "a", nil, make([]byte, 32<<20))
			return err
		}},
		{"subject", func() error {
			_, err := s.StoreMsg(t.Context(), strings.Repeat("a", 65536), nil, nil)
			return err
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.ErrorIs(t, row.err(), actors.ErrTooLarge)
			require.Zero(t, stateOf(t, s).LastSequence)
		})
	}
	largest := bytes.Repeat([]byte("x"), 32<<20-30-1)
	_, err := s.StoreMsg(t.Context(), "a", nil, largest)
	require.NoError(t, err)
	m, err := s.LoadMsg(t.Context(), 1)
	require.NoError(t, err)
	require.True(t, bytes.Equal(largest, m.Payload))
	require.NoError(t, s.Flush(t.Context()))
}

func TestSkipUsesUpSequences(t *testing.T) {
	config := actors.Config{Dir: t.TempDir()}
	s := open(t, config)
	last, err := s.Skip(t.Context(), 0, 5)
	require.NoError(t, err)
	require.Equal(t, uint64(5), last)
	state := stateOf(t, s)
	require.Equal(t, uint64(6), state.FirstSequence)
	require.Zero(t, state.Deleted)
	require.False(t, state.LastTime.IsZero(), "a skip in a new stream has the time of now")
	require.Equal(t, uint64(6), mustStore(t, s, "a", "1").Sequence)
	last, err = s.Skip(t.Context(), 7, 1)
	require.NoError(t, err)
	require.Equal(t, uint64(7), last)
	last, err = s.Skip(t.Context(), 0, 1<<40)
	require.NoError(t, err)
	require.Equal(t, uint64(7+1<<40), last)
	last, err = s.Skip(t.Context(), 0, 0)
	require.NoError(t, err)
	require.Equal(t, uint64(7+1<<40), last)
	for _, wrong := range []uint64{1, 7, 9 + 1<<40} {
		_, err = s.Skip(t.Context(), wrong, 1)
		require.ErrorIs(t, err, actors.ErrSequenceMismatch)
	}
	_, err = s.Skip(t.Context(), 0, 1<<62)
	require.ErrorIs(t, err, actors.ErrTooLarge)
	mustStore(t, s, "a", "2")
	check := func() {
		state := stateOf(t, s)
		require.Equal(t, uint64(2), state.Messages)
		require.Equal(t, uint64(6), state.FirstSequence)
		require.Equal(t, uint64(8+1<<40), state.LastSequence)
		require.Equal(t, uint64(1+1<<40), state.Deleted)
		ranges, err := s.Deleted(t.Context())
		require.NoError(t, err)
		require.Equal(t, []actors.SequenceRange{{First: 7, Last: 7 + 1<<40}}, ranges)
		for _, gone := range []uint64{1, 5, 7, 8, 7 + 1<<40} {
			_, err := s.LoadMsg(t.Context(), gone)
			require.ErrorIs(t, err, actors.ErrNotFound)
		}
		var got []uint64
		for m, err := range s.Messages(t.Context()) {
			require.NoError(t, err)
			got = append(got, m.Sequence)
		}
		require.Equal(t, []uint64{6, 8 + 1<<40}, got)
	}
	check()
	require.NoError(t, s.Stop(t.Context()))
	s = open(t, config)
	check()
}

// TestFlushMakesAllDurable, at each level; it is cheap when nothing is left to do.
func TestFlushMakesAllDurable(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		fault := blocktest.NewFaultFS(blocktest.NewMemFS())
		s := open(t, actors.Config{Dir: "data", FS: fault, Sync: level, SyncEvery: time.Hour})
		require.NoError(t, s.Flush(t.Context()))
		for i := range 20 {
			mustStore(t, s, "a", fmt.Sprint(i))
		}
		require.NoError(t, s.Flush(t.Context()))
		require.Equal(t, uint64(20), stateOf(t, s).Durable)
		syncs := fault.CountOf(blocktest.OpSync)
		require.NoError(t, s.Flush(t.Context()))
		require.Equal(t, syncs, fault.CountOf(blocktest.OpSync))
		require.Zero(t, s.Stats().InFlight)
	})
}

// TestStopKeepsWhatWasAcknowledged while callers go on storing; every call returns.
func TestStopKeepsWhatWasAcknowledged(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		for _, row := range []struct {
			name    string
			context func() context.Context
			want    error
		}{
			{"in time", context.Background, nil},
			{"with a context that has ended", func() context.Context {
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				return ctx
			}, context.Canceled},
		} {
			t.Run(row.name, func(t *testing.T) {
				config := actors.Config{Dir: t.TempDir(), Sync: level, MaxInFlight: 16, BlockSize: 8 << 10}
				s := open(t, config)
				var mu sync.Mutex
				acked := map[uint64]string{}
				var callers, stops sync.WaitGroup
				started := make(chan struct{}, 1000)
				for g := range 24 {
					callers.Go(func() {
						for i := 0; ; i++ {
							text := fmt.Sprintf("%d/%d", g, i)
							ack, err := s.StoreMsg(context.Background(), "a", nil, []byte(text))
							if err != nil {
								checkStopped(t, err)
								if row.want == nil && errors.Is(err, actors.ErrOutcomeUnknown) {
									t.Errorf("a stop in time leaves nothing unknown: %v", err)
								}
								return
							}
							mu.Lock()
							acked[ack.Sequence] = text
							mu.Unlock()
							select {
							case started <- struct{}{}:
							default:
							}
						}
					})
				}
				for range 100 {
					<-started
				}
				for range 4 {
					stops.Go(func() {
						if err := s.Stop(row.context()); err != nil && !errors.Is(err, row.want) {
							t.Errorf("stop: %v", err)
						}
					})
				}
				stops.Wait()
				callers.Wait()
				require.NoError(t, s.Stop(t.Context()), "again")
				requireStopped(t, s)
				s = open(t, config)
				for sequence, text := range acked {
					m, err := s.LoadMsg(t.Context(), sequence)
					require.NoError(t, err)
					require.Equal(t, text, string(m.Payload))
				}
				if row.want == nil {
					require.Equal(t, uint64(len(acked)), stateOf(t, s).Messages)
				}
			})
		}
	})
}

// requireStopped: every operation says so, and the figures stay.
func requireStopped(t *testing.T, s *actors.Store) {
	t.Helper()
	ctx := t.Context()
	_, err := s.StoreMsg(ctx, "a", nil, nil)
	require.ErrorIs(t, err, actors.ErrStopped)
	_, err = s.StoreRaw(ctx, actors.RawMessage{})
	require.ErrorIs(t, err, actors.ErrStopped)
	_, err = s.StoreBatch(ctx, []actors.BatchMessage{{Subject: "a"}})
	require.ErrorIs(t, err, actors.ErrStopped)
	_, err = s.Skip(ctx, 0, 1)
	require.ErrorIs(t, err, actors.ErrStopped)
	require.ErrorIs(t, s.Flush(ctx), actors.ErrStopped)
	_, err = s.LoadMsg(ctx, 1)
	require.ErrorIs(t, err, actors.ErrStopped)
	_, err = s.Deleted(ctx)
	require.NoError(t, err, "what the state was can be asked for always")
	_, err = s.Watch(ctx)
	require.ErrorIs(t, err, actors.ErrStopped)
	_, err = s.Pipeline(4, nil).Store(ctx, "a", nil, nil)
	require.ErrorIs(t, err, actors.ErrStopped)
	n := 0
	for _, err := range s.Messages(ctx) {
		require.ErrorIs(t, err, actors.ErrStopped)
		n++
	}
	require.Equal(t, 1, n)
	require.Equal(t, s.Stats().State, stateOf(t, s))
	require.Zero(t, s.Stats().InFlight)
	require.Zero(t, s.Stats().InFlightBytes)
	require.Zero(t, s.Stats().MailboxDepth)
}

func TestOnlyOneStoreHasADirectory(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS"}
	s := open(t, config)
	_, err := actors.Open(t.Context(), quiet, config)
	require.ErrorIs(t, err, actors.ErrLocked)
	require.ErrorContains(t, err, fmt.Sprintf("process %d", os.Getpid()))
	require.NoError(t, s.Stop(t.Context()))
	open(t, config)
}

// TestContextThatEndsSaysWhatItLeaves: an unknown outcome on the way, nothing in the queue.
func TestContextThatEndsSaysWhatItLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		fault := blocktest.NewFaultFS(blocktest.NewMemFS())
		s := open(t, actors.Config{Dir: "data", FS: fault, MaxInFlight: 2})
		mustStore(t, s, "a", "first")
		fault.SetHook(func(op blocktest.Op) blocktest.Fault {
			if op.Kind == blocktest.OpSync {
				return blocktest.Fault{Wait: func() { <-block }}
			}
			return blocktest.Fault{}
		})
		// One is being written, a second takes the last credit, two have none.
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		var results []chan error
		for i := range 4 {
			result := make(chan error, 1)
			results = append(results, result)
			go func() {
				var err error
				if i == 3 {
					_, err = s.Pipeline(1, nil).Store(ctx, "a", nil, []byte("not stored"))
				} else {
					_, err = s.StoreMsg(ctx, "a", nil, []byte([]string{"in flight", "staged", "not stored"}[i]))
				}
				result <- err
			}()
			synctest.Wait()
		}
		cancel(cause)
		for i, result := range results {
			err := <-result
			require.ErrorIs(t, err, cause)
			if i < 2 {
				require.ErrorIs(t, err, actors.ErrOutcomeUnknown)
			} else {
				require.NotErrorIs(t, err, actors.ErrOutcomeUnknown)
				require.ErrorContains(t, err, "nothing was changed")
			}
		}
		_, err := s.StoreMsg(ctx, "a", nil, []byte("not stored"))
		require.ErrorIs(t, err, cause)
		require.NotErrorIs(t, err, actors.ErrOutcomeUnknown)
		require.Equal(t, uint64(1), stateOf(t, s).LastSequence, "not shown before it is durable")
		fault.SetHook(nil)
		close(block)
		require.NoError(t, s.Flush(t.Context()))
		require.Equal(t, int64(0), s.Stats().InFlight)
		for m, err := range s.Messages(t.Context()) {
			require.NoError(t, err)
			require.NotEqual(t, "not stored", string(m.Payload))
		}
		require.Equal(t, uint64(3), stateOf(t, s).Messages)
	})
}

// blockFiles returns the block files of a stream on disk.
func blockFiles(t *testing.T, config actors.Config) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(config.Dir, "ORDERS", "msgs", "*.blk"))
	require.NoError(t, err)
	return files
}

func TestStatsCount(t *testing.T) {
	s := open(t, actors.Config{MaxMsgs: 3, MaxMsgSize: 10})
	for range 5 {
		mustStore(t, s, "a", "x")
	}
	_, err := s.StoreMsg(t.Context(), "a", nil, make([]byte, 11))
	require.ErrorIs(t, err, actors.ErrTooLarge)
	require.NoError(t, s.Flush(t.Context()))
	stats := s.Stats()
	require.Equal(t, stateOf(t, s), stats.State)
	require.Equal(t, "ORDERS", stats.Name)
	require.Equal(t, uint64(5), stats.Stored)
	require.Equal(t, uint64(2), stats.RemovedMsgs)
	require.Equal(t, uint64(1), stats.RefusedSize)
	require.Equal(t, uint64(1), stats.Blocks)
	require.False(t, stats.Failed)
	require.Zero(t, stats.MailboxDepth)
	require.Equal(t, stats.Groups.Count, stats.CommitSeconds.Count)
	require.Equal(t, 5.0, stats.Groups.Sum)
	require.Positive(t, stats.CommitSeconds.Sum)
	for _, h := range []actors.Histogram{stats.Groups, stats.AckSeconds, stats.CommitSeconds, stats.WriteSeconds, stats.SyncSeconds} {
		require.Len(t, h.Counts, len(h.Bounds)+1)
		n := uint64(0)
		for _, c := range h.Counts {
			n += c
		}
		require.Equal(t, h.Count, n)
		require.IsIncreasing(t, h.Bounds)
	}
}
