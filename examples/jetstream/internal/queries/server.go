package queries

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats-server/v2/server/gsl"

	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// Server asks the store of a running nats-server.
type Server struct{ store server.StreamStore }

// NewServer asks the store.
func NewServer(store server.StreamStore) Server { return Server{store} }

// sublist is how the server wants several filters.
func sublist(filters Filters) *gsl.SimpleSublist {
	list := gsl.NewSimpleSublist()
	for _, pattern := range filters.Patterns {
		if err := list.Insert(pattern, struct{}{}); err != nil {
			panic(err) // a pattern that is not valid
		}
	}
	return list
}

func failure(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, server.ErrStoreEOF):
		return endOfStream
	case errors.Is(err, server.ErrStoreMsgNotFound), err.Error() == "deleted message":
		return notFound
	case errors.Is(err, server.ErrTooManyResults):
		return tooMany
	}
	return err.Error()
}

func found(message *server.StoreMsg, err error) Found {
	if err != nil {
		return Found{Error: failure(err)}
	}
	m := oracle.StoredOf(message)
	return Found{Sequence: m.Sequence, Nanos: m.Nanos, Subject: string([]byte(m.Subject)),
		Header: string(m.Header), Payload: string(m.Payload)}
}

// State implements Answerer.
func (s Server) State() State {
	all := s.store.State()
	return State{Messages: all.Msgs, Bytes: all.Bytes, First: all.FirstSeq, Last: all.LastSeq,
		FirstTime: nanosOf(all.FirstTime), LastTime: nanosOf(all.LastTime), Deleted: all.Deleted, Subjects: uint64(all.NumSubjects)}
}

// Counts implements Answerer.
func (s Server) Counts(filter string) map[string]uint64 {
	if totals := s.store.SubjectsTotals(filter); len(totals) > 0 {
		return totals
	}
	return nil
}

// Load implements Answerer.
func (s Server) Load(sequence uint64) Found { return found(s.store.LoadMsg(sequence, nil)) }

// Subject implements Answerer.
func (s Server) Subject(sequence uint64) string {
	subject, err := s.store.SubjectForSeq(sequence)
	if err != nil {
		return failure(err)
	}
	return subject
}

// Next implements Answerer.
func (s Server) Next(from uint64, filters Filters) Found {
	var message *server.StoreMsg
	var skip uint64
	var err error
	if filters.Multi {
		message, skip, err = s.store.LoadNextMsgMulti(sublist(filters), from, nil)
	} else {
		message, skip, err = s.store.LoadNextMsg(filters.one(), hasWildcard(filters.one()), from, nil)
	}
	return withSkip(found(message, err), skip)
}

// Previous implements Answerer.
func (s Server) Previous(from uint64, filters Filters) Found {
	var message *server.StoreMsg
	var skip uint64
	var err error
	if filters.Multi {
		message, skip, err = s.store.LoadPrevMsgMulti(sublist(filters), from, nil)
	} else {
		message, skip, err = s.store.LoadPrevMsg(filters.one(), hasWildcard(filters.one()), from, nil)
	}
	return withSkip(found(message, err), skip)
}

// withSkip wants the sequence that comes beside a message to be the message's.
func withSkip(f Found, skip uint64) Found {
	if f.Error == "" && skip != f.Sequence {
		f.Error = "another sequence beside the message"
	}
	f.Sequence = skip
	return f
}

// Last implements Answerer.
func (s Server) Last(filters Filters) Found { return found(s.store.LoadLastMsg(filters.one(), nil)) }

// Scan implements Answerer: it goes from message to message.
func (s Server) Scan(filters Filters, reverse bool) (list []uint64) {
	at, step, load := uint64(0), uint64(1), s.Next
	if reverse {
		at, step, load = math.MaxUint64, math.MaxUint64, s.Previous
	}
	for {
		m := load(at, filters)
		if m.Error != "" {
			return list
		}
		list = append(list, m.Sequence)
		at = m.Sequence + step
	}
}

// Filtered implements Answerer.
func (s Server) Filtered(from uint64, filters Filters) Span {
	state, err := s.store.FilteredState(from, filters.one())
	if err != nil {
		panic(err)
	}
	return spanOf(state)
}

func spanOf(state server.SimpleState) Span { return Span{state.Msgs, state.First, state.Last} }

// Pending implements Answerer.
func (s Server) Pending(from uint64, filters Filters) Count { return s.pending(from, filters, false) }

// PendingLast implements Answerer.
func (s Server) PendingLast(from uint64, filters Filters) Count {
	return s.pending(from, filters, true)
}

func (s Server) pending(from uint64, filters Filters, lastPerSubject bool) (c Count) {
	var err error
	switch {
	case filters.Multi && len(filters.Patterns) == 0:
		c.Total, c.Through, err = s.store.NumPendingMulti(from, nil, lastPerSubject)
	case filters.Multi:
		c.Total, c.Through, err = s.store.NumPendingMulti(from, sublist(filters), lastPerSubject)
	default:
		c.Total, c.Through, err = s.store.NumPending(from, filters.one(), lastPerSubject)
	}
	if err != nil {
		panic(err)
	}
	return c
}

// Subjects implements Answerer.
func (s Server) Subjects(filters Filters) map[string]Span {
	states := s.store.SubjectsState(filters.one())
	if states == nil {
		return nil
	}
	spans := make(map[string]Span)
	for subject, state := range states {
		spans[subject] = spanOf(state)
	}
	return spans
}

// Totals implements Answerer.
func (s Server) Totals(filters Filters) map[string]uint64 {
	return s.store.SubjectsTotals(filters.one())
}

// AllLast implements Answerer.
func (s Server) AllLast() []uint64 {
	list, err := s.store.AllLastSeqs()
	if err != nil {
		panic(err)
	}
	return list
}

// MultiLast implements Answerer.
func (s Server) MultiLast(patterns []string, most uint64, allowed int) Sequences {
	list, err := s.store.MultiLastSeqs(slices.Clone(patterns), most, allowed) // the server sorts them
	return Sequences{list, failure(err)}
}

// MultiLastMessages implements Answerer.
func (s Server) MultiLastMessages(patterns []string, most uint64, allowed int) (list []Found) {
	_, _, err := s.store.MultiLastMsgs(slices.Clone(patterns), 0, most, allowed, func(m *server.StoreMsg, _ uint64) bool {
		list = append(list, found(m, nil))
		return true
	})
	if err != nil {
		list = append(list, Found{Error: failure(err)})
	}
	return list
}

// FromTime implements Answerer.
func (s Server) FromTime(at time.Time) uint64 { return s.store.GetSeqFromTime(at) }

// Consumer implements Answerer: it asks what a consumer would.
func (s Server) Consumer(start Start, filters Filters) uint64 {
	switch start.Policy {
	case DeliverFrom:
		return s.Pending(start.Sequence, filters).Total
	case DeliverFromTime:
		return s.Pending(s.FromTime(start.Time), filters).Total
	case DeliverLastPerSubject:
		return s.PendingLast(0, filters).Total
	}
	return s.Pending(0, filters).Total
}
