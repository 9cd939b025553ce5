package queries

import (
	"context"
	"errors"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
)

// Millrace asks an open Millrace store.
type Millrace struct {
	ctx   context.Context
	store *actors.Store
}

// NewMillrace asks the store. A context that ends ends the questions, with errors as answers.
func NewMillrace(ctx context.Context, store *actors.Store) Millrace { return Millrace{ctx, store} }

func filtersOf(f Filters) []actors.Filters {
	switch {
	case len(f.Patterns) == 0:
		return nil
	case f.Literal:
		return []actors.Filters{actors.Literal(f.Patterns...)}
	}
	return []actors.Filters{actors.Filter(f.Patterns...)}
}

func failureOf(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, actors.ErrEOF):
		return endOfStream
	case errors.Is(err, actors.ErrNotFound):
		return notFound
	case errors.Is(err, actors.ErrTooManyResults):
		return tooMany
	}
	return err.Error()
}

func foundOf(m actors.Message, err error) Found {
	if err != nil {
		return Found{Error: failureOf(err)}
	}
	return Found{Sequence: m.Sequence, Nanos: m.Time.UnixNano(), Subject: m.Subject,
		Header: string(m.HeaderBlock), Payload: string(m.Payload)}
}

// must is for what gives no error that an answer could be.
func must[T any](answer T, err error) T {
	if err != nil {
		panic(err)
	}
	return answer
}

// State implements Answerer.
func (m Millrace) State() State {
	all := must(m.store.State(m.ctx))
	s := State{Messages: all.Messages, Bytes: all.Bytes, First: all.FirstSequence, Last: all.LastSequence,
		FirstTime: nanosOf(all.FirstTime), LastTime: nanosOf(all.LastTime), Subjects: all.State.Subjects}
	for _, r := range all.DeletedRanges {
		for sequence := r.First; sequence <= r.Last; sequence++ {
			s.Deleted = append(s.Deleted, sequence)
		}
	}
	return s
}

// Counts implements Answerer.
func (m Millrace) Counts(filter string) map[string]uint64 {
	if totals := must(m.store.SubjectsTotals(m.ctx, actors.Filter(filter))); len(totals) > 0 {
		return totals
	}
	return nil
}

// Load implements Answerer.
func (m Millrace) Load(sequence uint64) Found { return foundOf(m.store.LoadMsg(m.ctx, sequence)) }

// Subject implements Answerer.
func (m Millrace) Subject(sequence uint64) string {
	subject, err := m.store.SubjectForSeq(m.ctx, sequence)
	if err != nil {
		return failureOf(err)
	}
	return subject
}

// Next implements Answerer.
func (m Millrace) Next(from uint64, filters Filters) Found {
	message, skip, err := m.store.LoadNextMsg(m.ctx, from, filtersOf(filters)...)
	return withSkip(foundOf(message, err), skip)
}

// Previous implements Answerer.
func (m Millrace) Previous(from uint64, filters Filters) Found {
	message, skip, err := m.store.LoadPrevMsg(m.ctx, from, filtersOf(filters)...)
	return withSkip(foundOf(message, err), skip)
}

// Last implements Answerer.
func (m Millrace) Last(filters Filters) Found {
	return foundOf(m.store.LoadLastMsg(m.ctx, filtersOf(filters)...))
}

// Scan implements Answerer.
func (m Millrace) Scan(filters Filters, reverse bool) (list []uint64) {
	options := []actors.ReadOption{actors.Borrowed()}
	for _, filter := range filtersOf(filters) {
		options = append(options, filter)
	}
	if reverse {
		options = append(options, actors.Reverse())
	}
	for message, err := range m.store.Messages(m.ctx, options...) {
		list = append(list, must(message, err).Sequence)
	}
	return list
}

// Filtered implements Answerer.
func (m Millrace) Filtered(from uint64, filters Filters) Span {
	return Span(must(m.store.FilteredState(m.ctx, from, filtersOf(filters)...)))
}

// Pending implements Answerer.
func (m Millrace) Pending(from uint64, filters Filters) (c Count) {
	var err error
	c.Total, c.Through, err = m.store.NumPending(m.ctx, from, filtersOf(filters)...)
	return must(c, err)
}

// PendingLast implements Answerer.
func (m Millrace) PendingLast(from uint64, filters Filters) (c Count) {
	var err error
	c.Total, c.Through, err = m.store.NumPendingLastPerSubject(m.ctx, from, filtersOf(filters)...)
	return must(c, err)
}

// Subjects implements Answerer.
func (m Millrace) Subjects(filters Filters) map[string]Span {
	states := must(m.store.SubjectsState(m.ctx, filtersOf(filters)...))
	if states == nil {
		return nil
	}
	spans := make(map[string]Span)
	for subject, state := range states {
		spans[subject] = Span(state)
	}
	return spans
}

// Totals implements Answerer.
func (m Millrace) Totals(filters Filters) map[string]uint64 {
	return must(m.store.SubjectsTotals(m.ctx, filtersOf(filters)...))
}

// AllLast implements Answerer.
func (m Millrace) AllLast() []uint64 { return must(m.store.AllLastSeqs(m.ctx)) }

// MultiLast implements Answerer.
func (m Millrace) MultiLast(patterns []string, most uint64, allowed int) Sequences {
	list, err := m.store.MultiLastSeqs(m.ctx, patterns, most, allowed)
	return Sequences{list, failureOf(err)}
}

// MultiLastMessages implements Answerer.
func (m Millrace) MultiLastMessages(patterns []string, most uint64, allowed int) (list []Found) {
	for message, err := range m.store.MultiLastMsgs(m.ctx, patterns, most, allowed) {
		list = append(list, foundOf(message, err))
	}
	return list
}

// FromTime implements Answerer.
func (m Millrace) FromTime(at time.Time) uint64 { return must(m.store.GetSeqFromTime(m.ctx, at)) }

// Consumer implements Answerer: it asks what a consumer would.
func (m Millrace) Consumer(start Start, filters Filters) uint64 {
	switch start.Policy {
	case DeliverFrom:
		return m.Pending(start.Sequence, filters).Total
	case DeliverFromTime:
		return m.Pending(m.FromTime(start.Time), filters).Total
	case DeliverLastPerSubject:
		return m.PendingLast(0, filters).Total
	}
	return m.Pending(0, filters).Total
}
