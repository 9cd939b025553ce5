package actors_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// predicate is one on subjects.
type predicate struct {
	name   string
	accept func(subject string) bool
}

// asked is the predicate as a store asks it: never about the empty subject.
func (p *predicate) asked(subject string) bool {
	if subject == "" {
		panic("asked about the empty subject")
	}
	return p.accept(subject)
}

var predicates = []*predicate{
	{"is anything", func(string) bool { return true }},
	{"is nothing", func(string) bool { return false }},
	{"ends in c", func(s string) bool { return strings.HasSuffix(s, "c") }},
	{"has an odd length", func(s string) bool { return len(s)%2 == 1 }},
	{"has no dot", func(s string) bool { return !strings.Contains(s, ".") }},
	{"is not a.b", func(s string) bool { return s != "a.b" }},
}

// accepted are the picks of one filter, and of its subjects those that a predicate accepts.
func accepted(where *predicate, p picks) picks {
	p = slices.Clone(p)
	if len(p) == 0 {
		p = matching(">")
	}
	for i := range p {
		p[i].where = where
	}
	return p
}

// TestPredicatesSelectSubjects in every query, alone, with filters, and beside them; compiled or not, and twice.
func TestPredicatesSelectSubjects(t *testing.T) {
	s := open(t, actors.Config{})
	ctx := t.Context()
	for _, name := range []string{"a.x", "b", "", "a.y", "a.x", "c.x", "b"} {
		mustStoreRaw(t, s, name, "x")
	}
	x := func(subject string) bool { return strings.HasSuffix(subject, "x") }
	y := func(subject string) bool { return strings.HasSuffix(subject, "y") }
	for _, row := range []struct {
		name    string
		filters []actors.Filters
		want    []uint64
	}{
		{"alone", []actors.Filters{actors.Where(x)}, []uint64{1, 5, 6}},
		{"with a filter", []actors.Filters{actors.Where(x, actors.Filter("a.*"))}, []uint64{1, 5}},
		{"with filters", []actors.Filters{actors.Where(x, actors.Filter("a.*"), actors.Literal("c.x"))}, []uint64{1, 5, 6}},
		{"with a subject that it accepts", []actors.Filters{actors.Where(x, actors.Literal("a.x"))}, []uint64{1, 5}},
		{"with a subject that it does not", []actors.Filters{actors.Where(x, actors.Literal("a.y", "b"))}, nil},
		{"beside a filter", []actors.Filters{actors.Where(x, actors.Filter("c.*")), actors.Filter("b")}, []uint64{2, 6, 7}},
		{"beside everything", []actors.Filters{actors.Where(x), actors.Filter(">")}, []uint64{1, 2, 3, 4, 5, 6, 7}},
		{"beside another", []actors.Filters{actors.Where(x, actors.Filter("c.*")), actors.Where(y)}, []uint64{4, 6}},
		{"of another", []actors.Filters{actors.Where(x, actors.Where(func(s string) bool { return s[0] == 'a' }))}, []uint64{1, 5}},
		{"compiled", []actors.Filters{actors.Compile(actors.Where(x), actors.Filter("b"))}, []uint64{1, 2, 5, 6, 7}},
		{"of none", []actors.Filters{actors.Where(x, actors.Filter())}, nil},
	} {
		for range 2 {
			got, _ := collect(t, s, slices.Collect(func(yield func(actors.ReadOption) bool) {
				for _, f := range row.filters {
					if !yield(f) {
						return
					}
				}
			})...)
			require.Equal(t, row.want, got, row.name)
			n, _, err := s.NumPending(ctx, 0, row.filters...)
			require.NoError(t, err)
			require.EqualValues(t, len(row.want), n, row.name)
			totals, err := s.SubjectsTotals(ctx, row.filters...)
			require.NoError(t, err)
			sum := uint64(0)
			for _, one := range totals {
				sum += one
			}
			if !slices.Contains(row.want, 3) {
				require.EqualValues(t, len(row.want), sum, row.name)
			}
			lasts, err := s.LastSeqs(ctx, 0, 0, row.filters...)
			require.NoError(t, err)
			require.Len(t, lasts, len(totals), row.name)
			read := newClient(t, 1).ask(t, s, &actors.ReadRequest{Filters: row.filters}).(*actors.ReadReply)
			require.NoError(t, read.Err)
			require.Len(t, read.Messages, len(row.want))
		}
	}
}

// TestLastSeqsTakeFilters: the same for filters as MultiLastSeqs for patterns, on the handle and by request.
func TestLastSeqsTakeFilters(t *testing.T) {
	s := open(t, actors.Config{})
	for _, name := range []string{"a.x", "b", "", "a.y", "a.x", "b"} {
		mustStoreRaw(t, s, name, "x")
	}
	ctx := t.Context()
	all, err := s.LastSeqs(ctx, 0, 0)
	require.NoError(t, err)
	require.Equal(t, []uint64{4, 5, 6}, all)
	bounded, err := s.LastSeqs(ctx, 3, 0, actors.Filter("*"), actors.Literal("a.x"))
	require.NoError(t, err)
	require.Equal(t, []uint64{1, 2}, bounded)
	_, err = s.LastSeqs(ctx, 0, 2)
	require.ErrorIs(t, err, actors.ErrTooManyResults)
	filters := []actors.Filters{actors.Where(func(s string) bool { return s != "b" })}
	var got []uint64
	for m, err := range s.LastMsgs(ctx, 0, 0, filters...) {
		require.NoError(t, err)
		got = append(got, m.Sequence)
	}
	require.Equal(t, []uint64{4, 5}, got)
	c := newClient(t, 1)
	sequences := c.ask(t, s, &actors.LastSequencesRequest{Filters: filters}).(*actors.LastSequencesReply)
	require.NoError(t, sequences.Err)
	require.Equal(t, []uint64{4, 5}, sequences.Sequences)
	page := c.ask(t, s, &actors.LastMessagesRequest{Filters: filters}).(*actors.ReadReply)
	require.NoError(t, page.Err)
	require.Len(t, page.Messages, 2)
}

// TestPredicatesChangeNothing: they are for queries.
func TestPredicatesChangeNothing(t *testing.T) {
	s := open(t, actors.Config{})
	mustStore(t, s, "a", "x")
	ctx := t.Context()
	any := actors.Where(func(string) bool { return true })
	_, err := s.PurgeEx(ctx, any, 0, 0)
	require.ErrorIs(t, err, actors.ErrPredicate)
	_, err = s.StoreMsg(ctx, "a", nil, nil, actors.ExpectLastOf(any, 1))
	require.ErrorIs(t, err, actors.ErrPredicate)
	_, err = s.StoreBatch(ctx, []actors.BatchMessage{{Subject: "a", Options: []actors.StoreOption{actors.ExpectLastOf(any, 1)}}})
	require.ErrorIs(t, err, actors.ErrPredicate)
	_, err = s.Pipeline(1, nil).Store(ctx, "a", nil, nil, actors.ExpectLastOf(any, 1))
	require.ErrorIs(t, err, actors.ErrPredicate)
	r := newClient(t, 1).ask(t, s, &actors.PurgeRequest{Filters: []actors.Filters{any}}).(*actors.PurgeReply)
	require.ErrorIs(t, r.Err, actors.ErrPredicate)
	require.Equal(t, uint64(1), stateOf(t, s).Messages)
	removed, err := s.PurgeEx(ctx, actors.Where(func(string) bool { return true }, actors.Literal("a")), 0, 0)
	require.NoError(t, err, "it was asked when the filters were made")
	require.Equal(t, uint64(1), removed)
}

// TestPredicatesThatPanic end the query of the caller, who gets the panic, or the request, and nothing else.
func TestPredicatesThatPanic(t *testing.T) {
	s := open(t, actors.Config{})
	for range 3 {
		mustStore(t, s, "a", "x")
	}
	errPanic := errors.New("no")
	bad := actors.Where(func(string) bool { panic(errPanic) })
	require.PanicsWithValue(t, errPanic, func() { _, _, _ = s.NumPending(t.Context(), 2, bad) })
	require.PanicsWithValue(t, errPanic, func() { _, _, _ = s.LoadNextMsg(t.Context(), 1, bad) })
	require.PanicsWithValue(t, errPanic, func() {
		for range s.Messages(t.Context(), bad) {
		}
	})
	r := newClient(t, 1).ask(t, s, &actors.ReadRequest{Filters: []actors.Filters{bad}}).(*actors.ReadReply)
	require.Error(t, r.Err)
	got, _ := collect(t, s)
	require.Len(t, got, 3)
	mustStore(t, s, "a", "x")
}
