package queries

import (
	"errors"
	"fmt"
	"reflect"
)

// Difference is a question that somebody answers wrongly. As text it has no headers and payloads.
type Difference struct {
	Question Question
	Who      string
	Right    any
	Answer   any
}

// Error says who is wrong.
func (d *Difference) Error() string {
	q := d.Question
	f, more := q.Filters, ""
	if len(f.Patterns) > 8 {
		more = fmt.Sprintf(" and %d more patterns", len(f.Patterns)-8)
		f.Patterns = f.Patterns[:8]
	}
	return fmt.Sprintf("queries: %v of %d, %+v%s, at most %d, from %+v: right is %v, %s says %v",
		q.Kind, q.Sequence, f, more, q.Allowed, q.Start, d.Right, d.Who, d.Answer)
}

// mostDifferences is how many are enough.
const mostDifferences = 5

// Answered is a question with its right answer.
type Answered struct {
	Question
	right any
}

// Judge asks the server, and wants the right answers of it unless the case is one of its known
// defects. It returns how often each of those showed. The error joins the first few Differences.
func Judge(server Answerer, n *Naive, questions []Question) ([]Answered, map[string]int, error) {
	answered := make([]Answered, len(questions))
	defects := map[string]int{}
	var differences []error
	for i, q := range questions {
		answered[i] = Answered{q, q.Ask(n)}
		right, theirs := answered[i].right, answer(&q, server)
		if reflect.DeepEqual(right, theirs) {
			continue
		}
		if name := defectOf(&q, n, right, theirs); name != "" {
			defects[name]++
		} else if len(differences) < mostDifferences {
			differences = append(differences, &Difference{q, "the server", right, theirs})
		}
	}
	return answered, defects, errors.Join(differences...)
}

// Compare wants the right answers, which the server gives too but for its defects, of Millrace.
func Compare(millrace Answerer, questions []Answered) error {
	var differences []error
	for i := range questions {
		q := &questions[i]
		ours := answer(&q.Question, millrace)
		if !reflect.DeepEqual(q.right, ours) && len(differences) < mostDifferences {
			differences = append(differences, &Difference{q.Question, "Millrace", q.right, ours})
		}
	}
	return errors.Join(differences...)
}

// answer makes a panic an answer.
func answer(q *Question, a Answerer) (result any) {
	defer func() {
		if reason := recover(); reason != nil {
			result = fmt.Sprint("panic: ", reason)
		}
	}()
	return q.Ask(a)
}
