package actors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"log/slog"
	"math/rand"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"
)

// hammerSystem does not remember for a second that it has logged a dead letter: somebody stops actors that have ended.
var hammerSystem = actor.NewActorSystem(actor.WithDeadLetterThrottleInterval(time.Millisecond),
	actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))

// hammer is a stream that many goroutines open, use, change, stop and delete at once, while actors of it die.
type hammer struct {
	t       *testing.T
	config  Config
	ends    bool // the stream is deleted, truncated and limited, too
	clock   atomic.Int64
	current atomic.Pointer[Store]
	panics  atomic.Int64 // that are due: at as many messages from now on
	written atomic.Int64
	crashes atomic.Int64
	opened  atomic.Int64
	deleted atomic.Int64

	mu   sync.Mutex
	kept map[uint64]string // what was acknowledged and nobody removes, by sequence
}

const (
	hammerers = 32
	hammering = 60 // operations of each
)

// plant panics at a message of an actor when one is due.
func (h *hammer) plant(any) {
	if n := h.panics.Load(); n > 0 && h.panics.Add(-1) == 0 {
		h.crashed()
		panic("a bug that was planted")
	}
}

// crashed moves the clock, so that the crashes of a long run are not in a row.
func (h *hammer) crashed() {
	h.crashes.Add(1)
	h.clock.Add(int64(2 * crashPause))
}

// open opens the stream, if nobody has it open.
func (h *hammer) open(ctx context.Context) error {
	s, err := Open(ctx, hammerSystem, h.config)
	if err != nil {
		return err
	}
	h.opened.Add(1)
	h.current.Store(s)
	return nil
}

func hammerPayload(subject string, n int64) []byte {
	sum := fnv.New64a()
	fmt.Fprint(sum, subject, n)
	return fmt.Appendf(nil, "%d %x %s", n, sum.Sum64(), strings.Repeat("x", int(n%600)))
}

// check looks whether a message is one that was stored.
func (h *hammer) check(m *Message) error {
	n := int64(0)
	if _, err := fmt.Sscan(string(m.Payload), &n); err != nil || !bytes.Equal(m.Payload, hammerPayload(m.Subject, n)) {
		return fmt.Errorf("message %d is %q on %s", m.Sequence, m.Payload, m.Subject)
	}
	return nil
}

func (h *hammer) store(ctx context.Context, s *Store, subject string) error {
	n := h.written.Add(1)
	ack, err := s.StoreMsg(ctx, subject, nil, hammerPayload(subject, n))
	if err == nil && strings.HasPrefix(subject, "keep") {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.kept[ack.Sequence] = string(hammerPayload(subject, n))
	}
	return err
}

// one does something.
func (h *hammer) one(ctx context.Context, rng *rand.Rand) error {
	s := h.current.Load()
	sequence := 1 + rng.Uint64()%(s.published.Last()+1)
	switch what := rng.Intn(100); {
	case what < 30:
		return h.store(ctx, s, fmt.Sprint("keep.", rng.Intn(9)))
	case what < 45:
		return h.store(ctx, s, "gone")
	case what < 50:
		_, err := s.PurgeEx(ctx, Literal("gone"), 0, 1)
		return err
	case what < 60:
		m, err := s.LoadMsg(ctx, sequence)
		if err != nil {
			return err
		}
		return h.check(&m)
	case what < 64:
		for m, err := range s.Messages(ctx, From(sequence)) {
			if err != nil {
				return err
			}
			if err := h.check(&m); err != nil {
				return err
			}
		}
		return nil
	case what < 68:
		_, err := s.State(ctx)
		return err
	case what < 71:
		_, err := s.Snapshot(ctx, io.Discard, SnapshotOptions{Consumers: true})
		return err
	case what < 75:
		c := Config{Name: h.config.Name, Compression: Switch(1 + rng.Intn(2)), Duplicates: time.Duration(rng.Intn(3)) * time.Second}
		if h.ends {
			c.MaxMsgs = int64(rng.Intn(300)) - 1
		}
		return s.UpdateConfig(ctx, c)
	case what < 78:
		watching, cancel := context.WithCancel(ctx)
		defer cancel()
		_, err := s.Watch(watching)
		_, err2 := s.Notices(watching, func([]Notice) {})
		return errors.Join(err, err2)
	case what < 80:
		ready, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		return s.Ready(ready)
	case what < 84:
		for _, pid := range childrenOf(s) {
			if rng.Intn(2) == 0 {
				h.crashed()
				if s.system.Root.Stop(pid); rng.Intn(2) == 0 {
					s.system.Root.Poison(pid)
				}
				break
			}
		}
		return nil
	case what < 88:
		h.panics.CompareAndSwap(0, 1+rng.Int63n(50))
		return nil
	case what < 89:
		s.system.Root.Stop(s.pid)
		return nil
	case what < 93:
		stopping, cancel := context.WithTimeout(ctx, time.Duration(rng.Intn(10))*time.Millisecond)
		defer cancel()
		if rng.Intn(2) == 0 {
			stopping = ctx
		}
		return s.Stop(stopping)
	case what < 96 && h.ends:
		o := DeleteOptions{Background: rng.Intn(2) == 0}
		err := error(nil)
		if rng.Intn(3) == 0 {
			err = Delete(ctx, h.config.Dir, h.config.Name, o)
		} else {
			err = s.Delete(ctx, o)
		}
		if err == nil {
			h.deleted.Add(1)
		}
		return err
	case what < 98 && h.ends:
		_, err := s.Truncate(ctx, sequence)
		return err
	}
	return h.open(ctx)
}

// mayHappen are errors of calls that come in the middle of anything else.
var mayHappen = []error{
	ErrStopped, ErrFailed, ErrOutcomeUnknown, ErrLocked, ErrNotFound, ErrEOF, ErrSnapshotStale,
	ErrUnreadable, ErrNoStream, fs.ErrNotExist, context.DeadlineExceeded,
}

// run hammers until all have done all.
func (h *hammer) run(seed int64) {
	ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Minute)
	defer cancel()
	require.NoError(h.t, h.open(ctx))
	operations := hammering
	if testing.Short() {
		operations /= 2
	}
	var all sync.WaitGroup
	for g := range hammerers {
		rng := rand.New(rand.NewSource(seed + int64(g)))
		all.Go(func() {
			for range operations {
				err := h.one(ctx, rng)
				known := err == nil
				for _, may := range mayHappen {
					known = known || errors.Is(err, may)
				}
				if !known || errors.Is(err, ErrCorrupt) {
					h.t.Errorf("seed %d: %v", seed, err)
				}
				if errors.Is(err, ErrFailed) && rng.Intn(2) == 0 {
					_ = h.current.Load().Ready(ctx)
				}
				if s := h.current.Load(); s.stopped.Load() || s.gaveUp.Load() {
					if s.gaveUp.Load() {
						_ = s.Stop(ctx)
					}
					if err := h.open(ctx); err != nil && !errors.Is(err, ErrLocked) {
						h.t.Errorf("seed %d: open: %v", seed, err)
					}
				}
			}
		})
	}
	all.Wait()
	require.NoError(h.t, ctx.Err(), "nobody waits for ever")
	h.panics.Store(0)
}

// finish stops the store, and looks what is left.
func (h *hammer) finish() {
	ctx := h.t.Context()
	_ = h.current.Load().Stop(ctx)
	<-h.current.Load().gone
	require.NoError(h.t, h.open(ctx))
	s := h.current.Load()
	there := make(map[uint64]string)
	for m, err := range s.Messages(ctx) {
		require.NoError(h.t, err)
		require.NoError(h.t, h.check(&m))
		there[m.Sequence] = string(m.Payload)
	}
	state := s.published.State()
	require.EqualValues(h.t, len(there), state.Messages)
	require.Zero(h.t, state.LostMessages)
	if !h.ends {
		for sequence, payload := range h.kept {
			require.Equal(h.t, payload, there[sequence])
		}
	}
	h.t.Logf("%d stored, %d crashes, opened %d times, deleted %d times, %d left", h.written.Load(), h.crashes.Load(),
		h.opened.Load(), h.deleted.Load(), len(there))
	entries, err := os.ReadDir(h.config.Dir)
	require.NoError(h.t, err)
	require.Len(h.t, entries, 1)
	require.NoError(h.t, s.Delete(ctx, DeleteOptions{}))
	entries, err = os.ReadDir(h.config.Dir)
	require.NoError(h.t, err)
	require.Empty(h.t, entries)
}

// openFiles returns how many files the process has open, where the system tells.
func openFiles(t *testing.T) int {
	if runtime.GOOS != "linux" {
		return 0
	}
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

// TestHammer: nothing hangs, no store is opened twice at a time, what was acknowledged is there as long as nobody has
// removed it, and no file is left open.
func TestHammer(t *testing.T) {
	for _, ends := range []bool{false, true} {
		name := "the stream stays"
		if ends {
			name = "the stream is deleted, too"
		}
		t.Run(name, func(t *testing.T) {
			before := openFiles(t)
			h := &hammer{t: t, ends: ends, kept: make(map[uint64]string)}
			shared := NewRuntime(RuntimeConfig{MaxOpenFiles: 8, Clock: func() time.Time {
				return time.Now().Add(time.Duration(h.clock.Load()))
			}})
			shared.plant = h.plant
			h.config = Config{
				Dir: t.TempDir(), Name: "ORDERS", Runtime: shared, BlockSize: 4096, IndexFrom: 1,
				RetryMin: time.Millisecond, RetryMax: 4 * time.Millisecond, NoPreallocation: true,
			}
			h.run(*crashSeed)
			h.finish()
			// A reader that was under way when the stream went closes its file when it is through.
			require.Eventually(t, func() bool { return openFiles(t) == before }, time.Minute, time.Millisecond, "files are left open")
		})
	}
}
