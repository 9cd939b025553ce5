package actors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// faultSystem is the actor system of the fault and crash tests.
var faultSystem = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
	return slog.New(slog.DiscardHandler)
}))

// faultPatience is how long a store may take to come back.
const faultPatience = time.Minute

// fault is what goes wrong in one run.
type fault struct {
	kind    blocktest.OpKind
	at      int // operation of the kind
	lasting bool
	err     error
	short   int
	forget  bool // what a failed sync was for, see blocktest.Fault
	then    bool // a sync of a block after it fails once, and forgets
}

func (f fault) String() string {
	how := "once"
	if f.lasting {
		how = "from then on"
	}
	return fmt.Sprintf("%v %d (%s): %v, %d bytes written, forgotten: %v, then a sync: %v", f.kind, f.at, how, f.err, f.short, f.forget, f.then)
}

// faultWorld is a store whose file system fails once or for a while, with all that
// was stored in it.
type faultWorld struct {
	fault  fault
	config Config
	mem    *blocktest.MemFS
	fs     *blocktest.FaultFS
	files  *handleFS
	store  *Store

	fired   atomic.Int64
	commits atomic.Int64 // faults that hit a write or sync of a block
	healed  atomic.Bool

	mu       sync.Mutex
	surfaced bool // an error reached a caller, or was logged and counted
	logged   bool

	attempts map[string]bool   // every payload that was ever handed over
	acked    map[uint64]string // payload by sequence
	last     uint64            // acknowledged
	next     int

	failures, durable uint64 // as look found them
	lost              int    // acknowledged, and lost with a failure of a weak level
}

// look follows the durable mark. When a weak level fails, it loses what was not
// durable; that is no longer expected then.
func (w *faultWorld) look() {
	stats := w.store.Stats()
	if w.config.Sync != SyncAlways && stats.Failures > w.failures {
		for sequence := range w.acked {
			if sequence > w.durable {
				delete(w.acked, sequence)
				w.lost++
			}
		}
	}
	w.failures, w.durable = stats.Failures, stats.Durable
}

// newFaultWorld prepares a world in which nothing fails yet.
func newFaultWorld(f fault, level SyncLevel) *faultWorld {
	w := &faultWorld{
		fault: f, mem: blocktest.NewMemFS(),
		attempts: make(map[string]bool), acked: make(map[uint64]string),
	}
	w.fs = blocktest.NewFaultFS(w.mem)
	w.files = &handleFS{FS: w.fs}
	w.config = Config{
		Dir: "data", Name: "ORDERS", FS: w.files, Sync: level, SyncEvery: time.Millisecond,
		BlockSize: 4 << 10, IndexFrom: 1, MaxMsgs: 30, RetryMin: time.Millisecond, RetryMax: 4 * time.Millisecond,
		Runtime: NewRuntime(RuntimeConfig{MaxOpenFiles: 4}), Logger: slog.New(faultLog{w}),
	}
	EncryptSome(&w.config, uint64(level))
	return w
}

// arm lets the fault happen from now on.
func (w *faultWorld) arm() {
	var second atomic.Bool
	w.fs.SetHook(func(op blocktest.Op) blocktest.Fault {
		onBlock := strings.HasSuffix(op.Name, ".blk") && (op.Kind == blocktest.OpWrite || op.Kind == blocktest.OpSync)
		if w.fault.then && w.fired.Load() > 0 && op.Kind == blocktest.OpSync && onBlock && second.CompareAndSwap(false, true) {
			w.commits.Add(1)
			return blocktest.Fault{Err: blocktest.ErrIO, Forget: true}
		}
		if op.Kind != w.fault.kind || w.healed.Load() ||
			op.KindIndex < w.fault.at || op.KindIndex > w.fault.at && !w.fault.lasting {
			return blocktest.Fault{}
		}
		w.fired.Add(1)
		if onBlock {
			w.commits.Add(1)
		}
		return blocktest.Fault{Err: w.fault.err, Short: w.fault.short, Forget: w.fault.forget}
	})
}

// heal ends a lasting fault.
func (w *faultWorld) heal() { w.healed.Store(true) }

// saw notes an error that a caller got.
func (w *faultWorld) saw(err error) error {
	if errors.Is(err, blocktest.ErrInjected) || errors.Is(err, ErrSector) { // which is what a reader makes of a read that failed
		w.mu.Lock()
		w.surfaced = true
		w.mu.Unlock()
	}
	return err
}

// faultLog notes what operators would see.
type faultLog struct{ w *faultWorld }

func (l faultLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (l faultLog) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l faultLog) WithGroup(string) slog.Handler                    { return l }
func (l faultLog) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok && errors.Is(err, blocktest.ErrInjected) {
			l.w.mu.Lock()
			l.w.logged = true
			l.w.mu.Unlock()
		}
		return true
	})
	return nil
}

func (w *faultWorld) reported() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.surfaced || w.logged
}

// handleFS counts open files.
type handleFS struct {
	blockio.FS
	open atomic.Int64
}

func (h *handleFS) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	file, err := h.FS.OpenFile(name, mode)
	if err != nil {
		return nil, err
	}
	h.open.Add(1)
	return &handle{File: file, fs: h}, nil
}

type handle struct {
	blockio.File
	fs     *handleFS
	closed atomic.Bool
}

func (h *handle) Close() error {
	if !h.closed.Swap(true) {
		h.fs.open.Add(-1)
	}
	return h.File.Close()
}

// payload makes a message that was never stored before.
func (w *faultWorld) payload() []byte {
	w.next++
	p := fmt.Appendf(nil, "%d:", w.next)
	p = append(p, bytes.Repeat([]byte{byte(w.next)}, 500+w.next%300)...)
	w.attempts[string(p)] = true
	return p
}

// put stores one message, or a batch of two, once.
func (w *faultWorld) put(ctx context.Context) error {
	w.look()
	failing, hits := w.store.Stats().Failed, w.commits.Load()
	first, second := w.payload(), w.payload()
	var err error
	if w.next%5 == 0 {
		var ack BatchAck
		ack, err = w.store.StoreBatch(ctx, []BatchMessage{{Subject: "a", Payload: first}, {Subject: "b", Payload: second}})
		if err == nil {
			err = errors.Join(w.note(ack.First, first), w.note(ack.Last, second))
		}
	} else {
		var ack Ack
		ack, err = w.store.StoreMsg(ctx, "a.b", nil, first)
		if err == nil {
			err = w.note(ack.Sequence, first)
		}
	}
	if err == nil && !failing && w.commits.Load() > hits && w.config.Sync == SyncAlways && w.store.Stats().Recoveries == 0 {
		return errWrongAck
	}
	return w.saw(err)
}

var errWrongAck = errors.New("acknowledged although a write or a sync of it failed")

func (w *faultWorld) note(sequence uint64, payload []byte) error {
	if sequence <= w.last {
		return fmt.Errorf("sequence %d was given after %d", sequence, w.last)
	}
	w.last, w.acked[sequence] = sequence, string(payload)
	return nil
}

// readBack checks that what was acknowledged last can be read.
func (w *faultWorld) readBack(ctx context.Context) error {
	for sequence := w.store.published.First(); sequence <= w.last; sequence++ {
		want, ok := w.acked[sequence]
		if !ok {
			continue
		}
		m, err := w.store.LoadMsg(ctx, sequence)
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrCorrupt) {
			w.look()
			if _, ok := w.acked[sequence]; !ok || sequence < w.store.published.First() {
				continue // lost with the failure, or evicted meanwhile
			}
		}
		if w.saw(err) != nil {
			return fmt.Errorf("load of %d: %w", sequence, err)
		}
		if string(m.Payload) != want {
			return fmt.Errorf("message %d reads as another one", sequence)
		}
	}
	return nil
}

// verify opens a copy of the files without faults: all is there that was
// acknowledged up to a sequence, and nothing else but what was handed over.
func (w *faultWorld) verify(ctx context.Context, files *blocktest.MemFS, upTo uint64) (err error) {
	config := w.config
	config.FS, config.Runtime = files, NewRuntime(RuntimeConfig{MaxOpenFiles: 4})
	store, err := Open(ctx, faultSystem, config)
	if err != nil {
		return fmt.Errorf("open %s again: %w", filepath.Join(config.Dir, config.Name), err)
	}
	defer func() { err = errors.Join(err, store.Stop(ctx)) }()
	found := make(map[uint64]string)
	for m, err := range store.Messages(ctx) {
		if err != nil {
			return err
		}
		found[m.Sequence] = string(m.Payload)
		if !w.attempts[string(m.Payload)] {
			return fmt.Errorf("message %d was never stored", m.Sequence)
		}
		if want, ok := w.acked[m.Sequence]; ok && want != string(m.Payload) {
			return fmt.Errorf("message %d is another one", m.Sequence)
		}
	}
	state, err := store.FastState(ctx)
	if err != nil {
		return err
	}
	if state.LastSequence < upTo {
		return fmt.Errorf("last sequence %d, %d was acknowledged", state.LastSequence, upTo)
	}
	// What a weak level lost had pushed out others, and readers had seen them gone.
	if len(found)+w.lost < min(int(w.config.MaxMsgs), len(w.acked)) && upTo == w.last {
		return fmt.Errorf("%d messages, at most %d of %d were to go", len(found), w.config.MaxMsgs, len(w.acked))
	}
	first := state.FirstSequence
	if w.fault.forget && w.fault.kind == blocktest.OpSyncDir {
		// A file that had been removed may be back, while later ones are gone: it was evicted, and will be again.
		first = max(first, w.store.published.First())
	}
	for sequence := range w.acked {
		if _, ok := found[sequence]; !ok && sequence >= first && sequence <= upTo {
			return fmt.Errorf("message %d is lost", sequence)
		}
	}
	if state.LostMessages != 0 {
		return fmt.Errorf("%d messages are called lost", state.LostMessages)
	}
	return nil
}
