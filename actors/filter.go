package actors

import "github.com/seed-d8b58eba/millrace/internal/subject"

// Filters selects messages by subject. Calls that take several select what any of
// them does, each message once, and calls that are given none select everything.
type Filters struct {
	patterns []string
	literal  bool
	compiled *subject.Set // of Compile
}

// Filter selects messages whose subject matches one of some patterns. A subject is
// a row of tokens separated by dots; in a pattern the token * stands for exactly
// one token, and > at the end for one or more. The empty pattern and > alone
// select every message, also those with an empty subject, which no other pattern
// does. Filter() selects nothing.
func Filter(patterns ...string) Filters { return Filters{patterns: patterns} }

// Literal selects messages that have one of some subjects, byte for byte: * and >
// in them have no meaning. The empty one selects every message, as in Filter.
func Literal(subjects ...string) Filters { return Filters{patterns: subjects, literal: true} }

// Compile returns filters that select what any of some filters does, and that cost nothing to use again: in queries,
// scans, purges and preconditions, by any number of goroutines. Without filters it selects everything.
func Compile(filters ...Filters) Filters {
	set := setOf(filters)
	return Filters{compiled: &set}
}

// setOf compiles filters.
func setOf(filters []Filters) subject.Set {
	switch {
	case len(filters) == 0:
		return subject.Everything()
	case len(filters) == 1 && filters[0].compiled != nil:
		return *filters[0].compiled
	}
	var few [4]subject.Pattern // mostly no more, which then need no memory of the heap
	list := few[:0]
	for _, f := range filters {
		if f.compiled != nil {
			list = append(list, f.compiled.Patterns()...)
		}
		for _, text := range f.patterns {
			if f.literal {
				list = append(list, subject.Literal(text))
			} else {
				list = append(list, subject.Compile(text))
			}
		}
	}
	return subject.NewSet(list...)
}

func (f Filters) apply(o *readOptions) { o.filters = append(o.filters, f) }
