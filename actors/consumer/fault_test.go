package consumer

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// faultWorld is a world whose stream with the state has a file system that fails.
func faultWorld(t *testing.T, sync actors.SyncLevel) (*world, *blocktest.MemFS, *blocktest.FaultFS) {
	w := &world{t: t, dir: t.TempDir()}
	w.source = w.open(actors.Config{Name: "WORK"})
	mem := blocktest.NewMemFS()
	faults := blocktest.NewFaultFS(mem)
	w.state = w.open(actors.Config{Name: "STATE", FS: faults, Sync: sync, RetryMin: time.Millisecond, RetryMax: time.Millisecond})
	return w, mem, faults
}

// TestAFailedWriteCostsNothingThatWasConfirmed has each write and sync of the stream with the state fail in turn. Whatever
// becomes of verdicts that were on their way, the consumer goes on by itself, each message is handled, what was
// confirmed does not come again, and each message has one result.
func TestAFailedWriteCostsNothingThatWasConfirmed(t *testing.T) {
	const messages = 12
	for _, kind := range []blocktest.OpKind{blocktest.OpWrite, blocktest.OpSync} {
		at, step := 0, 1
		if testing.Short() {
			step = 7
		}
		for {
			w, _, faults := faultWorld(t, actors.SyncAlways)
			w.publishMany(messages)
			begin := faults.CountOf(kind)
			fired := false
			faults.SetHook(func(op blocktest.Op) blocktest.Fault {
				if op.Kind != kind || op.KindIndex != begin+at {
					return blocktest.Fault{}
				}
				fired = true
				return blocktest.Fault{Err: blocktest.ErrInjected, Forget: kind == blocktest.OpSync}
			})
			config := Config{Name: "c", AckWait: 5 * time.Millisecond, MaxAckPending: 3}
			c, err := Open(t.Context(), testSystem, w.source, w.state, config)
			for err != nil { // it was the first write
				require.ErrorIs(t, err, actors.ErrFailed)
				require.NoError(t, w.state.Ready(t.Context()))
				c, err = Open(t.Context(), testSystem, w.source, w.state, config)
			}
			w.handleAll(c, messages)
			faults.SetHook(nil)
			require.NoError(t, c.Stop(t.Context()))
			require.NoError(t, w.source.Stop(t.Context()))
			require.NoError(t, w.state.Stop(t.Context()))
			if !fired {
				break
			}
			at += step
		}
		require.Greater(t, at, messages, "the sweep has come to its end")
	}
}

// handleAll settles every message, half of them with a result.
func (w *world) handleAll(c *Consumer, messages int) {
	t := w.t
	done := map[uint64]bool{}
	for {
		list, err := c.Pull(t.Context(), Pull{Batch: 2, Expires: 10 * time.Millisecond})
		if err != nil { // it has expired before the stream with the state was back
			require.ErrorIs(t, err, actors.ErrFailed)
			require.NoError(t, w.state.Ready(t.Context()))
		}
		for _, d := range list {
			require.False(t, done[d.Sequence], "message %d was confirmed, and came again", d.Sequence)
			err := w.handleOne(c, d)
			done[d.Sequence] = err == nil
			if err != nil && !errors.Is(err, ErrNotPending) {
				require.ErrorIs(t, err, actors.ErrFailed)
			}
		}
		if s := w.stats(c); s.Lag == 0 && s.Pending == 0 && s.Failed == nil {
			break
		}
	}
	totals, err := w.state.SubjectsTotals(t.Context(), actors.Filter("out.*"))
	require.NoError(t, err)
	require.Len(t, totals, messages/2)
	for subject, n := range totals {
		require.Equal(t, uint64(1), n, subject)
	}
	require.Equal(t, uint64(messages), w.stats(c).Floor)
}

func (w *world) handleOne(c *Consumer, d Delivery) error {
	if d.Sequence%2 == 1 {
		return c.Ack(w.t.Context(), d.Token)
	}
	_, err := c.AckWith(w.t.Context(), output(fmt.Sprint("out.", d.Sequence), "x"), d.Token)
	return err
}

// TestPowerLossKeepsWhatWasConfirmed: of the state as it is on the disk at any moment nothing is missing that was
// answered: no acknowledgement, no delivery, no delay.
func TestPowerLossKeepsWhatWasConfirmed(t *testing.T) {
	w, mem, _ := faultWorld(t, actors.SyncAlways)
	w.publishMany(40)
	c := w.consumer(Config{AckWait: time.Hour})
	rng := rand.New(rand.NewSource(1))
	settled := map[uint64]bool{}
	for range 10 {
		list := w.pull(c, 3)
		require.NoError(t, c.Ack(t.Context(), list[0].Token))
		require.NoError(t, c.Nak(t.Context(), time.Hour, list[1].Token))
		settled[list[0].Sequence] = true

		crashed := mem.CrashImage(blocktest.DropUnsynced, rng)
		store, err := actors.Open(t.Context(), testSystem, actors.Config{Dir: w.dir, Name: "STATE", FS: crashed})
		require.NoError(t, err)
		h, err := loadState(t.Context(), store, stateSubject("WORK", "c"))
		require.NoError(t, err)
		core, _, err := h.rebuild()
		require.NoError(t, err)
		s := w.stats(c)
		require.Equal(t, s.Delivered, core.Delivered())
		require.Equal(t, s.Naked, core.Counts().Delayed)
		require.Equal(t, s.Pending, core.Pending())
		for sequence := range core.Outstanding() {
			require.False(t, settled[sequence])
		}
		require.NoError(t, store.Stop(context.Background()))
	}
}

// TestAFullStreamHoldsDeliveries: while the stream with the state has no room nothing is delivered and nothing is
// confirmed, and afterwards the consumer goes on.
func TestAFullStreamHoldsDeliveries(t *testing.T) {
	w := newWorld(t)
	w.publishMany(50)
	full := actors.Config{Name: "FULL", MaxBytes: 3000, Discard: actors.DiscardNew}
	w.state = w.open(full)
	c := w.consumer(Config{AckWait: time.Hour, MaxAckPending: 8})
	list := w.pull(c, 2)
	state, err := w.state.FastState(t.Context())
	require.NoError(t, err)
	room := full.MaxBytes - int64(state.Bytes) - int64(actors.RecordSize(4, 0, 0))
	_, err = w.state.StoreMsg(t.Context(), "fill", nil, make([]byte, room))
	require.NoError(t, err)
	require.ErrorIs(t, c.Ack(t.Context(), list[0].Token), actors.ErrMaxBytes)
	require.ErrorIs(t, w.stats(c).Failed, actors.ErrMaxBytes)
	_, err = c.Pull(t.Context(), Pull{})
	require.ErrorIs(t, err, actors.ErrMaxBytes)
	_, err = w.state.PurgeEx(t.Context(), actors.Literal("fill"), 0, 0)
	require.NoError(t, err)
	more := w.pullAll(c, 2)
	require.Equal(t, []uint64{3, 4}, sequences(more))
	require.NoError(t, c.Ack(t.Context(), append(tokens(list), tokens(more)...)...))
}

// TestAWeakLevelLosesAndGoesOn: with SyncInterval a disk that fails costs what was not synced yet, also what was
// confirmed. The consumer goes on with what is left.
func TestAWeakLevelLosesAndGoesOn(t *testing.T) {
	w, _, faults := faultWorld(t, actors.SyncInterval)
	w.publishMany(4)
	c := w.consumer(Config{AckWait: 50 * time.Millisecond})
	require.NoError(t, w.state.Flush(t.Context()))
	list := w.pull(c, 4)
	require.NoError(t, c.Ack(t.Context(), tokens(list)...))
	fail := faults.CountOf(blocktest.OpSync)
	faults.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpSync && op.KindIndex == fail {
			return blocktest.Fault{Err: blocktest.ErrInjected, Forget: true}
		}
		return blocktest.Fault{}
	})
	require.ErrorIs(t, w.state.Flush(t.Context()), actors.ErrFailed)
	require.NoError(t, w.state.Ready(t.Context()))
	w.publish("more") // what it knew is not on the disk, which it learns when it stores
	handled := map[uint64]bool{}
	for len(handled) < 5 {
		again, err := c.Pull(t.Context(), Pull{Batch: 5, Expires: time.Minute})
		require.NoError(t, err)
		require.NoError(t, c.Ack(t.Context(), tokens(again)...))
		for _, d := range again {
			handled[d.Sequence] = true
		}
	}
	require.Equal(t, uint64(5), w.stats(c).Floor)
	require.NoError(t, c.Err())
}

// TestAReadOnlyStream can be consumed, as the state is elsewhere.
func TestAReadOnlyStream(t *testing.T) {
	w := newWorld(t)
	w.publish("a", "b")
	require.NoError(t, w.source.Stop(t.Context()))
	w.source = w.open(actors.Config{Name: "WORK", ReadOnly: true})
	c := w.consumer(Config{})
	list := w.pull(c, 5)
	require.Equal(t, []uint64{1, 2}, sequences(list))
	require.NoError(t, c.Ack(t.Context(), tokens(list)...))
	require.Zero(t, w.stats(c).Lag)
}
