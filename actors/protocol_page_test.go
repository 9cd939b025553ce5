package actors_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestReadsDownwards in pieces, with filters and without, over skips, to the end.
func TestReadsDownwards(t *testing.T) {
	s := inquired(t, actors.Config{})
	c := newClient(t, 10)
	for _, filters := range [][]actors.Filters{nil, {actors.Filter("s.1.>")}, {actors.Literal("rare")}, {actors.Filter()}} {
		opts := []actors.ReadOption{actors.Reverse()}
		for _, f := range filters {
			opts = append(opts, f)
		}
		want, _ := collect(t, s, opts...)
		for _, row := range []struct{ most, bytes int }{{0, 0}, {1, 0}, {7, 0}, {0, 1}, {0, 40}} {
			var got []uint64
			next := uint64(0)
			for range 1000 {
				r := c.ask(t, s, &actors.ReadRequest{From: next, Max: row.most, MaxBytes: row.bytes, Filters: filters, Reverse: true}).(*actors.ReadReply)
				require.NoError(t, r.Err)
				for _, m := range r.Messages {
					got = append(got, m.Sequence)
					require.Greater(t, m.Sequence, r.Next)
				}
				if next > 0 {
					require.Less(t, r.Next, next)
				}
				if next = r.Next; next == 0 {
					break
				}
			}
			require.Zero(t, next)
			require.Equal(t, want, got)
		}
	}
}

// TestReadsUpwardsWithFilters in pieces. The last one says so, wherever the last match
// is.
func TestReadsUpwardsWithFilters(t *testing.T) {
	s := inquired(t, actors.Config{})
	c := newClient(t, 10)
	last := stateOf(t, s).LastSequence
	for _, filters := range [][]actors.Filters{{actors.Filter("s.1.>")}, {actors.Literal("rare")}, {actors.Filter()}} {
		var opts []actors.ReadOption
		for _, f := range filters {
			opts = append(opts, f)
		}
		want, _ := collect(t, s, opts...)
		var got []uint64
		for next := uint64(0); next <= last; {
			r := c.ask(t, s, &actors.ReadRequest{From: next, Max: 3, Filters: filters}).(*actors.ReadReply)
			require.NoError(t, r.Err)
			require.Greater(t, r.Next, next)
			for _, m := range r.Messages {
				got = append(got, m.Sequence)
			}
			if len(r.Messages) < 3 {
				require.Equal(t, last+1, r.Next)
			}
			next = r.Next
		}
		require.Equal(t, want, got)
	}
}

// TestReadsGoOnBehindDamage of a record and of a whole block, in both directions.
func TestReadsGoOnBehindDamage(t *testing.T) {
	for _, what := range []string{"record", "block"} {
		for _, filters := range [][]actors.Filters{nil, {actors.Filter("a")}} {
			for _, reverse := range []bool{false, true} {
				t.Run(fmt.Sprint(what, filters, reverse), func(t *testing.T) {
					var clk clock
					config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4 << 10, IndexFrom: -1, Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: clk.now})}
					s := open(t, config)
					for i := range 100 {
						mustStore(t, s, "a", fmt.Sprintf("secret-%d.%s", i+1, strings.Repeat("x", 100)))
					}
					dropMemory(t, s, &clk)
					if what == "record" {
						flip(t, blockPath(config, 1), "secret-10.")
					} else {
						require.NoError(t, os.Remove(blockPath(config, 2)))
					}
					c := newClient(t, 10)
					var got []uint64
					errs := 0
					next := uint64(0)
					for range 50 {
						r := c.ask(t, s, &actors.ReadRequest{From: next, Max: 10, Filters: filters, Reverse: reverse}).(*actors.ReadReply)
						for _, m := range r.Messages {
							got = append(got, m.Sequence)
						}
						if r.Err != nil {
							require.ErrorIs(t, r.Err, actors.ErrCorrupt)
							errs++
						}
						if next = r.Next; next == 0 || next > 100 {
							break
						}
					}
					require.Equal(t, 1, errs)
					require.Equal(t, reverse, next == 0)
					if reverse {
						slices.Reverse(got)
					}
					require.True(t, slices.IsSorted(got))
					require.Equal(t, len(got), len(slices.Compact(slices.Clone(got))))
					if what == "record" {
						require.Len(t, got, 99)
					} else {
						require.Contains(t, got, uint64(1))
						require.Contains(t, got, uint64(100))
						require.Less(t, len(got), 90)
						require.Greater(t, len(got), 50)
					}
				})
			}
		}
	}
}

// TestLastMessagesComeInPieces, each subject once, whatever is stored meanwhile.
func TestLastMessagesComeInPieces(t *testing.T) {
	s := open(t, actors.Config{Sync: actors.SyncNever, BlockSize: 4 << 10, IndexFrom: 1})
	const n = 100
	for range 3 {
		for i := range n {
			mustStore(t, s, fmt.Sprint("s.", i), strings.Repeat("x", 50))
		}
	}
	most := stateOf(t, s).LastSequence
	c := newClient(t, 10)
	for _, row := range []struct{ most, bytes, atMost int }{{0, 0, n}, {1, 0, 1}, {7, 0, 7}, {n, 0, n}, {0, 1, 1}, {0, 200, 4}} {
		var got []uint64
		next := uint64(0)
		for range 2 * n {
			r := c.ask(t, s, &actors.LastMessagesRequest{Patterns: []string{"s.*"}, MaxSequence: most, From: next, Max: row.most, MaxBytes: row.bytes}).(*actors.ReadReply)
			require.NoError(t, r.Err)
			require.LessOrEqual(t, len(r.Messages), row.atMost)
			for _, m := range r.Messages {
				require.GreaterOrEqual(t, m.Sequence, next)
				got = append(got, m.Sequence)
			}
			mustStore(t, s, fmt.Sprint("s.", len(got)%n), "newer")
			if next = r.Next; next == 0 {
				break
			}
		}
		require.Zero(t, next)
		require.Len(t, got, n)
		require.Equal(t, most-n+1, got[0])
		require.Equal(t, most, got[n-1])
		require.True(t, slices.IsSorted(got))
	}
}

// TestLastMessagesGoOnBehindDamage.
func TestLastMessagesGoOnBehindDamage(t *testing.T) {
	for _, damaged := range []int{1, 5, 10} {
		var clk clock
		config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: clk.now})}
		s := open(t, config)
		for i := range 10 {
			mustStore(t, s, fmt.Sprint(i), fmt.Sprintf("secret-%d.", i+1))
		}
		dropMemory(t, s, &clk)
		flip(t, blockPath(config, 1), fmt.Sprintf("secret-%d.", damaged))
		c := newClient(t, 10)
		got, errs := 0, 0
		for next, first := uint64(0), true; first || next > 0; first = false {
			r := c.ask(t, s, &actors.LastMessagesRequest{Patterns: []string{">"}, From: next}).(*actors.ReadReply)
			got += len(r.Messages)
			if r.Err != nil {
				require.ErrorIs(t, r.Err, actors.ErrCorrupt)
				errs++
			}
			require.True(t, r.Next == 0 || r.Next > next)
			next = r.Next
		}
		require.Equal(t, 9, got)
		require.Equal(t, 1, errs)
	}
}

// TestSubjectsBeyondTheBoundAreRefused, by their number and by their names.
func TestSubjectsBeyondTheBoundAreRefused(t *testing.T) {
	s := open(t, actors.Config{Sync: actors.SyncNever})
	p := s.Pipeline(1000, nil)
	for i := range 10_001 {
		_, err := p.Store(t.Context(), fmt.Sprintf("s.%08d", i), nil, nil)
		require.NoError(t, err)
	}
	require.NoError(t, p.Wait(t.Context()))
	c := newClient(t, 10)
	for _, row := range []struct {
		request actors.SubjectsRequest
		want    int // -1: too many
	}{
		{actors.SubjectsRequest{}, -1},
		{actors.SubjectsRequest{Max: 10_001}, 10_001},
		{actors.SubjectsRequest{Max: 1 << 40, MaxBytes: 1 << 40}, 10_001},
		{actors.SubjectsRequest{Max: 10_001, MaxBytes: 100_009}, -1},
		{actors.SubjectsRequest{Max: 10_001, MaxBytes: 100_010}, 10_001},
		{actors.SubjectsRequest{Filters: []actors.Filters{actors.Filter("s.00000000", "s.00000001")}}, 2},
		{actors.SubjectsRequest{Filters: []actors.Filters{actors.Filter("s.00000000", "s.00000001")}, Max: 1}, -1},
		{actors.SubjectsRequest{Filters: []actors.Filters{actors.Filter("s.00000000", "s.00000001")}, MaxBytes: 19}, -1},
		{actors.SubjectsRequest{Filters: []actors.Filters{actors.Filter("s.00000000", "s.00000001")}, Max: 2, MaxBytes: 20}, 2},
		{actors.SubjectsRequest{Filters: []actors.Filters{actors.Filter("none.*")}, Max: 1, MaxBytes: 1}, 0},
	} {
		for _, states := range []bool{false, true} {
			row.request.States = states
			request := row.request
			r := c.ask(t, s, &request).(*actors.SubjectsReply)
			if row.want < 0 {
				require.ErrorIs(t, r.Err, actors.ErrTooManyResults, "%+v", row)
				require.Nil(t, r.Totals)
				require.Nil(t, r.States)
				continue
			}
			require.NoError(t, r.Err)
			if states {
				require.Nil(t, r.Totals)
				require.Len(t, r.States, row.want)
				require.NotNil(t, r.States)
			} else {
				require.Nil(t, r.States)
				require.Len(t, r.Totals, row.want)
				require.NotNil(t, r.Totals)
			}
		}
	}
}

// TestLastSequencesHaveAnUpperBound, and the handle has none.
func TestLastSequencesHaveAnUpperBound(t *testing.T) {
	const n = 1<<16 + 1
	s := open(t, actors.Config{Sync: actors.SyncNever})
	p := s.Pipeline(1000, nil)
	for i := range n {
		_, err := p.Store(t.Context(), fmt.Sprint(i), nil, nil)
		require.NoError(t, err)
	}
	require.NoError(t, p.Wait(t.Context()))
	c := newClient(t, 10)
	for allowed, want := range map[int]int{0: -1, -1: -1, n - 1: -1, n: n, 1 << 40: n} {
		r := c.ask(t, s, &actors.LastSequencesRequest{Patterns: []string{">"}, MaxAllowed: allowed}).(*actors.LastSequencesReply)
		if want < 0 {
			require.ErrorIs(t, r.Err, actors.ErrTooManyResults)
			require.ErrorContains(t, r.Err, fmt.Sprint("more than ", n-1, " subjects"))
			require.Nil(t, r.Sequences)
			continue
		}
		require.NoError(t, r.Err)
		require.Len(t, r.Sequences, want)
	}
	sequences, err := s.MultiLastSeqs(t.Context(), []string{">"}, 0, 0)
	require.NoError(t, err)
	require.Len(t, sequences, n)
}

// TestRangesComeInPieces that are those of the state together.
func TestRangesComeInPieces(t *testing.T) {
	s := inquired(t, actors.Config{})
	want, err := s.State(t.Context())
	require.NoError(t, err)
	require.Greater(t, len(want.DeletedRanges), 10)
	c := newClient(t, 10)
	for _, most := range []int{1, 2, 5, len(want.DeletedRanges) - 1, len(want.DeletedRanges)} {
		var got []actors.SequenceRange
		for next, first := uint64(0), true; first || next > 0; first = false {
			r := c.ask(t, s, &actors.FullStateRequest{From: next, Max: most}).(*actors.FullStateReply)
			require.NoError(t, r.Err)
			require.Equal(t, want.State, r.State.State)
			require.LessOrEqual(t, len(r.State.DeletedRanges), most)
			require.True(t, r.Next == 0 || r.Next > next)
			got = append(got, r.State.DeletedRanges...)
			next = r.Next
		}
		require.Equal(t, want.DeletedRanges, got)
	}
	// From the middle of one.
	_, err = s.Skip(t.Context(), 0, 10)
	require.NoError(t, err)
	last := mustStore(t, s, "a", "x").Sequence
	r := c.ask(t, s, &actors.FullStateRequest{From: last - 4}).(*actors.FullStateReply)
	require.Equal(t, []actors.SequenceRange{{First: last - 4, Last: last - 1}}, r.State.DeletedRanges)
	r = c.ask(t, s, &actors.FullStateRequest{From: last}).(*actors.FullStateReply)
	require.Nil(t, r.State.DeletedRanges)
	require.Zero(t, r.Next)
}

// TestRepliesAreTheReceivers to change.
func TestRepliesAreTheReceivers(t *testing.T) {
	s := inquired(t, actors.Config{})
	c := newClient(t, 10)
	spoil := func(m *actors.Message) {
		for i := range m.Payload {
			m.Payload[i] = '!'
		}
		for i := range m.HeaderBlock {
			m.HeaderBlock[i] = '!'
		}
	}
	all := inquiries()
	before := make([]any, len(all))
	for i, q := range all {
		before[i] = q.handle(t.Context(), s)
	}
	for _, q := range all {
		switch r := c.ask(t, s, q.request).(type) {
		case *actors.LoadReply:
			spoil(&r.Message)
		case *actors.LoadNextReply:
			spoil(&r.Message)
		case *actors.ReadReply:
			for i := range r.Messages {
				spoil(&r.Messages[i])
			}
		case *actors.SubjectsReply:
			clear(r.States)
			maps.DeleteFunc(r.Totals, func(string, uint64) bool { return true })
		case *actors.LastSequencesReply:
			clear(r.Sequences)
		case *actors.FullStateReply:
			clear(r.State.DeletedRanges)
		}
	}
	for i, q := range all {
		got, want := q.handle(t.Context(), s), before[i]
		untag(got)
		untag(want)
		require.Equal(t, want, got, "%v", q)
	}
}
