package queries

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Patterns makes filters of subjects: the subjects, each of their tokens as *, each prefix with >,
// everything, and what is absent.
func Patterns(subjects []string) []string {
	list := []string{"", ">", "*", "*.>", "*.*", "*.*.*", "absent", "absent.>", "*.absent"}
	for _, subject := range subjects {
		if subject == "" {
			continue
		}
		list = append(list, subject, subject+".>", subject+".*", subject+"x")
		tokens := strings.Split(subject, ".")
		for i := range tokens {
			replaced := slices.Clone(tokens)
			replaced[i] = "*"
			list = append(list, strings.Join(replaced, "."), strings.Join(append(slices.Clone(tokens[:i]), ">"), "."))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Spread returns about so many of a list, from the first to the last.
func Spread[T any](list []T, most int) (some []T) {
	if len(list) <= most {
		return list
	}
	for i := range most {
		some = append(some, list[i*(len(list)-1)/(most-1)])
	}
	return some
}

// pairs is about how many pairs of a filter and a sequence a plan has for each kind of question.
const pairs = 1500

// Plan makes the questions about a stream: each at every sequence and with every filter, and the
// pairs of both as far as their number is bearable.
func Plan(n *Naive) []Question {
	p := planner{naive: n}
	for _, m := range n.live {
		if !slices.Contains(p.subjects, m.Subject) {
			p.subjects = append(p.subjects, m.Subject)
		}
	}
	slices.Sort(p.subjects)
	p.patterns = Patterns(Spread(p.subjects, 12))
	p.sequences = []uint64{0, 1, n.first - min(1, n.first)}
	for sequence := n.first; sequence <= n.last+2; sequence++ {
		p.sequences = append(p.sequences, sequence)
	}
	p.sequences = append(p.sequences, math.MaxUint64)
	p.whole()
	p.steps()
	p.lasts()
	p.times()
	return p.questions
}

type planner struct {
	naive     *Naive
	subjects  []string
	patterns  []string
	sequences []uint64
	questions []Question
}

func (p *planner) add(q Question) { p.questions = append(p.questions, q) }

// filters are all filters by pattern, in each of the forms that a question can be put in.
func (p *planner) filters() []Filters {
	list := []Filters{{}}
	for _, pattern := range p.patterns {
		f := Filters{Patterns: []string{pattern}}
		list = append(list, f)
		if pattern != "" {
			f.Multi = true
			list = append(list, f)
		}
		if !hasWildcard(pattern) {
			list = append(list, Filters{Patterns: f.Patterns, Literal: true})
		}
	}
	for i := 0; i+3 < len(p.patterns); i += 2 {
		set := p.patterns[i : i+3]
		if i%4 == 0 {
			set = []string{p.patterns[i], p.patterns[len(p.patterns)-1-i/2]}
		}
		if !slices.Contains(set, "") {
			list = append(list, Filters{Patterns: set, Multi: true})
		}
	}
	return list
}

// whole asks what is asked of all sequences, or by filter alone.
func (p *planner) whole() {
	p.add(Question{Kind: AskState})
	p.add(Question{Kind: AskAllLast})
	for _, sequence := range p.sequences {
		p.add(Question{Kind: AskLoad, Sequence: sequence})
		p.add(Question{Kind: AskSubject, Sequence: sequence})
	}
	for _, f := range p.filters() {
		p.add(Question{Kind: AskScan, Filters: f})
		p.add(Question{Kind: AskScanBack, Filters: f})
		if f.Multi {
			continue
		}
		for _, kind := range []Kind{AskCounts, AskLast, AskSubjects, AskTotals} {
			p.add(Question{Kind: kind, Filters: f})
		}
	}
	for _, subject := range p.subjects {
		f := Filters{Patterns: []string{subject}}
		p.add(Question{Kind: AskLast, Filters: f})
		p.add(Question{Kind: AskSubjects, Filters: f})
	}
}

// steps asks by filter and sequence.
func (p *planner) steps() {
	filters := append(p.filters(), Filters{Multi: true})
	each := Spread(p.sequences, max(6, pairs/len(filters)))
	for i, f := range filters {
		sequences := each
		if i == 0 {
			sequences = p.sequences
		}
		for _, sequence := range sequences {
			p.at(sequence, f)
		}
	}
	// And every sequence with some filter.
	for i, sequence := range p.sequences {
		p.at(sequence, filters[i*7%len(filters)])
	}
}

func (p *planner) at(sequence uint64, f Filters) {
	kinds := []Kind{AskNext, AskPrevious, AskPending, AskPendingLast}
	if !f.Multi {
		kinds = append(kinds, AskFiltered)
	}
	if f.Multi && len(f.Patterns) == 0 {
		kinds = []Kind{AskPending, AskPendingLast}
	}
	for _, kind := range kinds {
		p.add(Question{Kind: kind, Sequence: sequence, Filters: f})
	}
}

// lasts asks for the last messages of subjects.
func (p *planner) lasts() {
	lists := [][]string{{}, {">"}, Spread(p.patterns, 3), p.patterns, p.subjects}
	for _, pattern := range Spread(p.patterns, 24) {
		lists = append(lists, []string{pattern})
	}
	for _, list := range lists {
		// The server takes the empty pattern for a subject, which no index has.
		list = slices.DeleteFunc(slices.Clone(list), func(pattern string) bool { return pattern == "" })
		f := Filters{Patterns: list, Multi: true}
		for _, sequence := range Spread(p.sequences, max(8, pairs/8/len(lists))) {
			p.add(Question{Kind: AskMultiLast, Sequence: sequence, Filters: f})
		}
		for _, sequence := range Spread(p.sequences, 6) {
			for _, allowed := range []int{1, 3, len(p.subjects)} {
				p.add(Question{Kind: AskMultiLast, Sequence: sequence, Filters: f, Allowed: allowed})
			}
			p.add(Question{Kind: AskMultiLastMessages, Sequence: sequence, Filters: f})
			p.add(Question{Kind: AskMultiLastMessages, Sequence: sequence, Filters: f, Allowed: 2})
		}
	}
	for _, sequence := range Spread(p.sequences, 300) {
		p.add(Question{Kind: AskMultiLast, Sequence: sequence, Filters: Filters{Patterns: []string{">"}}})
	}
}

// times asks by time: around every message's.
func (p *planner) times() {
	list := []time.Time{time.Unix(0, 0), time.Unix(0, math.MaxInt64)}
	for _, m := range p.naive.live {
		for _, by := range []time.Duration{-1, 0, 1} {
			list = append(list, time.Unix(0, m.Nanos).Add(by))
		}
	}
	for _, at := range list {
		p.add(Question{Kind: AskFromTime, Start: Start{Policy: DeliverFromTime, Time: at}})
	}
	for _, f := range p.filters() {
		for _, start := range Starts(p.naive, 8) {
			p.add(Question{Kind: AskConsumer, Filters: f, Start: start})
		}
	}
}

// Starts are the places where a consumer can begin: with all, with the last of each subject, and at
// about so many sequences and times.
func Starts(n *Naive, most int) []Start {
	list := []Start{{Policy: DeliverAll}, {Policy: DeliverLastPerSubject}, {Policy: DeliverFrom, Sequence: n.last + 1}}
	for _, m := range Spread(n.live, most) {
		list = append(list, Start{Policy: DeliverFrom, Sequence: m.Sequence}, Start{Policy: DeliverFrom, Sequence: m.Sequence + 1},
			Start{Policy: DeliverFromTime, Time: time.Unix(0, m.Nanos)})
	}
	return list
}
