package actors_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// removalsRace is a stream of three parts: at its head messages that are compacted away, then some that stay
// ("keep") between some that are removed one by one or by subject, and an end that is stored, cut off, and stored
// again. Its payloads are all different.
type removalsRace struct {
	s          *actors.Store
	head, body uint64 // the last sequences of the first two parts

	clock   atomic.Uint64
	mu      sync.Mutex
	removed map[uint64]uint64 // when a removal of a message of the body had returned
	stored  map[string]uint64 // the sequences of the end's messages, 0 while they are being stored
}

func newRemovalsRace(t *testing.T, level actors.SyncLevel) *removalsRace {
	t.Helper()
	r := &removalsRace{
		s:    open(t, actors.Config{Dir: t.TempDir(), Sync: level, BlockSize: 4 << 10, IndexFrom: 1, CompactBelow: 90, Compression: actors.On}),
		head: 60, body: 260, removed: map[uint64]uint64{}, stored: map[string]uint64{},
	}
	for i := uint64(1); i <= r.body; i++ {
		subject := "head"
		if i > r.head {
			subject = []string{"keep.a", "go.a", "go.b", "keep.b"}[i%4]
		}
		mustStore(t, r.s, subject, r.payload(i))
	}
	return r
}

func (r *removalsRace) payload(sequence uint64) string {
	return fmt.Sprintf("body %d;%0*d", sequence, 100+sequence%7*60, 0)
}

// keeps reports whether a message of the body stays.
func (r *removalsRace) keeps(sequence uint64) bool {
	return sequence > r.head && sequence <= r.body && (sequence%4 == 0 || sequence%4 == 3)
}

// gone notes that messages were removed.
func (r *removalsRace) gone(sequences ...uint64) {
	at := r.clock.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, sequence := range sequences {
		if _, before := r.removed[sequence]; !before {
			r.removed[sequence] = at
		}
	}
}

// remove takes the head and the body apart.
func (r *removalsRace) remove(random *rand.Rand) error {
	ctx := context.Background()
	compacted := uint64(0)
	for range 150 {
		sequence := r.head + 1 + random.Uint64N(r.body-r.head)
		for r.keeps(sequence) {
			sequence--
		}
		var err error
		switch random.IntN(6) {
		case 0:
			if compacted += random.Uint64N(4); compacted > 0 && compacted <= r.head+1 {
				_, err = r.s.Compact(ctx, compacted)
			}
		case 1:
			name := []string{"go.a", "go.b"}[random.IntN(2)]
			if _, err = r.s.PurgeEx(ctx, actors.Filter(name), sequence, 0); err == nil {
				for i := r.head + 1; i < sequence; i++ {
					if i%4 == 1 && name == "go.a" || i%4 == 2 && name == "go.b" {
						r.gone(i)
					}
				}
			}
		case 2:
			if sequence > r.head {
				if _, err = r.s.EraseMsg(ctx, sequence); err == nil {
					r.gone(sequence)
				}
			}
		default:
			if sequence > r.head {
				if _, err = r.s.RemoveMsg(ctx, sequence); err == nil {
					r.gone(sequence)
				}
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// store stores at the end, and cuts some of it off now and then.
func (r *removalsRace) store(random *rand.Rand, name string) error {
	ctx := context.Background()
	for i := range 200 {
		if random.IntN(12) == 0 {
			state, err := r.s.FastState(ctx)
			if err != nil {
				return err
			}
			above := max(r.body, state.LastSequence-min(state.LastSequence, random.Uint64N(12)))
			if _, err := r.s.Truncate(ctx, above); err != nil && !strings.Contains(err.Error(), actors.ErrEOF.Error()) {
				return err
			}
			continue
		}
		token := fmt.Sprintf("end %s.%d", name, i)
		r.mu.Lock()
		r.stored[token] = 0
		r.mu.Unlock()
		ack, err := r.s.StoreMsg(ctx, []string{"end.a", "end.b"}[i%2], nil, []byte(token+";"+strings.Repeat("z", random.IntN(300))))
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.stored[token] = ack.Sequence
		r.mu.Unlock()
	}
	return nil
}

// check returns what is wrong with a message that was read by somebody who began at a time.
func (r *removalsRace) check(m actors.Message, began uint64) error {
	token, _, _ := strings.Cut(string(m.Payload), ";")
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Sequence <= r.body {
		if want := r.payload(m.Sequence); want != string(m.Payload) {
			return fmt.Errorf("message %d is %q", m.Sequence, token)
		}
		if at, ok := r.removed[m.Sequence]; ok && at <= began {
			return fmt.Errorf("message %d was removed before", m.Sequence)
		}
		return nil
	}
	if sequence, ok := r.stored[token]; !ok || sequence > 0 && sequence != m.Sequence {
		return fmt.Errorf("message %d is %q, which was stored as %d", m.Sequence, token, sequence)
	}
	return nil
}

// scan reads all of the stream.
func (r *removalsRace) scan(reverse bool, filters ...actors.ReadOption) error {
	ctx := context.Background()
	began := r.clock.Load()
	opts := filters
	if reverse {
		opts = append(opts, actors.Reverse())
	}
	last, kept := uint64(0), 0
	for m, err := range r.s.Messages(ctx, opts...) {
		if err == nil {
			err = r.check(m, began)
		}
		switch {
		case err != nil:
			return err
		case last > 0 && reverse != (m.Sequence < last):
			return fmt.Errorf("message %d after %d", m.Sequence, last)
		}
		if last = m.Sequence; r.keeps(last) {
			kept++
		}
	}
	if want := int(r.body-r.head) / 2; kept != want {
		return fmt.Errorf("%d of %d messages that stay (reverse: %v)", kept, want, reverse)
	}
	return nil
}

// TestScansRaceWithAllRemovals: compactions, purges by subject, removals, erasures, truncations and blocks that are
// written anew, beside scans and counts. What stays comes once and in order; nothing comes that was removed before a
// scan began, and nothing under a sequence that was not its own.
func TestScansRaceWithAllRemovals(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		r := newRemovalsRace(t, level)
		var busy, readers sync.WaitGroup
		var done atomic.Bool
		for i := range 2 {
			busy.Go(func() {
				if err := r.remove(rand.New(rand.NewPCG(1, uint64(i)))); err != nil {
					t.Error(err)
				}
			})
			busy.Go(func() {
				if err := r.store(rand.New(rand.NewPCG(2, uint64(i))), fmt.Sprint("w", i)); err != nil {
					t.Error(err)
				}
			})
		}
		for i := range 4 {
			readers.Go(func() {
				for round := 0; round < 3 || !done.Load(); round++ {
					var filters []actors.ReadOption
					if i%2 == 1 {
						filters = []actors.ReadOption{actors.Filter("keep.*", "go.a")}
					}
					if err := r.scan(i >= 2, filters...); err != nil {
						t.Error(err)
						return
					}
					kept, _, err := r.s.NumPending(context.Background(), r.head+1, actors.Filter("keep.*"))
					if err != nil || kept != (r.body-r.head)/2 {
						t.Errorf("%d messages that stay, %v", kept, err)
						return
					}
				}
			})
		}
		busy.Wait()
		done.Store(true)
		readers.Wait()
		require.Zero(t, stateOf(t, r.s).LostMessages)
		requireInvariants(t, r.s)
	})
}

// TestFollowersRaceWithAllRemovals: a follower sees what stays once and in order; what is cut off, and what is stored
// in its place, each at most once, and the latter after the former; and all that is there in the end.
func TestFollowersRaceWithAllRemovals(t *testing.T) {
	atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
		r := newRemovalsRace(t, level)
		var busy, followers sync.WaitGroup
		seen := make([]map[string]bool, 3)
		for i := range seen {
			seen[i] = map[string]bool{}
			followers.Go(func() {
				patient, end := context.WithTimeout(context.Background(), 2*mostPatience)
				defer end()
				opts := []actors.ReadOption{actors.Follow()}
				if i == 1 {
					opts = append(opts, actors.Filter("keep.*", "end.*"))
				}
				last := uint64(0)
				for m, err := range r.s.Messages(patient, opts...) {
					if err == nil {
						err = r.check(m, 0)
					}
					token := string(m.Payload)
					switch {
					case err != nil:
					case seen[i][token]:
						err = fmt.Errorf("message %d came twice", m.Sequence)
					case m.Sequence <= last && m.Sequence <= r.body:
						err = fmt.Errorf("message %d after %d", m.Sequence, last)
					}
					if err != nil {
						t.Error(err)
						return
					}
					seen[i][token], last = true, m.Sequence
					if strings.HasPrefix(token, "end of all") {
						return
					}
				}
			})
		}
		busy.Go(func() {
			if err := r.remove(rand.New(rand.NewPCG(3, 1))); err != nil {
				t.Error(err)
			}
		})
		busy.Go(func() {
			if err := r.store(rand.New(rand.NewPCG(4, 1)), "w"); err != nil {
				t.Error(err)
			}
		})
		busy.Wait()
		r.mu.Lock()
		r.stored["end of all"] = 0
		r.mu.Unlock()
		mustStore(t, r.s, "end.a", "end of all;")
		followers.Wait()
		for m, err := range r.s.Messages(t.Context(), actors.Filter("keep.*", "end.*")) {
			require.NoError(t, err)
			for i := range seen {
				require.True(t, seen[i][string(m.Payload)], "follower %d has not seen message %d", i, m.Sequence)
			}
		}
	})
}
