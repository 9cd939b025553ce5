package actors_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/seed-d8b58eba/millrace/actors"
)

// removing is an operation of a history with removals. Its outcome is a text.
type removing struct {
	text string
	run  func(ctx context.Context, s *actors.Store) string
	want func(s stock) (stock, string)
	// or is another outcome that is right where a file still has what is to be erased.
	or string
}

// naive is the model of queries with the messages of a stock.
func (s stock) naive() *naive {
	n := &naive{last: s.last}
	for _, m := range s.live {
		n.live = append(n.live, record{sequence: m.sequence, subject: m.subject})
	}
	return n
}

var removingHistories = porcupine.Model{
	Init: func() any { return stock{limits: stockLimits{messages: 20, per: 6}} },
	Step: func(state, input, output any) (bool, any) {
		in := input.(removing)
		next, want := in.want(state.(stock))
		return output == want || in.or != "" && output == in.or && strings.HasSuffix(want, actors.ErrNotFound.Error()), next
	},
	Equal: func(a, b any) bool {
		x, y := a.(stock), b.(stock)
		return x.last == y.last && slices.Equal(x.live, y.live)
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%s → %v", input.(removing).text, output) },
}

// outcomeText makes outcomes comparable.
func outcomeText(o outcome) string {
	for _, known := range []error{actors.ErrEOF, actors.ErrNotFound, actors.ErrSequenceMismatch} {
		if errors.Is(o.err, known) {
			o = outcome{err: known}
		}
	}
	return fmt.Sprint(o.last, o.count, o.err)
}

// removalOf makes an operation that is a command of the model.
func removalOf(text string, run func(ctx context.Context, s *actors.Store) outcome, apply func(s stock) (stock, outcome)) removing {
	return removing{
		text: text,
		run:  func(ctx context.Context, s *actors.Store) string { return outcomeText(run(ctx, s)) },
		want: func(s stock) (stock, string) {
			next, o := apply(s)
			return next, outcomeText(o)
		},
	}
}

func queryOf(q question) removing {
	return removing{
		text: q.text,
		run:  func(ctx context.Context, s *actors.Store) string { return q.got(ctx, s).String() },
		want: func(s stock) (stock, string) { return s, q.want(s.naive()).String() },
	}
}

// loadOf asks for the message itself, since sequences are used again.
func loadOf(sequence uint64) removing {
	return removing{
		text: fmt.Sprint("load ", sequence),
		run: func(ctx context.Context, s *actors.Store) string {
			m, err := s.LoadMsg(ctx, sequence)
			if err != nil {
				return outcomeText(outcome{err: err})
			}
			token, _, _ := strings.Cut(string(m.Payload), ";")
			return fmt.Sprint(m.Subject, " ", token)
		},
		want: func(s stock) (stock, string) {
			m, ok := find(s.live, sequence)
			switch {
			case ok:
				return s, fmt.Sprint(m.subject, " ", m.token)
			case sequence > s.last:
				return s, outcomeText(outcome{err: actors.ErrEOF})
			}
			return s, outcomeText(outcome{err: actors.ErrNotFound})
		},
	}
}

// TestHistoriesWithRemovalsAreLinearizable: stores, roll-ups, preconditions, removals, erasures, purges, compactions
// and truncations that overlap have the outcomes of one after the other, and what is asked beside them is of one
// instant, also where sequences are used again and blocks are written anew.
func TestHistoriesWithRemovalsAreLinearizable(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		seeds := uint64(3)
		if testing.Short() {
			seeds = 1
		}
		for seed := range seeds {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				s := open(t, actors.Config{
					Dir: t.TempDir(), Sync: level, MaxMsgs: 20, MaxMsgsPer: 6, BlockSize: 4 << 10, IndexFrom: 1, CompactBelow: 90,
				})
				checkHistory(t, removingHistories, seed, 200, func(random *rand.Rand, token string) (input any, run func() any) {
					drawn := drawRemoving(random, s, token)
					return drawn, func() any { return drawn.run(context.Background(), s) }
				})
			})
		}
	})
}

var removingSubjects = []string{"x", "x.a", "x.b", "y.a"}

func drawRemoving(random *rand.Rand, s *actors.Store, token string) removing {
	state, _ := s.FastState(context.Background())
	about := func() uint64 {
		if random.IntN(3) == 0 {
			return max(3, state.LastSequence) - 2 + random.Uint64N(5)
		}
		return max(1, state.FirstSequence) + random.Uint64N(20)
	}
	p := []picks{none, matching("x"), matching("x.*"), matching("*.a"), exactly("y.a"), matching("absent")}[random.IntN(6)]
	switch random.IntN(40) {
	default:
		return drawStoring(random, state.LastSequence, token)
	case 14, 15, 16, 17, 18:
		sequence := about()
		return removalOf(fmt.Sprint("remove ", sequence), func(ctx context.Context, s *actors.Store) outcome {
			removed, err := s.RemoveMsg(ctx, sequence)
			return removedOne(removed, err)
		}, func(s stock) (stock, outcome) { return s.remove(sequence) })
	case 19, 20:
		sequence := about()
		op := removalOf(fmt.Sprint("erase ", sequence), func(ctx context.Context, s *actors.Store) outcome {
			removed, err := s.EraseMsg(ctx, sequence)
			return removedOne(removed, err)
		}, func(s stock) (stock, outcome) { return s.remove(sequence) })
		op.or = outcomeText(outcome{})
		return op
	case 21, 22:
		below, keep := about()*random.Uint64N(2), random.Uint64N(3)
		name := removingSubjects[random.IntN(4)]
		return removalOf(fmt.Sprint("purge ", name, " below ", below, " keep ", keep), func(ctx context.Context, s *actors.Store) outcome {
			n, err := s.PurgeEx(ctx, actors.Filter(name), below, keep)
			return outcome{count: n, err: err}
		}, func(s stock) (stock, outcome) {
			return s.purge(func(subject string) bool { return subject == name }, below, keep)
		})
	case 23:
		return removalOf("purge", func(ctx context.Context, s *actors.Store) outcome {
			n, err := s.Purge(ctx)
			return outcome{count: n, err: err}
		}, func(s stock) (stock, outcome) { return s.purge(nil, 0, 0) })
	case 24:
		sequence := max(1, state.FirstSequence) + random.Uint64N(8)
		return removalOf(fmt.Sprint("compact ", sequence), func(ctx context.Context, s *actors.Store) outcome {
			n, err := s.Compact(ctx, sequence)
			return outcome{count: n, err: err}
		}, func(s stock) (stock, outcome) { return s.compact(sequence) })
	case 25, 26:
		sequence := max(6, state.LastSequence) - random.Uint64N(6)
		return removalOf(fmt.Sprint("truncate ", sequence), func(ctx context.Context, s *actors.Store) outcome {
			n, err := s.Truncate(ctx, sequence)
			return outcome{count: n, err: err}
		}, func(s stock) (stock, outcome) { return s.truncate(sequence) })
	case 27, 28, 29, 30:
		return loadOf(about())
	case 31, 32:
		return queryOf(askNext(about(), p))
	case 33:
		return queryOf(askPrev(about(), p))
	case 34:
		return queryOf(askLast(p))
	case 35:
		return queryOf(askPending(about(), p))
	case 36:
		return queryOf(askFiltered(about(), p))
	case 37:
		return queryOf(askPendingLast(about(), p))
	case 38:
		return queryOf(askTotals(p))
	case 39:
		return removing{text: "state", run: func(ctx context.Context, s *actors.Store) string {
			state, err := s.FastState(ctx)
			return fmt.Sprint(state.Messages, state.Bytes, state.FirstSequence, state.LastSequence, err)
		}, want: func(s stock) (stock, string) {
			first := s.first()
			if s.last == 0 {
				first = 0
			}
			return s, fmt.Sprint(len(s.live), uint64(s.bytes()), first, s.last, nil)
		}}
	}
}

func removedOne(removed bool, err error) outcome {
	if removed {
		return outcome{count: 1, err: err}
	}
	return outcome{err: err}
}

// drawStoring draws what stores: one message, with a precondition or in the place of others, or several.
func drawStoring(random *rand.Rand, last uint64, token string) removing {
	message := func(token string) (stocked, []byte) {
		m := stocked{subject: removingSubjects[random.IntN(4)], token: token}
		payload := []byte(token + ";" + strings.Repeat("x", 100+random.IntN(600)))
		m.size = actors.RecordSize(len(m.subject), 0, len(payload))
		return m, payload
	}
	m, payload := message(token)
	text := fmt.Sprint("store ", m.subject, " ", token)
	var opts []actors.StoreOption
	kind, refused := actors.RollupKind(0), func(stock) bool { return false }
	switch random.IntN(8) {
	case 0:
		kind = actors.RollupSubject
		text, opts = text+" in place of its subject", []actors.StoreOption{actors.Rollup(kind)}
	case 1:
		text, opts = fmt.Sprint(text, " behind ", last), []actors.StoreOption{actors.ExpectLast(last)}
		refused = func(s stock) bool { return s.last != last }
	case 2:
		of := last - min(last, random.Uint64N(5))
		text, opts = fmt.Sprint(text, " behind ", of, " of its subject"), []actors.StoreOption{actors.ExpectLastOfSubject(m.subject, of)}
		refused = func(s stock) bool {
			have := uint64(0)
			for _, other := range s.live {
				if other.subject == m.subject {
					have = other.sequence
				}
			}
			return have != of
		}
	case 3:
		other, otherPayload := message(token + "b")
		batch := []actors.BatchMessage{{Subject: m.subject, Payload: payload}, {Subject: other.subject, Payload: otherPayload}}
		return removalOf(text+" and "+other.subject, func(ctx context.Context, s *actors.Store) outcome {
			ack, err := s.StoreBatch(ctx, batch)
			return outcome{last: ack.Last, err: err}
		}, func(s stock) (stock, outcome) { return s.store(nil, 0, m, other) })
	case 4:
		return removalOf("skip", func(ctx context.Context, s *actors.Store) outcome {
			last, err := s.Skip(ctx, 0, 2)
			return outcome{last: last, err: err}
		}, func(s stock) (stock, outcome) { return s.skip(2) })
	}
	return removalOf(text, func(ctx context.Context, s *actors.Store) outcome {
		ack, err := s.StoreMsg(ctx, m.subject, nil, payload, opts...)
		return outcome{last: ack.Sequence, err: err}
	}, func(s stock) (stock, outcome) {
		if refused(s) {
			return s, outcome{err: actors.ErrSequenceMismatch}
		}
		return s.store(nil, kind, m)
	})
}
