package actors

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// faultMessages is how often a run stores.
const faultMessages = 60

// faultKinds is every way in which a call may fail.
var faultKinds = []fault{
	{kind: blocktest.OpWrite, err: blocktest.ErrIO},
	{kind: blocktest.OpWrite, err: blocktest.ErrNoSpace, short: 100},
	{kind: blocktest.OpSync, err: blocktest.ErrIO},
	{kind: blocktest.OpSync, err: blocktest.ErrIO, forget: true},
	{kind: blocktest.OpCreate, err: blocktest.ErrNoSpace},
	{kind: blocktest.OpWrite, err: blocktest.ErrIO, then: true},
	{kind: blocktest.OpCreate, err: blocktest.ErrNoSpace, then: true},
	{kind: blocktest.OpTruncate, err: blocktest.ErrIO, then: true},
	{kind: blocktest.OpRename, err: blocktest.ErrIO},
	{kind: blocktest.OpRemove, err: blocktest.ErrIO},
	{kind: blocktest.OpSyncDir, err: blocktest.ErrIO},
	{kind: blocktest.OpSyncDir, err: blocktest.ErrIO, forget: true},
	{kind: blocktest.OpTruncate, err: blocktest.ErrIO},
	{kind: blocktest.OpOpen, err: blocktest.ErrIO},
	{kind: blocktest.OpRead, err: blocktest.ErrIO},
	{kind: blocktest.OpMkdir, err: blocktest.ErrNoSpace},
	{kind: blocktest.OpReadDir, err: blocktest.ErrIO},
	{kind: blocktest.OpLock, err: blocktest.ErrIO},
	{kind: blocktest.OpStat, err: blocktest.ErrIO},
	{kind: blocktest.OpClose, err: blocktest.ErrIO},
}

// faultCounts add up what a sweep did.
type faultCounts struct {
	runs, surfaced, recoveries, opens atomic.Int64
}

// TestEveryCallFailsInTurn fails the i-th call of each kind for every i, once and
// for a while. The error reaches a caller or the log, nothing is acknowledged on
// top of it, reads go on, the store comes back by itself, and all that was
// acknowledged is there afterwards.
//
// Time passes only when everybody waits. So a deadline is met when something waits for what never
// comes, and not when the machine is busy.
func TestEveryCallFailsInTurn(t *testing.T) {
	var counts faultCounts
	t.Run("each", func(t *testing.T) {
		for _, level := range []SyncLevel{SyncAlways, SyncInterval, SyncNever} {
			for _, kind := range faultKinds {
				for _, lasting := range []bool{false, true} {
					f := kind
					f.lasting = lasting
					t.Run(fmt.Sprintf("%v, %v", level, f), func(t *testing.T) {
						t.Parallel()
						sweepFaults(t, f, level, &counts)
					})
				}
			}
		}
	})
	t.Logf("%d runs with a fault, %d surfaced, %d recoveries, %d refused opens",
		counts.runs.Load(), counts.surfaced.Load(), counts.recoveries.Load(), counts.opens.Load())
}

// sweepFaults fails the first call of a kind, then the second, until a run has no
// such call.
func sweepFaults(t *testing.T, f fault, level SyncLevel, counts *faultCounts) {
	stride := 1
	if testing.Short() {
		stride = 29 // the runs between differ in which call fails, and not in what runs beside what
	}
	for f.at = int(level) % stride; ; f.at += stride {
		var w *faultWorld
		var err error
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*faultPatience)
			defer cancel()
			w = newFaultWorld(f, level)
			err = w.run(ctx, counts)
		})
		if err != nil {
			t.Errorf("%v, %v: %v", level, f, err)
			return
		}
		if w.fired.Load() == 0 {
			return
		}
		counts.runs.Add(1)
		if w.reported() {
			counts.surfaced.Add(1)
		} else if f.kind != blocktest.OpClose && (f.kind != blocktest.OpRead || f.lasting) {
			// A close of a file that was only read, and a read that is tried again, are no news.
			t.Errorf("%v, %v: nobody was told", level, f)
		}
	}
}

// run lives through one fault.
func (w *faultWorld) run(ctx context.Context, counts *faultCounts) error {
	w.arm()
	var err error
	w.store, err = Open(ctx, faultSystem, w.config)
	if w.saw(err) != nil {
		counts.opens.Add(1)
		if n := w.files.open.Load(); n != 0 {
			return fmt.Errorf("a refused open leaves %d files open", n)
		}
		w.heal()
		if w.store, err = Open(ctx, faultSystem, w.config); err != nil {
			return fmt.Errorf("open after the fault: %w", err)
		}
	}
	for n := 0; n < faultMessages; n++ {
		if err := w.put(ctx); err != nil {
			if err := w.survive(ctx, err); err != nil {
				return errors.Join(err, w.store.Stop(ctx))
			}
		}
		if n%4 == 3 {
			<-time.After(w.config.SyncEvery) // the bubble has a clock of its own: until a sync in the background is due
		}
		if n%20 == 19 {
			if err := w.readBack(ctx); err != nil && !w.readsFail() {
				return errors.Join(err, w.store.Stop(ctx))
			}
		}
	}
	counts.recoveries.Add(int64(w.store.Stats().Recoveries))
	w.look()
	durable := w.last
	if w.config.Sync != SyncAlways {
		durable = min(durable, w.durable)
	}
	dropped := w.mem.CrashImage(blocktest.DropUnsynced, nil)
	err = w.stop(ctx)
	w.look()
	kept := w.last
	if w.failures > 0 {
		kept = durable // a weak level may have failed once more
	}
	if err == nil {
		err = w.verify(ctx, w.mem, kept)
	}
	if err != nil {
		return err
	}
	if err := w.verify(ctx, dropped, durable); err != nil {
		return fmt.Errorf("after a loss of power: %w", err)
	}
	return nil
}

// readsFail reports whether the fault is one of reading.
func (w *faultWorld) readsFail() bool {
	switch w.fault.kind {
	case blocktest.OpOpen, blocktest.OpRead, blocktest.OpStat:
		return true
	}
	return false
}

// survive checks a store that has failed, and waits until it is back.
func (w *faultWorld) survive(ctx context.Context, err error) error {
	if errors.Is(err, errWrongAck) || !errors.Is(err, ErrFailed) || !errors.Is(err, blocktest.ErrInjected) {
		return fmt.Errorf("store: %w", err)
	}
	if err := w.readBack(ctx); err != nil && !w.readsFail() {
		return fmt.Errorf("while the store had failed: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, faultPatience)
	defer cancel()
	retry := time.NewTicker(time.Millisecond)
	defer retry.Stop()
	for n := 0; ; n++ {
		if n == 5 {
			w.heal()
		}
		if err = w.put(ctx); err == nil {
			break
		}
		if !errors.Is(err, ErrFailed) {
			return fmt.Errorf("store while failed: %w", err)
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return fmt.Errorf("did not come back: %w", err)
		}
	}
	if w.config.Sync == SyncAlways && w.store.Stats().Recoveries == 0 {
		return errors.New("it took a message again without a recovery")
	}
	return nil
}

// stop stops the store, which may fail once more, and looks for what is left open.
func (w *faultWorld) stop(ctx context.Context) error {
	begin := time.Now()
	if err := w.saw(w.store.Stop(ctx)); err != nil && !errors.Is(err, blocktest.ErrInjected) {
		return fmt.Errorf("stop: %w", err)
	}
	if took := time.Since(begin); took > 0 {
		return fmt.Errorf("the stop waited until another time, for %v", took)
	}
	if w.store.Stats().Failures > 0 && w.logged {
		w.surfaced = true
	}
	if n := w.files.open.Load(); n != 0 {
		return fmt.Errorf("%d files are left open", n)
	}
	return nil
}
