package actors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

const (
	crashRounds  = 120
	crashCallers = 8
)

// ackLog is what callers were told, by sequence.
type ackLog struct {
	mu    sync.Mutex
	acked map[uint64][]byte
}

func (l *ackLog) add(sequence uint64, payload []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.acked[sequence]; ok {
		return fmt.Errorf("sequence %d was given twice", sequence)
	}
	l.acked[sequence] = payload
	return nil
}

// TestCrashUnderConcurrentCallers freezes the file system of real actors at some
// operation, while callers store: what is left holds all that was acknowledged.
func TestCrashUnderConcurrentCallers(t *testing.T) {
	acked := 0
	for round := range crashRounds {
		seed := *crashSeed + int64(round)
		n, err := crashUnderCallers(seed)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		acked += n
	}
	t.Logf("seeds %d to %d: %d messages acknowledged before %d crashes",
		*crashSeed, *crashSeed+crashRounds-1, acked, crashRounds)
}

// crashUnderCallers runs one round and returns how many messages were acknowledged.
func crashUnderCallers(seed int64) (int, error) {
	rng := randomOf(seed)
	mem := blocktest.NewMemFS()
	files := blocktest.NewFaultFS(mem)
	mode, at := pick(rng, blocktest.CrashModes...), int64(1+rng.Intn(600))
	var left *blocktest.MemFS
	var opened atomic.Bool
	var operations atomic.Int64 // since then
	files.SetHook(func(op blocktest.Op) blocktest.Fault {
		if opened.Load() && operations.Add(1) == at {
			left = mem.CrashImage(mode, rng)
			return blocktest.Fault{Crash: true}
		}
		return blocktest.Fault{}
	})
	// Without indexes, which an actor of its own writes, only the block-writer touches
	// the files: the image is of one instant. The sweep has crashes with indexes.
	config := Config{
		Dir: "data", Name: "ORDERS", FS: files, BlockSize: pick(rng, int64(4<<10), 32<<10), IndexFrom: -1,
		NoRecovery: true, Runtime: NewRuntime(RuntimeConfig{}),
	}
	store, err := Open(context.Background(), faultSystem, config)
	if err != nil {
		return 0, err
	}
	opened.Store(true)
	log := &ackLog{acked: make(map[uint64][]byte)}
	err = storeUntilItFails(store, log, seed)
	if stopErr := store.Stop(context.Background()); !errors.Is(stopErr, blocktest.ErrCrashed) {
		err = errors.Join(err, fmt.Errorf("stop after the crash: %w", stopErr))
	}
	if err != nil {
		return 0, err
	}
	config.FS = left
	return len(log.acked), log.verify(config)
}

// storeUntilItFails has several callers store until the file system is frozen.
func storeUntilItFails(store *Store, log *ackLog, seed int64) error {
	errs := make([]error, crashCallers)
	var running sync.WaitGroup
	for caller := range crashCallers {
		running.Go(func() {
			rng := randomOf(seed, int64(caller))
			for n := 0; ; n++ {
				err := storeSome(store, log, rng, fmt.Sprintf("%d/%d", caller, n))
				if errors.Is(err, blocktest.ErrCrashed) {
					return
				}
				if err != nil {
					errs[caller] = err
					return
				}
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// storeSome stores a message or a batch and notes what was acknowledged.
func storeSome(store *Store, log *ackLog, rng *rand.Rand, id string) error {
	payload := append([]byte(id+":"), bytes.Repeat([]byte{byte(rng.Intn(256))}, rng.Intn(400))...)
	if rng.Intn(4) > 0 {
		ack, err := store.StoreMsg(context.Background(), "a.b", nil, payload)
		if err != nil {
			return err
		}
		return log.add(ack.Sequence, payload)
	}
	second := append([]byte("second "), payload...)
	ack, err := store.StoreBatch(context.Background(), []BatchMessage{{Subject: "a", Payload: payload}, {Subject: "b", Payload: second}})
	if err != nil {
		return err
	}
	return errors.Join(log.add(ack.First, payload), log.add(ack.Last, second))
}

// verify opens what a crash has left and looks for all that was acknowledged.
func (l *ackLog) verify(config Config) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	store, err := Open(ctx, faultSystem, config)
	if err != nil {
		return fmt.Errorf("after the crash: %w", err)
	}
	defer func() { err = errors.Join(err, store.Stop(ctx)) }()
	if state, err := store.FastState(ctx); err != nil || state.LostMessages != 0 || state.LostBytes != 0 {
		return fmt.Errorf("after the crash: %+v, %w", state, err)
	}
	found := 0
	for m, err := range store.Messages(ctx) {
		if err != nil {
			return err
		}
		want, ok := l.acked[m.Sequence]
		if !ok {
			continue // on its way when the crash came
		}
		if !bytes.Equal(m.Payload, want) {
			return fmt.Errorf("message %d is another one", m.Sequence)
		}
		found++
	}
	if found != len(l.acked) {
		return fmt.Errorf("%d of %d acknowledged messages are there", found, len(l.acked))
	}
	return nil
}
