package actors_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"iter"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// badFilters are patterns that are refused, and what the refusal names.
var badFilters = []struct{ pattern, wrong string }{
	{"a.>.b", "the wildcard > stands only at the end"}, {">.a", "the wildcard >"}, {"*.>.>", "the wildcard >"},
	{"a..b", "empty token"}, {".a", "empty token"}, {"a.", "empty token"}, {".", "empty token"}, {"*..>", "empty token"},
	{"a b", `it holds ' '`}, {"a.*\n", `it holds '\n'`}, {"\t", `it holds '\t'`},
}

func firstOf(all iter.Seq2[actors.Message, error]) error {
	for _, err := range all {
		return err
	}
	return nil
}

func onlyErr[T any](_ T, err error) error { return err }

// filterCalls are all methods of a store that take filters, or patterns.
func filterCalls(ctx context.Context, s *actors.Store, f actors.Filters, pattern string) map[string]func() error {
	store := func(f actors.Filters) actors.StoreOption { return actors.ExpectLastOf(f, 0) }
	return map[string]func() error{
		"SubjectsTotals":           func() error { return onlyErr(s.SubjectsTotals(ctx, f)) },
		"SubjectsState":            func() error { return onlyErr(s.SubjectsState(ctx, f)) },
		"FilteredState":            func() error { return onlyErr(s.FilteredState(ctx, 0, f)) },
		"NumPending":               func() error { _, _, err := s.NumPending(ctx, 0, f); return err },
		"NumPendingLastPerSubject": func() error { _, _, err := s.NumPendingLastPerSubject(ctx, 0, f); return err },
		"LoadNextMsg":              func() error { _, _, err := s.LoadNextMsg(ctx, 0, f); return err },
		"LoadPrevMsg":              func() error { _, _, err := s.LoadPrevMsg(ctx, 9, f); return err },
		"LoadNextMsgInto":          func() error { return onlyErr(s.LoadNextMsgInto(ctx, 0, new(actors.MessageBuffer), f)) },
		"LoadPrevMsgInto":          func() error { return onlyErr(s.LoadPrevMsgInto(ctx, 9, new(actors.MessageBuffer), f)) },
		"LoadLastMsg":              func() error { return onlyErr(s.LoadLastMsg(ctx, f)) },
		"LoadLastMsgInto":          func() error { return s.LoadLastMsgInto(ctx, new(actors.MessageBuffer), f) },
		"LastSeqs":                 func() error { return onlyErr(s.LastSeqs(ctx, 0, 0, f)) },
		"LastMsgs":                 func() error { return firstOf(s.LastMsgs(ctx, 0, 0, f)) },
		"PurgeEx":                  func() error { return onlyErr(s.PurgeEx(ctx, f, 0, 0)) },
		"MultiLastSeqs":            func() error { return onlyErr(s.MultiLastSeqs(ctx, []string{"a", pattern}, 0, 0)) },
		"MultiLastMsgs":            func() error { return firstOf(s.MultiLastMsgs(ctx, []string{pattern}, 0, 0)) },
		"Messages":                 func() error { return firstOf(s.Messages(ctx, f)) },
		"Messages, Follow":         func() error { return firstOf(s.Messages(ctx, f, actors.Follow())) },
		"StoreMsg":                 func() error { return onlyErr(s.StoreMsg(ctx, "a", nil, nil, store(f))) },
		"StoreBatch":               func() error { return onlyErr(s.StoreBatch(ctx, []actors.BatchMessage{{Subject: "a"}}, store(f))) },
		"StoreBatch, a message": func() error {
			return onlyErr(s.StoreBatch(ctx, []actors.BatchMessage{{Subject: "a", Options: []actors.StoreOption{store(f)}}}))
		},
		"Pipeline": func() error {
			p := s.Pipeline(1, nil)
			return onlyErr(p.Store(ctx, "a", nil, nil, store(f)))
		},
	}
}

// filterRequests are all requests that take filters, or patterns.
func filterRequests(f []actors.Filters, pattern string) map[string]any {
	return map[string]any{
		"SubjectsRequest":                &actors.SubjectsRequest{Filters: f},
		"SubjectsRequest, States":        &actors.SubjectsRequest{Filters: f, States: true},
		"ReadRequest":                    &actors.ReadRequest{Filters: f},
		"LastSequencesRequest":           &actors.LastSequencesRequest{Filters: f},
		"LastSequencesRequest, patterns": &actors.LastSequencesRequest{Patterns: []string{"a", pattern}},
		"LastMessagesRequest":            &actors.LastMessagesRequest{Filters: f},
		"LastMessagesRequest, patterns":  &actors.LastMessagesRequest{Patterns: []string{pattern}},
		"LoadNextRequest":                &actors.LoadNextRequest{Filters: f},
		"LoadNextRequest, Reverse":       &actors.LoadNextRequest{Filters: f, Reverse: true},
		"LoadLastRequest":                &actors.LoadLastRequest{Filters: f},
		"PurgeRequest":                   &actors.PurgeRequest{Filters: f},
		"FilteredStateRequest":           &actors.FilteredStateRequest{Filters: f},
		"PendingRequest":                 &actors.PendingRequest{Filters: f},
		"PendingRequest, LastPerSubject": &actors.PendingRequest{Filters: f, LastPerSubject: true},
		"StoreRequest":                   &actors.StoreRequest{Subject: "a", Options: []actors.StoreOption{actors.ExpectLastOf(f[0], 0)}},
		"StoreBatchRequest":              &actors.StoreBatchRequest{Messages: []actors.BatchMessage{{Subject: "a", Options: []actors.StoreOption{actors.ExpectLastOf(f[0], 0)}}}},
	}
}

// TestBadFiltersAreRefused wherever filters are taken: as they are, among others, compiled, and in a predicate. None has
// changed anything.
func TestBadFiltersAreRefused(t *testing.T) {
	s := open(t, actors.Config{})
	mustStore(t, s, "a", "x")
	mustStoreRaw(t, s, "a..b", "raw")
	c := newClient(t, 1)
	before := stateOf(t, s)
	check := func(way, pattern, wrong string, err error) {
		t.Helper()
		require.ErrorIs(t, err, actors.ErrBadFilter, "%s of %q", way, pattern)
		require.ErrorContains(t, err, wrong, "%s of %q", way, pattern)
		require.Equal(t, before, stateOf(t, s), "%s of %q", way, pattern)
	}
	yes := func(string) bool { return true }
	for _, row := range badFilters {
		bad := actors.Filter(row.pattern)
		forms := map[string]actors.Filters{
			"alone": bad, "among others": actors.Filter("a", row.pattern, "b"), "compiled": actors.Compile(bad),
			"compiled, with others": actors.Compile(actors.Compile(actors.Filter("a")), bad), "of a predicate": actors.Where(yes, bad),
			"beside a predicate": actors.Compile(actors.Where(yes), bad),
		}
		for form, f := range forms {
			for way, call := range filterCalls(t.Context(), s, f, row.pattern) {
				check(way+" "+form, row.pattern, row.wrong, call())
			}
			for way, request := range filterRequests([]actors.Filters{f}, row.pattern) {
				reply := reflect.ValueOf(c.ask(t, s, request)).Elem()
				err, _ := reply.FieldByName("Err").Interface().(error)
				check(way+" "+form, row.pattern, row.wrong, err)
			}
		}
	}
	m, err := s.LoadLastMsg(t.Context(), actors.Literal("a..b"))
	require.NoError(t, err, "what raw messages have alone")
	require.Equal(t, "raw", string(m.Payload))
	for _, good := range []string{"", ">", "*", "a.>", "*.>", "a*", "*a.b*", "a.>b", "**", "ü.*", "\x00"} {
		_, err := s.FilteredState(t.Context(), 0, actors.Filter(good))
		require.NoError(t, err, "%q", good)
	}
}

// TestEveryCallWithFiltersIsKnown: the tables above have every method and every request that takes filters.
func TestEveryCallWithFiltersIsKnown(t *testing.T) {
	calls := filterCalls(t.Context(), nil, actors.Filter("a"), "a")
	store := reflect.TypeFor[*actors.Store]()
	methods := 0
	for i := range store.NumMethod() {
		m := store.Method(i)
		for j := range m.Type.NumIn() {
			switch m.Type.In(j) {
			case reflect.TypeFor[actors.Filters](), reflect.TypeFor[[]actors.Filters](), reflect.TypeFor[[]actors.ReadOption](),
				reflect.TypeFor[[]actors.StoreOption]():
				methods++
				require.Contains(t, calls, m.Name)
			}
		}
	}
	require.Equal(t, 17, methods)

	requests := filterRequests([]actors.Filters{actors.Filter("a")}, "a")
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !strings.HasSuffix(spec.Name.Name, "Request") {
				return true
			}
			fields, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, field := range fields.Fields.List {
				for _, name := range field.Names {
					if name.Name == "Filters" || name.Name == "Patterns" {
						found++
						require.Contains(t, requests, spec.Name.Name)
					}
				}
			}
			return true
		})
	}
	require.Equal(t, 11, found)
}
