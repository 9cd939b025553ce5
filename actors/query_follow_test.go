package actors_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

var errEnough = errors.New("enough")

// follower reads with Follow until it has seen the last of its messages, whose
// payload is "end".
type follower struct {
	opts []actors.ReadOption
	p    picks
	from uint64
	got  []record
	err  error
}

func newFollower(p picks, from uint64, more ...actors.ReadOption) *follower {
	f := &follower{p: p, from: from, opts: append(more, actors.Follow())}
	for _, filter := range p.filters() {
		f.opts = append(f.opts, filter)
	}
	if from > 0 {
		f.opts = append(f.opts, actors.From(from))
	}
	return f
}

func (f *follower) run(s *actors.Store) {
	patient, end := context.WithTimeout(context.Background(), 2*mostPatience)
	defer end()
	ctx, cancel := context.WithCancelCause(patient)
	defer cancel(nil)
	for m, err := range s.Messages(ctx, f.opts...) {
		switch {
		case f.err != nil:
			f.err = fmt.Errorf("it went on after: %w", f.err)
			return
		case err != nil:
			f.err = err
		default:
			r := recordOf(m)
			r.time = fixtureStart
			f.got = append(f.got, r)
			if r.payload == "end" {
				cancel(errEnough)
			}
		}
	}
}

// within receives what has to come soon.
func within[T any](t *testing.T, c <-chan T) (value T) {
	t.Helper()
	select {
	case value = <-c:
	case <-time.After(mostPatience):
		require.Fail(t, "it does not come")
	}
	return value
}

// endOfRace stores a last message of every subject.
func endOfRace(t *testing.T, s *actors.Store, j *journal, subjects ...string) {
	t.Helper()
	for _, subject := range subjects {
		m := actors.BatchMessage{Subject: subject, Payload: []byte("end")}
		ack, err := s.StoreMsg(t.Context(), m.Subject, nil, m.Payload)
		require.NoError(t, err)
		j.add(ack.Sequence, m)
	}
}

// TestQueryFollowSeesEachMessageOnce: across seals, from wherever it began, and
// while nothing is removed, a follower gets every match once and in order.
func TestQueryFollowSeesEachMessageOnce(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		s := open(t, actors.Config{Dir: t.TempDir(), Sync: level, BlockSize: 4 << 10, IndexFrom: 1})
		var j journal
		require.NoError(t, raceWriter(s, rand.New(rand.NewPCG(1, 1)), "before", 100, &j, nil))
		last := stateOf(t, s).LastSequence
		followers := []*follower{
			newFollower(none, 0), newFollower(none, 1, actors.Borrowed()), newFollower(none, last-20), newFollower(none, last+1),
			newFollower(none, last+50), newFollower(matching("r.*"), 0), newFollower(matching("s.>", "r.a"), last),
			newFollower(exactly("r.a.x"), 10, actors.Borrowed()), newFollower(matching(">"), last+7),
		}
		var running, writers sync.WaitGroup
		for _, f := range followers {
			running.Go(func() { f.run(s) })
		}
		for w := range 3 {
			writers.Go(func() {
				if err := raceWriter(s, rand.New(rand.NewPCG(2, uint64(w))), fmt.Sprint("w", w), 200, &j, nil); err != nil {
					t.Error(err)
				}
			})
		}
		writers.Wait()
		// The last is for all: each filter selects one of them and no earlier one.
		endOfRace(t, s, &j, "r.a.x", "r.a")
		running.Wait()
		for _, f := range followers {
			require.ErrorIs(t, f.err, errEnough, "%d%v", f.from, f.p)
			var want []record
			for sequence, m := range j.stored {
				if sequence >= f.from && f.p.match(m.subject) {
					m.time = fixtureStart
					want = append(want, m)
				}
			}
			slices.SortFunc(want, func(a, b record) int { return int(a.sequence) - int(b.sequence) })
			end := slices.IndexFunc(want, func(r record) bool { return r.payload == "end" })
			// The context ended there; another message may have been on its way.
			require.GreaterOrEqual(t, len(f.got), end+1, "%d%v", f.from, f.p)
			require.LessOrEqual(t, len(f.got), len(want))
			require.Equal(t, want[:len(f.got)], f.got, "%d%v", f.from, f.p)
		}
	})
}

// TestQueryFollowBesideEviction: what goes before it comes to it a follower may
// miss; nothing comes twice or out of order, and it gets to the end.
func TestQueryFollowBesideEviction(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		s := open(t, actors.Config{Dir: t.TempDir(), Sync: level, BlockSize: 4 << 10, IndexFrom: 1, MaxMsgs: 12})
		var j journal
		followers := []*follower{newFollower(none, 0), newFollower(matching("r.a"), 0), newFollower(matching("r.*"), 500, actors.Borrowed())}
		var running, writers sync.WaitGroup
		for _, f := range followers {
			running.Go(func() { f.run(s) })
		}
		for w := range 2 {
			writers.Go(func() {
				if err := raceWriter(s, rand.New(rand.NewPCG(3, uint64(w))), fmt.Sprint("w", w), 500, &j, nil); err != nil {
					t.Error(err)
				}
			})
		}
		writers.Wait()
		endOfRace(t, s, &j, "r.a")
		end := stateOf(t, s)
		running.Wait()
		for _, f := range followers {
			require.ErrorIs(t, f.err, errEnough)
			seen := make(map[uint64]bool)
			for i, m := range f.got {
				want := j.stored[m.sequence]
				want.time = m.time
				require.Equal(t, want, m)
				require.True(t, f.p.match(m.subject))
				require.GreaterOrEqual(t, m.sequence, f.from)
				require.True(t, i == 0 || m.sequence > f.got[i-1].sequence)
				seen[m.sequence] = true
			}
			for sequence := max(f.from, end.FirstSequence); sequence <= end.LastSequence; sequence++ {
				if m, ok := j.stored[sequence]; ok && f.p.match(m.subject) {
					require.True(t, seen[sequence], "%v was there to the end", m)
				}
			}
		}
	})
}

// TestQueryFollowWaits for each message, in a store that has none, and ends with its
// context, with the store, or when it is left.
func TestQueryFollowWaits(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		for _, ending := range []string{"context", "store", "break"} {
			t.Run(ending, func(t *testing.T) {
				s := open(t, actors.Config{Dir: t.TempDir(), Sync: level})
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				came := make(chan string, 30)
				ended := make(chan error, 1)
				go func() {
					var last error
					for m, err := range s.Messages(ctx, actors.Follow(), actors.Filter("f.*")) {
						if last = err; err != nil {
							continue
						}
						came <- m.Subject
						if m.Subject == "f.break" {
							break
						}
					}
					ended <- last
				}()
				for i := range 20 {
					mustStore(t, s, "other", "x")
					if i%5 == 0 {
						_, err := s.Skip(t.Context(), 0, 2)
						require.NoError(t, err)
					}
					subject := fmt.Sprint("f.", i)
					mustStore(t, s, subject, "x")
					require.Equal(t, subject, within(t, came))
				}
				switch ending {
				case "context":
					cancel(errEnough)
					require.ErrorIs(t, within(t, ended), errEnough)
				case "store":
					stop(t, s)
					require.ErrorIs(t, within(t, ended), actors.ErrStopped)
				case "break":
					mustStore(t, s, "f.break", "x")
					require.Equal(t, "f.break", within(t, came))
					require.NoError(t, within(t, ended))
				}
			})
		}
	})
}

// TestQueryFollowOfAnIdleStore does not need its memory: it has dropped that of its
// last block.
func TestQueryFollowOfAnIdleStore(t *testing.T) {
	var c clock
	s := open(t, actors.Config{Dir: t.TempDir(), Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: c.now})})
	mustStore(t, s, "f", "0")
	dropMemory(t, s, &c)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	came := make(chan string, 20)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for m, err := range s.Messages(ctx, actors.Follow(), actors.Filter("f")) {
			if err == nil {
				came <- string(m.Payload)
			}
		}
	}()
	for i := range 10 {
		require.Equal(t, fmt.Sprint(i), within(t, came))
		dropMemory(t, s, &c)
		mustStore(t, s, "f", fmt.Sprint(i+1))
		if i%2 == 0 {
			dropMemory(t, s, &c)
		}
	}
	require.Equal(t, "10", within(t, came))
	cancel(errEnough)
	within(t, ended)
}

// TestQueryFollowFromATime that is yet to come: it begins there, not with what is
// stored next.
func TestQueryFollowFromATime(t *testing.T) {
	s := open(t, actors.Config{Dir: t.TempDir()})
	put := func(seconds int, subject string) {
		_, err := s.StoreRaw(t.Context(), actors.RawMessage{Time: second(seconds), Subject: subject})
		require.NoError(t, err)
	}
	put(1, "early")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	came := make(chan string, 20)
	ended := make(chan struct{})
	follow := func(at int) {
		for m, err := range s.Messages(ctx, actors.Follow(), actors.FromTime(second(at))) {
			if err == nil {
				came <- m.Subject
			}
		}
		close(ended)
	}
	go follow(1)
	require.Equal(t, "early", within(t, came))
	cancel(errEnough)
	within(t, ended)
	ctx, cancel = context.WithCancelCause(t.Context())
	defer cancel(nil)
	ended = make(chan struct{})
	go follow(10)
	for i := range 20 {
		put(2+i, fmt.Sprint("at ", 2+i))
	}
	for i := 10; i < 22; i++ {
		require.Equal(t, fmt.Sprint("at ", i), within(t, came))
	}
	cancel(errEnough)
	within(t, ended)
}
