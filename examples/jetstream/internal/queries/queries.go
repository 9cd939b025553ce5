// Package queries asks a real nats-server and Millrace the same questions about the same stream
// directory, and compares both with the right answer, which a naive model gives: a loop over all
// messages.
//
// Where the server is known to answer wrongly, defects.go has the case by name; anywhere else a wrong
// answer of either is a Difference.
package queries

import (
	"fmt"
	"time"
)

// Answerer answers questions about a stream. All that an answer holds is the caller's.
type Answerer interface {
	State() State
	Counts(filter string) map[string]uint64 // nil when there is none
	Load(sequence uint64) Found
	Subject(sequence uint64) string
	Next(from uint64, filters Filters) Found
	Previous(from uint64, filters Filters) Found
	Last(filters Filters) Found
	Scan(filters Filters, reverse bool) []uint64
	Filtered(from uint64, filters Filters) Span
	Pending(from uint64, filters Filters) Count
	PendingLast(from uint64, filters Filters) Count
	Subjects(filters Filters) map[string]Span
	Totals(filters Filters) map[string]uint64
	AllLast() []uint64
	MultiLast(patterns []string, most uint64, allowed int) Sequences
	MultiLastMessages(patterns []string, most uint64, allowed int) []Found
	FromTime(at time.Time) uint64
	Consumer(start Start, filters Filters) uint64
}

// State is what there is to know about a stream as a whole.
type State struct {
	Messages, Bytes     uint64
	First, Last         uint64
	FirstTime, LastTime int64 // nanoseconds; 0: none
	Deleted             []uint64
	Subjects            uint64
}

// The errors of answers, alike for all.
const (
	endOfStream = "end"
	notFound    = "not found"
	tooMany     = "too many"
)

// Found is a message, or why there is none.
type Found struct {
	Sequence                 uint64 // with an error: where to go on
	Nanos                    int64
	Subject, Header, Payload string
	Error                    string
}

// String leaves out what a message holds.
func (f Found) String() string {
	if f.Error != "" {
		return fmt.Sprintf("%s (%d)", f.Error, f.Sequence)
	}
	return fmt.Sprintf("%d %q of %d and %d bytes", f.Sequence, f.Subject, len(f.Header), len(f.Payload))
}

// Span is how many messages are meant, and the first and the last of them.
type Span struct{ Messages, First, Last uint64 }

// Count is a number and as of which sequence it is.
type Count struct{ Total, Through uint64 }

// Sequences are the sequences of messages, or why there are none.
type Sequences struct {
	List  []uint64
	Error string
}

// Filters are the patterns of a question. None of them selects everything.
type Filters struct {
	Patterns []string
	Multi    bool // the server is asked through its interface for several filters
	Literal  bool // Millrace is asked for subjects, not for patterns
}

// one returns the only pattern; without any, the one that selects everything.
func (f Filters) one() string {
	if len(f.Patterns) == 0 {
		return ""
	}
	return f.Patterns[0]
}

// all reports whether the filters select every message.
func (f Filters) all() bool { return f.one() == "" || f.one() == ">" }

// Policy is where a consumer begins.
type Policy int

// The policies.
const (
	DeliverAll Policy = iota
	DeliverFrom
	DeliverFromTime
	DeliverLastPerSubject
)

// Start is where a consumer begins, exactly.
type Start struct {
	Policy   Policy
	Sequence uint64
	Time     time.Time
}

// Kind is what a question asks for.
type Kind int

// The kinds of question, one for each method of Answerer.
const (
	AskState Kind = iota
	AskCounts
	AskLoad
	AskSubject
	AskNext
	AskPrevious
	AskLast
	AskScan
	AskScanBack
	AskFiltered
	AskPending
	AskPendingLast
	AskSubjects
	AskTotals
	AskAllLast
	AskMultiLast
	AskMultiLastMessages
	AskFromTime
	AskConsumer
)

// String is the name of the kind.
func (k Kind) String() string {
	return [...]string{"State", "Counts", "Load", "Subject", "Next", "Previous", "Last", "Scan", "ScanBack", "Filtered",
		"Pending", "PendingLast", "Subjects", "Totals", "AllLast", "MultiLast", "MultiLastMessages", "FromTime", "Consumer"}[k]
}

// Question is one question. What its kind does not ask by is zero.
type Question struct {
	Kind     Kind
	Sequence uint64 // from where on, or up to where
	Filters  Filters
	Allowed  int
	Start    Start
}

// Ask asks it.
func (q *Question) Ask(a Answerer) any {
	switch q.Kind {
	case AskState:
		return a.State()
	case AskCounts:
		return a.Counts(q.Filters.one())
	case AskLoad:
		return a.Load(q.Sequence)
	case AskSubject:
		return a.Subject(q.Sequence)
	case AskNext:
		return a.Next(q.Sequence, q.Filters)
	case AskPrevious:
		return a.Previous(q.Sequence, q.Filters)
	case AskLast:
		return a.Last(q.Filters)
	case AskScan:
		return a.Scan(q.Filters, false)
	case AskScanBack:
		return a.Scan(q.Filters, true)
	case AskFiltered:
		return a.Filtered(q.Sequence, q.Filters)
	case AskPending:
		return a.Pending(q.Sequence, q.Filters)
	case AskPendingLast:
		return a.PendingLast(q.Sequence, q.Filters)
	case AskSubjects:
		return a.Subjects(q.Filters)
	case AskTotals:
		return a.Totals(q.Filters)
	case AskAllLast:
		return a.AllLast()
	case AskMultiLast:
		return a.MultiLast(q.Filters.Patterns, q.Sequence, q.Allowed)
	case AskMultiLastMessages:
		return a.MultiLastMessages(q.Filters.Patterns, q.Sequence, q.Allowed)
	case AskFromTime:
		return a.FromTime(q.Start.Time)
	case AskConsumer:
		return a.Consumer(q.Start, q.Filters)
	}
	panic("queries: a kind that is not there")
}
