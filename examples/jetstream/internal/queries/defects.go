package queries

import (
	"cmp"
	"reflect"
	"slices"
)

// The known defects of nats-server 2.14: questions that it answers wrongly.
const (
	// LoadLastMsg of everything finds nothing when the newest sequence is deleted.
	LastOfAllDeleted = "LoadLastMsg of > when the last sequence is deleted"
	// NumPendingMulti without filters counts too few behind the first sequence.
	PendingMultiNil = "NumPendingMulti without filters"
	// NumPending of the only subject counts messages with the empty subject, too.
	PendingOnlySubject = "NumPending of the only subject beside empty ones"
	// MultiLastSeqs up to a sequence above the last gives nothing.
	MultiLastAbove = "MultiLastSeqs up to above the last sequence"
	// State of a store that never had a message says that sequence 0 is deleted.
	StateBrandNew = "State of a brand-new store"
	// GetSeqFromTime gives a sequence that has no message.
	FromTimeGap = "GetSeqFromTime gives a sequence without a message"
	// FilteredState of everything says that the last is the last sequence, also if it is deleted.
	FilteredAllLast = "FilteredState of everything when the last sequence is deleted"
	// LoadMsg of sequence 0, the first, of a store that never had a message is not the end.
	LoadBrandNew = "LoadMsg of the first message of a brand-new store"
	// GetSeqFromTime searches by halves where times go back.
	FromTimeBack = "GetSeqFromTime where times go back"
	// NumPending of the last message of each subject goes by the last block that a subject ever had a
	// message in. Where that was deleted, it counts subjects whose last message is before the start.
	PendingLastStale = "NumPending of last messages when some were deleted"
	// A consumer with several filters that starts at a time skips ahead to the first message of one of
	// them, over messages of the others.
	ConsumerSkips = "a consumer with several filters that starts at a time"
	// Patterns that stand for everything that a block has match messages with the empty subject, too,
	// and FilteredState of everything leaves one out.
	EmptySubject = "messages with the empty subject"
	// FilteredState from the beginning looks for the last message in the last block that the subject ever
	// had one in. Where those were deleted, it finds none.
	FilteredLastStale = "FilteredState when the last messages of a subject were deleted"
	// MultiLastSeqs counts a subject once for each filter that matches it, to find out whether it can
	// begin at an earlier block. With filters that overlap it then misses the newest messages.
	MultiLastOverlap = "MultiLastSeqs up to a sequence with filters that overlap"
)

// defectOf names the defect that a wrong answer of the server shows, or returns "". Nearly all take
// the one wrong answer only that the server is known to give.
func defectOf(q *Question, n *Naive, right, theirs any) string {
	if name := ownDefect(q, n, right, theirs); name != "" {
		return name
	}
	switch q.Kind {
	case AskScan, AskScanBack, AskNext, AskPrevious, AskFiltered, AskPending, AskConsumer, AskLast:
		if hasEmptySubject(n) {
			return EmptySubject
		}
	}
	return ""
}

// ownDefect is defectOf but for EmptySubject.
func ownDefect(q *Question, n *Naive, right, theirs any) string {
	lastDeleted := len(n.live) > 0 && n.live[len(n.live)-1].Sequence != n.last
	switch q.Kind {
	case AskLast:
		if q.Filters.all() && lastDeleted && theirs == any(Found{Error: notFound}) {
			return LastOfAllDeleted
		}
	case AskPending, AskPendingLast:
		c, ok := theirs.(Count)
		if ok && q.Filters.Multi && len(q.Filters.Patterns) == 0 && q.Sequence > n.first && c.Total < right.(Count).Total {
			return PendingMultiNil
		}
		if q.Kind == AskPending && onlySubject(n, q.Filters) && theirs == any(n.Pending(q.Sequence, Filters{})) {
			return PendingOnlySubject
		}
		if ok && q.Kind == AskPendingLast && q.Sequence > n.first && hasDeletes(n) &&
			c.Through == n.last && c.Total > right.(Count).Total && c.Total <= n.PendingLast(0, q.Filters).Total {
			return PendingLastStale
		}
	case AskConsumer:
		if q.Start.Policy == DeliverFromTime && timesGoBack(n) {
			return FromTimeBack
		}
		if q.Start.Policy == DeliverFromTime && theirs == any(n.Pending(skippedTo(n, q), q.Filters).Total) {
			return ConsumerSkips
		}
		if onlySubject(n, q.Filters) && theirs == any(n.Consumer(q.Start, Filters{})) {
			return PendingOnlySubject
		}
	case AskMultiLast:
		if q.Sequence > n.last && reflect.DeepEqual(theirs, Sequences{}) {
			return MultiLastAbove
		}
		if overlap(n, q) {
			return MultiLastOverlap
		}
	case AskMultiLastMessages:
		if q.Sequence > n.last && reflect.DeepEqual(theirs, []Found(nil)) {
			return MultiLastAbove
		}
		if overlap(n, q) {
			return MultiLastOverlap
		}
	case AskState:
		want := right.(State)
		if want.Deleted = []uint64{0}; n.last == 0 && reflect.DeepEqual(theirs, want) {
			return StateBrandNew
		}
	case AskFromTime:
		if sequence, ok := theirs.(uint64); ok && n.Load(sequence).Error != "" {
			if next := n.Next(sequence, Filters{}); next.Sequence == right || next.Error != "" && right == any(n.last+1) {
				return FromTimeGap
			}
		}
		if timesGoBack(n) {
			return FromTimeBack
		}
	case AskLoad:
		if n.last == 0 && q.Sequence == 0 && theirs == any(Found{Error: notFound}) {
			return LoadBrandNew
		}
	case AskFiltered:
		want := right.(Span)
		if want.Messages == 0 {
			want.First = n.last + 1
		}
		if want.Last = n.last; q.Filters.all() && lastDeleted && theirs == any(want) {
			return FilteredAllLast
		}
		if want = right.(Span); q.Sequence <= n.first && hasDeletes(n) && theirs == any(Span{want.Messages, want.First, 0}) {
			return FilteredLastStale
		}
	}
	return ""
}

// onlySubject reports whether the filters are the only subject of the stream, which has messages
// with the empty one, too.
func onlySubject(n *Naive, f Filters) bool {
	return len(n.spans(nil)) == 1 && len(n.spans(f.Patterns)) == 1 && !f.all() && hasEmptySubject(n)
}

func hasEmptySubject(n *Naive) bool {
	return slices.ContainsFunc(n.live, func(m Found) bool { return m.Subject == "" })
}

// skippedTo is where the server begins a consumer with filters that starts at a time: at the least
// of the first messages of its filters that is not before that.
func skippedTo(n *Naive, q *Question) uint64 {
	at, to := n.FromTime(q.Start.Time), n.last
	for _, pattern := range q.Filters.Patterns {
		if list := n.of([]string{pattern}); len(list) > 0 && list[0].Sequence >= at {
			to = min(to, list[0].Sequence)
		}
	}
	if to < n.last {
		return to
	}
	return at
}

func hasDeletes(n *Naive) bool { return len(n.State().Deleted) > 0 }

// overlap reports whether a question is for last messages up to a sequence before the last, with
// filters of which several match some subject.
func overlap(n *Naive, q *Question) bool {
	if q.Sequence == 0 || q.Sequence >= n.last {
		return false
	}
	matches := 0
	for _, pattern := range q.Filters.Patterns {
		matches += len(n.spans([]string{pattern}))
	}
	return matches > len(n.spans(q.Filters.Patterns))
}

func timesGoBack(n *Naive) bool {
	return !slices.IsSortedFunc(n.live, func(a, b Found) int { return cmp.Compare(a.Nanos, b.Nanos) })
}
