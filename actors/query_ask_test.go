package actors_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
)

// question is one call of a query: what the store answers, and what the naive
// model does.
type question struct {
	text string
	got  func(context.Context, *actors.Store) answer
	want func(*naive) answer
}

// answer is what a query returns.
type answer struct {
	value any
	err   error
}

// The values of answers that consist of more than one part.
type (
	placed struct { // a message and how far the search came
		record record
		skip   uint64
	}
	counted struct{ total, through uint64 }
)

func (p placed) String() string  { return fmt.Sprintf("%v, skip %d", p.record, p.skip) }
func (c counted) String() string { return fmt.Sprintf("%d through %d", c.total, c.through) }

// String is a short form, for tables.
func (a answer) String() string {
	if p, ok := a.value.(placed); ok && a.err != nil {
		return fmt.Sprintf("%s, skip %d", errorText(a.err), p.skip)
	}
	if a.err != nil {
		return errorText(a.err)
	}
	switch v := a.value.(type) {
	case []uint64:
		if v == nil {
			return "nil"
		}
	case map[string]actors.SubjectState:
		if v == nil {
			return "nil"
		}
		text := ""
		for _, subject := range slices.Sorted(maps.Keys(v)) {
			text += fmt.Sprintf("%s%v ", subject, v[subject])
		}
		return "{" + text + "}"
	case map[string]uint64:
		if v == nil {
			return "nil"
		}
		return fmt.Sprint(v)
	case []record:
		list := make([]uint64, 0)
		for _, r := range v {
			list = append(list, r.sequence)
		}
		return fmt.Sprint(list)
	case actors.State:
		return fmt.Sprintf("%d messages, first %d, last %d, %d deleted, %d subjects",
			v.Messages, v.FirstSequence, v.LastSequence, v.Deleted, v.Subjects)
	case actors.FullState:
		return fmt.Sprint(v.Deleted, " deleted: ", v.DeletedRanges)
	}
	return fmt.Sprint(a.value)
}

func errorText(err error) string {
	switch err {
	case actors.ErrEOF:
		return "end"
	case actors.ErrNotFound:
		return "not found"
	case actors.ErrStopped:
		return "stopped"
	case actors.ErrTooManyResults:
		return "too many"
	}
	return err.Error()
}

func askLoad(sequence uint64) question {
	return question{
		fmt.Sprintf("LoadMsg(%d)", sequence),
		func(ctx context.Context, s *actors.Store) answer {
			m, err := s.LoadMsg(ctx, sequence)
			return answer{recordOf(m), sentinel(err)}
		},
		func(n *naive) answer {
			r, err := n.load(sequence)
			return answer{r, err}
		},
	}
}

func askLoadInto(sequence uint64) question {
	q := askLoad(sequence)
	q.text = fmt.Sprintf("LoadMsgInto(%d)", sequence)
	q.got = func(ctx context.Context, s *actors.Store) answer {
		var into actors.MessageBuffer
		if err := s.LoadMsgInto(ctx, sequence, &into); err != nil {
			return answer{record{}, sentinel(err)}
		}
		return answer{recordOf(into.Message), nil}
	}
	return q
}

func askNext(start uint64, p picks) question {
	return question{
		fmt.Sprintf("LoadNextMsg(%d%v)", start, p),
		func(ctx context.Context, s *actors.Store) answer {
			m, skip, err := s.LoadNextMsg(ctx, start, p.filters()...)
			return answer{placed{recordOf(m), skip}, sentinel(err)}
		},
		func(n *naive) answer {
			r, skip, err := n.next(start, p)
			return answer{placed{r, skip}, err}
		},
	}
}

func askPrev(start uint64, p picks) question {
	return question{
		fmt.Sprintf("LoadPrevMsg(%d%v)", start, p),
		func(ctx context.Context, s *actors.Store) answer {
			m, skip, err := s.LoadPrevMsg(ctx, start, p.filters()...)
			return answer{placed{recordOf(m), skip}, sentinel(err)}
		},
		func(n *naive) answer {
			r, skip, err := n.previous(start, p)
			return answer{placed{r, skip}, err}
		},
	}
}

func askLast(p picks) question {
	return question{
		fmt.Sprintf("LoadLastMsg(%v)", p),
		func(ctx context.Context, s *actors.Store) answer {
			m, err := s.LoadLastMsg(ctx, p.filters()...)
			return answer{recordOf(m), sentinel(err)}
		},
		func(n *naive) answer {
			r, err := n.lastMatch(p)
			return answer{r, err}
		},
	}
}

func askSubject(sequence uint64) question {
	return question{
		fmt.Sprintf("SubjectForSeq(%d)", sequence),
		func(ctx context.Context, s *actors.Store) answer {
			subject, err := s.SubjectForSeq(ctx, sequence)
			return answer{subject, sentinel(err)}
		},
		func(n *naive) answer {
			subject, err := n.subjectFor(sequence)
			return answer{subject, err}
		},
	}
}

func askFirst(subject string) question {
	return question{
		fmt.Sprintf("FirstSeqForSubject(%q)", subject),
		func(ctx context.Context, s *actors.Store) answer {
			first, err := s.FirstSeqForSubject(ctx, subject)
			return answer{first, sentinel(err)}
		},
		func(n *naive) answer { return answer{n.firstFor(subject), nil} },
	}
}

func askTime(t time.Time) question {
	return question{
		fmt.Sprintf("GetSeqFromTime(%v)", t),
		func(ctx context.Context, s *actors.Store) answer {
			sequence, err := s.GetSeqFromTime(ctx, t)
			return answer{sequence, sentinel(err)}
		},
		func(n *naive) answer { return answer{n.fromTime(t), nil} },
	}
}

func askFiltered(from uint64, p picks) question {
	return question{
		fmt.Sprintf("FilteredState(%d%v)", from, p),
		func(ctx context.Context, s *actors.Store) answer {
			state, err := s.FilteredState(ctx, from, p.filters()...)
			return answer{state, sentinel(err)}
		},
		func(n *naive) answer { return answer{n.filtered(from, p), nil} },
	}
}

func askSubjects(p picks) question {
	return question{
		fmt.Sprintf("SubjectsState(%v)", p),
		func(ctx context.Context, s *actors.Store) answer {
			states, err := s.SubjectsState(ctx, p.filters()...)
			if _, _, single := p.single(); !single && states == nil && err == nil {
				states = make(map[string]actors.SubjectState)
			}
			return answer{states, sentinel(err)}
		},
		func(n *naive) answer { return answer{n.subjectsState(p), nil} },
	}
}

func askTotals(p picks) question {
	return question{
		fmt.Sprintf("SubjectsTotals(%v)", p),
		func(ctx context.Context, s *actors.Store) answer {
			totals, err := s.SubjectsTotals(ctx, p.filters()...)
			if _, _, single := p.single(); !single && totals == nil && err == nil {
				totals = make(map[string]uint64)
			}
			return answer{totals, sentinel(err)}
		},
		func(n *naive) answer { return answer{n.totals(p), nil} },
	}
}

func askAllLast() question {
	return question{
		"AllLastSeqs()",
		func(ctx context.Context, s *actors.Store) answer {
			list, err := s.AllLastSeqs(ctx)
			return answer{list, sentinel(err)}
		},
		func(n *naive) answer {
			list, _ := n.multiLast([]string{">"}, 0, 0)
			return answer{sequencesOf(list), nil}
		},
	}
}

func sequencesOf(list []record) (sequences []uint64) {
	for _, r := range list {
		sequences = append(sequences, r.sequence)
	}
	return sequences
}

func askMulti(patterns []string, most uint64, allowed int) question {
	return question{
		fmt.Sprintf("MultiLastSeqs(%q, %d, %d)", patterns, most, allowed),
		func(ctx context.Context, s *actors.Store) answer {
			list, err := s.MultiLastSeqs(ctx, patterns, most, allowed)
			return answer{list, sentinel(err)}
		},
		func(n *naive) answer {
			list, err := n.multiLast(patterns, most, allowed)
			return answer{sequencesOf(list), err}
		},
	}
}

func askMultiMsgs(patterns []string, most uint64, allowed int) question {
	return question{
		fmt.Sprintf("MultiLastMsgs(%q, %d, %d)", patterns, most, allowed),
		func(ctx context.Context, s *actors.Store) answer {
			return iterated(s.MultiLastMsgs(ctx, patterns, most, allowed))
		},
		func(n *naive) answer {
			list, err := n.multiLast(patterns, most, allowed)
			return answer{list, err}
		},
	}
}

// iterated collects what an iterator gives up to an error, which is the last thing
// that it may give.
func iterated(messages func(func(actors.Message, error) bool)) answer {
	var list []record
	var failed error
	for m, err := range messages {
		switch {
		case failed != nil:
			return answer{nil, fmt.Errorf("iteration went on after %w", failed)}
		case err != nil:
			failed = err
		default:
			list = append(list, recordOf(m))
		}
	}
	return answer{list, sentinel(failed)}
}

func askPending(from uint64, p picks) question {
	return question{
		fmt.Sprintf("NumPending(%d%v)", from, p),
		func(ctx context.Context, s *actors.Store) answer {
			total, through, err := s.NumPending(ctx, from, p.filters()...)
			return answer{counted{total, through}, sentinel(err)}
		},
		func(n *naive) answer { return answer{counted{uint64(len(n.selected(from, p))), n.last}, nil} },
	}
}

func askPendingLast(from uint64, p picks) question {
	return question{
		fmt.Sprintf("NumPendingLastPerSubject(%d%v)", from, p),
		func(ctx context.Context, s *actors.Store) answer {
			total, through, err := s.NumPendingLastPerSubject(ctx, from, p.filters()...)
			return answer{counted{total, through}, sentinel(err)}
		},
		func(n *naive) answer { return answer{counted{n.pendingLast(from, p), n.last}, nil} },
	}
}

// askScan iterates over the messages. from 0 stands for no From.
func askScan(from uint64, reverse bool, p picks, more ...actors.ReadOption) question {
	opts := slices.Clone(more)
	for _, f := range p.filters() {
		opts = append(opts, f)
	}
	if from > 0 {
		opts = append(opts, actors.From(from))
	}
	if reverse {
		opts = append(opts, actors.Reverse())
	}
	return question{
		fmt.Sprintf("Messages(From(%d), reverse %v%v, %d more options)", from, reverse, p, len(more)),
		func(ctx context.Context, s *actors.Store) answer { return iterated(s.Messages(ctx, opts...)) },
		func(n *naive) answer { return answer{n.scan(from, reverse, p), nil} },
	}
}

// askSince is a scan of the messages that are not older than a time.
func askSince(t time.Time, from uint64, reverse bool, p picks) question {
	q := askScan(from, reverse, p, actors.FromTime(t))
	q.text = fmt.Sprintf("FromTime(%v), %s", t, q.text)
	q.want = func(n *naive) answer {
		list := slices.DeleteFunc(n.scan(from, reverse, p), func(r record) bool { return r.time.Before(t) })
		if len(list) == 0 {
			list = nil
		}
		return answer{list, nil}
	}
	return q
}

// What is durable is left out: it depends on the sync level.
func askFastState() question {
	return question{
		"FastState()",
		func(ctx context.Context, s *actors.Store) answer {
			state, err := s.FastState(ctx)
			state.Durable = 0
			return answer{state, sentinel(err)}
		},
		func(n *naive) answer { return answer{n.state(), nil} },
	}
}

func askState() question {
	return question{
		"State()",
		func(ctx context.Context, s *actors.Store) answer {
			state, err := s.State(ctx)
			state.Durable = 0
			return answer{state, sentinel(err)}
		},
		func(n *naive) answer {
			return answer{actors.FullState{State: n.state(), DeletedRanges: n.deleted()}, nil}
		},
	}
}
