package actors

import (
	"slices"
	"strings"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// Filters selects messages by subject. Calls that take several select what any of
// them does, each message once, and calls that are given none select everything.
type Filters struct {
	one      string   // the pattern, if there is one
	patterns []string // or several
	count    int
	literal  bool
	compiled *subject.Set // of Compile
	err      error        // of what was compiled
}

// Filter selects messages whose subject matches one of some patterns. A subject is
// a row of tokens separated by dots; in a pattern the token * stands for exactly
// one token, and > at the end for one or more. The empty pattern and > alone
// select every message, also those with an empty subject, which no other pattern
// does. Filter() selects nothing.
//
// A pattern that no subject of ValidSubject matches is refused with ErrBadFilter, as JetStream does, where the
// filters are used: one with an empty token, with white space, or with > before the end. A token like a* is no
// wildcard, but is itself. Literal selects subjects that only raw messages have.
func Filter(patterns ...string) Filters { return filtersOf(patterns, false) }

// Literal selects messages that have one of some subjects, byte for byte: * and >
// in them have no meaning. The empty one selects every message, as in Filter.
func Literal(subjects ...string) Filters { return filtersOf(subjects, true) }

// filtersOf does not keep the slice: it is the caller's.
func filtersOf(patterns []string, literal bool) Filters {
	f := Filters{count: len(patterns), literal: literal}
	if len(patterns) == 1 {
		f.one = patterns[0]
	} else {
		f.patterns = slices.Clone(patterns)
	}
	return f
}

// subject returns the one subject that f selects, where that needs no look at its tokens.
func (f *Filters) subject() (name string, ok bool) {
	return f.one, f.one != "" && (f.literal || !strings.ContainsAny(f.one, "*>") && validPattern(f.one) == nil)
}

// add appends the compiled patterns to a list.
func (f *Filters) add(list []subject.Pattern) ([]subject.Pattern, error) {
	compile := compilePattern
	if f.literal {
		compile = func(text string) (subject.Pattern, error) { return subject.Literal(text), nil }
	}
	switch {
	case f.err != nil:
		return nil, f.err
	case f.compiled != nil:
		return append(list, f.compiled.Patterns()...), nil
	case f.count == 1:
		pattern, err := compile(f.one)
		return append(list, pattern), err
	}
	for _, text := range f.patterns {
		pattern, err := compile(text)
		if err != nil {
			return nil, err
		}
		list = append(list, pattern)
	}
	return list, nil
}

func compilePattern(text string) (subject.Pattern, error) {
	if err := validPattern(text); err != nil {
		return subject.Pattern{}, err
	}
	return subject.Compile(text), nil
}

// Compile returns filters that select what any of some filters does, and that cost nothing to use again: in queries,
// scans, purges and preconditions, by any number of goroutines. Without filters it selects everything.
func Compile(filters ...Filters) Filters {
	set, err := setOf(filters)
	return Filters{compiled: &set, err: err}
}

// Where selects those of the messages that some filters select (without filters: of all) whose subject accept is
// true for. Messages without a subject are not among them: accept is never asked about the empty subject.
//
// It is for queries: the methods that load, count, list or scan, and the requests that do. What changes a stream
// refuses it with ErrPredicate: PurgeEx, PurgeRequest and ExpectLastOf.
//
// accept runs on the goroutine of whoever asks: of the caller of a method, also within the steps of an iteration,
// or a worker's that reads for an actor. It never runs on the store actor, and holds nobody up but the query. Filters that
// several goroutines use call it from all of them at once. It must always give the same answer for a subject: it
// is called any number of times for one, or not at all where the answer makes no difference, and also for subjects
// whose messages are not in the result. So all of its answers are one instant's, like the stream's. It should be
// fast, and should not call the store. A panic of it goes on in the caller; an actor's request is answered with an
// error then.
//
// It costs a call for each subject that the filters select, and in queries that look into blocks one for each such
// subject of a block; filters of subjects without wildcards are asked about once, when Where is called.
//
// Damage counts as with any other filter: a message that is lost is passed over only if its subject is known, and
// not accepted.
func Where(accept func(subject string) bool, filters ...Filters) Filters {
	set, err := setOf(filters)
	set = set.Where(func(name []byte) bool { return accept(string(name)) })
	return Filters{compiled: &set, err: err}
}

// setOfChange is setOf for what changes the stream.
func setOfChange(filters []Filters) (subject.Set, error) {
	set, err := setOf(filters)
	if err != nil {
		return subject.Set{}, err
	}
	if set.Selective() {
		return subject.Set{}, ErrPredicate
	}
	return set, nil
}

// setOf compiles filters. With an error the set selects nothing.
func setOf(filters []Filters) (subject.Set, error) {
	switch {
	case len(filters) == 0:
		return subject.Everything(), nil
	case len(filters) == 1 && filters[0].compiled != nil:
		return *filters[0].compiled, filters[0].err
	}
	for i := range filters {
		if set := filters[i].compiled; set != nil && set.Selective() {
			return unionOf(filters)
		}
	}
	var few [4]subject.Pattern // mostly no more, which then need no memory of the heap
	list := few[:0]
	for i := range filters {
		var err error
		if list, err = filters[i].add(list); err != nil {
			return subject.Set{}, err
		}
	}
	return subject.NewSet(list...), nil
}

// unionOf is setOf where some filters do more than match patterns.
func unionOf(filters []Filters) (subject.Set, error) {
	sets := make([]subject.Set, len(filters))
	for i := range filters {
		var err error
		if sets[i], err = setOf(filters[i : i+1]); err != nil {
			return subject.Set{}, err
		}
	}
	return subject.Union(sets...), nil
}

func (f Filters) apply(o *readOptions) { o.filters = append(o.filters, f) }
