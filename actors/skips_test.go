package actors_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// mostForSkips is what anything may allocate beside skipped sequences, however many they are, in bytes. One bit for
// each of ten million is more.
const mostForSkips = 1 << 20

// costs does something, and checks that it allocates no more than so many bytes.
func costs(t *testing.T, what string, most uint64, do func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, most, what)
}

// TestSkipsOfAnyLengthCostTheSame: three messages, and between them ten million sequences, or 2^40, that were
// skipped, at once and in pieces. Nothing that a store does takes time or memory for each of them: neither at run
// time nor when it is opened again, nor a state, a scan, a query, or a removal.
func TestSkipsOfAnyLengthCostTheSame(t *testing.T) {
	for _, n := range []uint64{10_000_000, 1 << 40} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			ctx := t.Context()
			config := actors.Config{Dir: t.TempDir(), Name: "S", BlockSize: 4 << 10, IndexFrom: 1}
			s := open(t, config)
			mustStore(t, s, "a", "x") // and the buffers are there
			skip := func(count uint64) {
				_, err := s.Skip(ctx, 0, count)
				require.NoError(t, err)
			}
			costs(t, "skips", mostForSkips, func() {
				skip(n)
				mustStore(t, s, "b", "x")
				for range 100 {
					skip(n / 100)
				}
				mustStore(t, s, "a", "x")
			})
			second := n + 2
			last := second + n/100*100 + 1
			gaps := []actors.SequenceRange{{First: 2, Last: n + 1}, {First: second + 1, Last: last - 1}}
			sequences := []uint64{1, second, last}
			for _, when := range []string{"at run time", "opened again", "without indexes"} {
				// What is measured is of the whole process, and an index is made beside it.
				eventually(t, func() bool { return s.Stats().Unindexed == 0 })
				state := stateOf(t, s)
				require.Equal(t, last-3, state.Deleted)
				costs(t, "state", mostForSkips, func() {
					full, err := s.State(ctx)
					require.NoError(t, err)
					require.Equal(t, gaps, full.DeletedRanges)
					for sequence := range actors.Sequences(full.DeletedRanges) {
						require.Equal(t, uint64(2), sequence)
						break
					}
				})
				// Each scan by itself: it may make the buffers that it reads with, as a pool keeps none for sure.
				for i, options := range [][]actors.ReadOption{
					nil, {actors.Filter("a", "b")}, {actors.Reverse()}, {actors.From(3)}, {actors.Filter("b"), actors.Reverse()},
				} {
					costs(t, fmt.Sprintf("scan %d", i), mostForSkips, func() {
						got, damage := collect(t, s, options...)
						require.Empty(t, damage)
						require.NotEmpty(t, got)
					})
				}
				costs(t, "queries", mostForSkips, func() {
					m, _, err := s.LoadNextMsg(ctx, n/2, actors.Filter("a"))
					require.NoError(t, err)
					require.Equal(t, last, m.Sequence)
					m, _, err = s.LoadPrevMsg(ctx, second+n/2, actors.Filter("a"))
					require.NoError(t, err)
					require.Equal(t, uint64(1), m.Sequence)
					m, err = s.LoadLastMsg(ctx, actors.Filter("b"))
					require.NoError(t, err)
					require.Equal(t, second, m.Sequence)
					_, err = s.LoadMsg(ctx, n/2)
					require.ErrorIs(t, err, actors.ErrNotFound)
					for _, filters := range [][]actors.Filters{nil, {actors.Filter("*")}} {
						count, _, err := s.NumPending(ctx, n/2, filters...)
						require.NoError(t, err)
						require.Equal(t, uint64(2), count)
						part, err := s.FilteredState(ctx, 2, filters...)
						require.NoError(t, err)
						require.Equal(t, actors.SubjectState{Messages: 2, First: second, Last: last}, part)
					}
					from, err := s.GetSeqFromTime(ctx, time.Unix(0, 0))
					require.NoError(t, err)
					require.Equal(t, uint64(1), from)
				})
				costs(t, "removals of nothing", mostForSkips, func() {
					removed, err := s.RemoveMsg(ctx, n/2)
					require.NoError(t, err)
					require.False(t, removed)
					gone, err := s.SyncDeleted(ctx, gaps)
					require.NoError(t, err)
					require.Zero(t, gone)
				})
				got, _ := collect(t, s)
				require.Equal(t, sequences, got)
				require.NoError(t, s.Stop(ctx))
				if when == "opened again" {
					dropIndexFiles(t, config)
				}
				costs(t, "open", 4*mostForSkips, func() { s = open(t, config) })
			}
			costs(t, "compact into a gap", mostForSkips, func() {
				removed, err := s.Compact(ctx, second+n/2)
				require.NoError(t, err)
				require.Equal(t, uint64(2), removed)
			})
			costs(t, "truncate into a gap", 4*mostForSkips, func() {
				removed, err := s.Truncate(ctx, second+n/2)
				require.NoError(t, err)
				require.Equal(t, uint64(1), removed)
			})
			require.Equal(t, second+n/2+1, mustStore(t, s, "a", "x").Sequence)
		})
	}
}

// TestFollowersGoOverSkips at once, however many there are.
func TestFollowersGoOverSkips(t *testing.T) {
	s := open(t, actors.Config{})
	mustStore(t, s, "a", "1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []uint64
	for m, err := range s.Messages(ctx, actors.Follow()) {
		if errors.Is(err, context.Canceled) {
			break
		}
		require.NoError(t, err)
		got = append(got, m.Sequence)
		switch len(got) {
		case 1:
			_, err = s.Skip(ctx, 0, 1<<40)
			require.NoError(t, err)
			mustStore(t, s, "a", "2")
		case 2:
			cancel()
		}
	}
	require.Equal(t, []uint64{1, 1<<40 + 2}, got)
}
