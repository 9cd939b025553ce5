package actors_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// journal is what writers were told that they stored.
type journal struct {
	mu     sync.Mutex
	stored map[uint64]record // without times
}

func (j *journal) add(first uint64, messages ...actors.BatchMessage) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stored == nil {
		j.stored = make(map[uint64]record)
	}
	for i, m := range messages {
		sequence := first + uint64(i)
		j.stored[sequence] = record{sequence: sequence, subject: m.Subject, payload: string(m.Payload)}
	}
}

var raceSubjects = []string{"r.a", "r.b", "r.a.x", "s.a", ""} // the last only for raw messages

// raceWriter stores messages of about 400 bytes, some in batches, and skips some
// sequences. It takes a token for each, if there are tokens.
func raceWriter(s *actors.Store, random *rand.Rand, name string, count int, j *journal, tokens <-chan struct{}) error {
	ctx := context.Background()
	messageOf := func(i int, subjects []string) actors.BatchMessage {
		payload := fmt.Sprintf("%s.%d;%0*d", name, i, 200+random.IntN(400), 0)
		return actors.BatchMessage{Subject: subjects[random.IntN(len(subjects))], Payload: []byte(payload)}
	}
	for i := range count {
		if tokens != nil {
			<-tokens
		}
		switch random.IntN(12) {
		case 0:
			if _, err := s.Skip(ctx, 0, 1+random.Uint64N(3)); err != nil {
				return err
			}
		case 1, 2:
			legal := func() actors.BatchMessage { return messageOf(i, raceSubjects[:len(raceSubjects)-1]) }
			batch := []actors.BatchMessage{legal(), legal(), legal(), legal()}
			ack, err := s.StoreBatch(ctx, batch)
			if err != nil {
				return err
			}
			j.add(ack.First, batch...)
		default:
			m := messageOf(i, raceSubjects)
			store := s.StoreMsg
			if m.Subject == "" {
				store = func(ctx context.Context, _ string, _ actors.Header, payload []byte, _ ...actors.StoreOption) (actors.Ack, error) {
					return storeRaw(ctx, s, "", payload)
				}
			}
			ack, err := store(ctx, m.Subject, nil, m.Payload)
			if err != nil {
				return err
			}
			j.add(ack.Sequence, m)
		}
	}
	return nil
}

// raceScan is one scan, and what was so before and after it.
type raceScan struct {
	from          uint64 // 0: no From
	reverse       bool
	p             picks
	before, after actors.State
	got           []record
	err           error
}

func (r *raceScan) String() string {
	return fmt.Sprintf("scan from %d, reverse %v%v, of %d to %d, then %d to %d", r.from, r.reverse, r.p,
		r.before.FirstSequence, r.before.LastSequence, r.after.FirstSequence, r.after.LastSequence)
}

// run scans. It gives the writers tokens: one at first, and more when it is slow, so
// that they overtake it.
func (r *raceScan) run(s *actors.Store, random *rand.Rand, tokens chan<- struct{}, done <-chan struct{}) {
	give := func(count int) {
		for range count {
			select {
			case tokens <- struct{}{}:
			case <-done:
			}
		}
	}
	give(1)
	ctx := context.Background()
	var opts []actors.ReadOption
	r.before, _ = s.FastState(ctx)
	r.p = []picks{none, none, matching("r.*"), matching("s.>"), matching("r.a", "*.a"), exactly("r.a.x"), matching("absent")}[random.IntN(7)]
	for _, f := range r.p.filters() {
		opts = append(opts, f)
	}
	if r.reverse = random.IntN(2) == 0; r.reverse {
		opts = append(opts, actors.Reverse())
	}
	if random.IntN(3) == 0 {
		r.from = max(1, r.before.FirstSequence+random.Uint64N(r.before.Messages+2))
		opts = append(opts, actors.From(r.from))
	}
	if random.IntN(2) == 0 {
		opts = append(opts, actors.Borrowed())
	}
	r.before, _ = s.FastState(ctx)
	slow := []int{0, 0, 1, 3, 10}[random.IntN(5)]
	for m, err := range s.Messages(ctx, opts...) {
		if r.err != nil {
			r.err = fmt.Errorf("the scan went on after: %w", r.err)
			break
		}
		if err != nil {
			r.err = err
			continue
		}
		got := recordOf(m)
		give(slow)
		if again := recordOf(m); again != got {
			r.err = fmt.Errorf("message %d changed while it was looked at", m.Sequence)
		}
		got.time = fixtureStart
		r.got = append(r.got, got)
	}
	r.after, _ = s.FastState(ctx)
}

// check holds a scan against everything that was ever stored.
func (r *raceScan) check(t *testing.T, stored map[uint64]record) {
	t.Helper()
	require.NoError(t, r.err, "%v", r)
	seen := make(map[uint64]bool)
	for i, m := range r.got {
		want, ok := stored[m.sequence]
		require.True(t, ok, "%v gave %v, which nobody stored", r, m)
		m.time = want.time
		require.Equal(t, want, m, "%v", r)
		require.True(t, r.p.match(m.subject), "%v gave %v", r, m)
		if i > 0 {
			if r.reverse {
				require.Less(t, m.sequence, r.got[i-1].sequence, "%v", r)
			} else {
				require.Greater(t, m.sequence, r.got[i-1].sequence, "%v", r)
			}
		}
		require.GreaterOrEqual(t, m.sequence, r.before.FirstSequence, "%v gave what had been removed before", r)
		require.LessOrEqual(t, m.sequence, r.after.LastSequence, "%v", r)
		if r.from > 0 {
			require.True(t, r.reverse && m.sequence <= r.from || !r.reverse && m.sequence >= r.from, "%v gave %v", r, m)
		}
		seen[m.sequence] = true
	}
	// What was live all the time has to be there.
	for sequence := r.after.FirstSequence; sequence <= r.before.LastSequence; sequence++ {
		m, ok := stored[sequence]
		wanted := r.from == 0 || r.reverse && sequence <= r.from || !r.reverse && sequence >= r.from
		if ok && wanted && r.p.match(m.subject) {
			require.True(t, seen[sequence], "%v missed %v", r, m)
		}
	}
}

// TestQueryScansRaceWithWriters: while writers store, blocks are sealed, and limits
// remove them, scans give no error, nothing twice or out of order, and miss nothing
// that was there from their beginning to their end.
func TestQueryScansRaceWithWriters(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		for _, most := range []int64{15, 150} {
			t.Run(fmt.Sprint("MaxMsgs ", most), func(t *testing.T) {
				s := open(t, actors.Config{Dir: t.TempDir(), Sync: level, MaxMsgs: most, BlockSize: 4 << 10, IndexFrom: 1})
				var j journal
				scans := make([][]*raceScan, 6)
				var writers, readers sync.WaitGroup
				tokens, done := make(chan struct{}), make(chan struct{})
				for w := range 2 {
					writers.Go(func() {
						if err := raceWriter(s, rand.New(rand.NewPCG(7, uint64(w))), fmt.Sprint("w", w), 700, &j, tokens); err != nil {
							t.Error(err)
						}
					})
				}
				for i := range scans {
					readers.Go(func() {
						random := rand.New(rand.NewPCG(8, uint64(i)))
						for ended := false; !ended; {
							var r raceScan
							r.run(s, random, tokens, done)
							scans[i] = append(scans[i], &r)
							select {
							case <-done:
								ended = true
							default:
							}
						}
					})
				}
				writers.Wait()
				close(done)
				readers.Wait()
				count := 0
				for _, r := range slices.Concat(scans...) {
					r.check(t, j.stored)
					if r.after.FirstSequence > r.before.FirstSequence && len(r.got) > 0 {
						count++
					}
				}
				require.Positive(t, count, "no scan raced with an eviction")
				require.False(t, s.Stats().Failed)
			})
		}
	})
}

// TestQueryLookupsRaceWithWriters: single look-ups beside evictions give no error
// that is not documented for them, and no message that is not the one asked for.
func TestQueryLookupsRaceWithWriters(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		s := open(t, actors.Config{Dir: t.TempDir(), Sync: level, MaxMsgs: 25, BlockSize: 4 << 10, IndexFrom: 1})
		var j journal
		var writers, readers sync.WaitGroup
		var done atomic.Bool
		for w := range 2 {
			writers.Go(func() {
				if err := raceWriter(s, rand.New(rand.NewPCG(9, uint64(w))), fmt.Sprint("w", w), 250, &j, nil); err != nil {
					t.Error(err)
				}
			})
		}
		for i := range 4 {
			readers.Go(func() {
				random := rand.New(rand.NewPCG(10, uint64(i)))
				for !done.Load() {
					if err := raceLookup(s, random); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		writers.Wait()
		done.Store(true)
		readers.Wait()
	})
}

func raceLookup(s *actors.Store, random *rand.Rand) error {
	ctx := context.Background()
	before, _ := s.FastState(ctx)
	at := max(1, before.FirstSequence) + random.Uint64N(before.Messages+3)
	p := []picks{none, matching("r.*"), exactly("s.a"), matching("*.a", "r.a"), matching("absent")}[random.IntN(5)]
	expect := func(what string, err error, allowed ...error) error {
		if err == nil || slices.ContainsFunc(allowed, func(known error) bool { return errors.Is(err, known) }) {
			return nil
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	switch random.IntN(9) {
	case 0:
		for m, err := range s.MultiLastMsgs(ctx, []string{"r.>", "*.a"}, 0, 0) {
			// A message may go between the look-up and the load.
			if err := expect("MultiLastMsgs", err, actors.ErrNotFound); err != nil {
				return err
			}
			if err == nil && !matches("r.>", m.Subject) && !matches("*.a", m.Subject) {
				return fmt.Errorf("MultiLastMsgs gave %q", m.Subject)
			}
		}
		return nil
	case 1:
		list, err := s.MultiLastSeqs(ctx, []string{"r.>", "*.a"}, at, 0)
		if !slices.IsSorted(list) || len(list) > 4 || len(slices.Compact(list)) != len(list) {
			return fmt.Errorf("MultiLastSeqs gave %v", list)
		}
		return expect("MultiLastSeqs", err)
	case 2:
		states, err := s.SubjectsState(ctx, p.filters()...)
		for subject, state := range states {
			if !p.match(subject) || state.Messages == 0 || state.First > state.Last || state.Messages > state.Last-state.First+1 {
				return fmt.Errorf("SubjectsState gave %q %v", subject, state)
			}
		}
		return expect("SubjectsState", err)
	case 3:
		sequence, err := s.GetSeqFromTime(ctx, before.FirstTime)
		if err == nil && sequence < before.FirstSequence {
			return fmt.Errorf("GetSeqFromTime gave %d, the first was %d", sequence, before.FirstSequence)
		}
		return expect("GetSeqFromTime", err)
	case 4:
		full, err := s.State(ctx)
		sum, above := uint64(0), full.FirstSequence
		for _, r := range full.DeletedRanges {
			if r.First <= above || r.Last < r.First || r.Last > full.LastSequence {
				return fmt.Errorf("State of %d to %d gave %v", full.FirstSequence, full.LastSequence, full.DeletedRanges)
			}
			above = r.Last
			sum += r.Last - r.First + 1
		}
		if sum != full.Deleted || full.Messages > 0 && full.LastSequence-full.FirstSequence+1 != full.Messages+sum {
			return fmt.Errorf("State gave %+v", full)
		}
		return expect("State", err)
	case 5:
		totals, err := s.SubjectsTotals(ctx)
		if sum := totals["r.a"] + totals["r.b"] + totals["r.a.x"] + totals["s.a"]; sum > 25 || len(totals) > 4 {
			return fmt.Errorf("SubjectsTotals gave %v", totals)
		}
		return expect("SubjectsTotals", err)
	case 6:
		m, skip, err := s.LoadPrevMsg(ctx, at, p.filters()...)
		if err == nil && (m.Sequence > at || skip != m.Sequence || !p.match(m.Subject)) {
			return fmt.Errorf("LoadPrevMsg(%d%v) gave %d %q, skip %d", at, p, m.Sequence, m.Subject, skip)
		}
		return expect("LoadPrevMsg", err, actors.ErrEOF)
	case 7:
		first, err := s.FirstSeqForSubject(ctx, "r.a")
		if err == nil && first > 0 && first < before.FirstSequence {
			return fmt.Errorf("FirstSeqForSubject gave %d, the first was %d", first, before.FirstSequence)
		}
		return expect("FirstSeqForSubject", err)
	}
	m, skip, err := s.LoadNextMsg(ctx, at, p.filters()...)
	if err == nil && (m.Sequence < at || skip != m.Sequence || !p.match(m.Subject)) {
		return fmt.Errorf("LoadNextMsg(%d%v) gave %d %q, skip %d", at, p, m.Sequence, m.Subject, skip)
	}
	if err != nil && skip < before.LastSequence {
		return fmt.Errorf("LoadNextMsg(%d%v) gave skip %d, the last was %d before", at, p, skip, before.LastSequence)
	}
	return expect("LoadNextMsg", err, actors.ErrEOF)
}

// TestQueryConsumersMissNothing: who walks with LoadNextMsg, from each skip on, gets
// every match while the messages come, and passes over none.
func TestQueryConsumersMissNothing(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		s := open(t, actors.Config{Dir: t.TempDir(), Sync: level, BlockSize: 4 << 10, IndexFrom: 1})
		var j journal
		var writers, readers sync.WaitGroup
		var done atomic.Bool
		for w := range 2 {
			writers.Go(func() {
				if err := raceWriter(s, rand.New(rand.NewPCG(11, uint64(w))), fmt.Sprint("w", w), 150, &j, nil); err != nil {
					t.Error(err)
				}
			})
		}
		all := []picks{none, matching("r.*"), exactly("s.a"), matching("r.a", "*.a"), matching("")}
		got := make([][]uint64, len(all))
		for i, p := range all {
			readers.Go(func() {
				position := uint64(1)
				for {
					ended := done.Load()
					m, skip, err := s.LoadNextMsg(t.Context(), position, p.filters()...)
					switch {
					case err == nil:
						got[i] = append(got[i], m.Sequence)
					case !errors.Is(err, actors.ErrEOF):
						t.Error(err)
						return
					case ended:
						return
					}
					position = skip + 1
				}
			})
		}
		writers.Wait()
		done.Store(true)
		readers.Wait()
		for i, p := range all {
			var want []uint64
			for sequence, m := range j.stored {
				if p.match(m.subject) {
					want = append(want, sequence)
				}
			}
			slices.Sort(want)
			require.Equal(t, want, got[i], "%v", p)
		}
	})
}
