package actors

import "github.com/seed-d8b58eba/millrace/internal/subject"

// Filters selects messages by subject. Calls that take several select what any of
// them does, each message once, and calls that are given none select everything.
type Filters struct {
	patterns []string
	literal  bool
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

// setOf compiles filters.
func setOf(filters []Filters) subject.Set {
	if len(filters) == 0 {
		return subject.Everything()
	}
	var few [4]subject.Pattern // mostly no more, which then need no memory of the heap
	list := few[:0]
	for _, f := range filters {
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
