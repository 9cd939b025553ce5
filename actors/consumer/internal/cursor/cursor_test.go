package cursor

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func deliver(t *testing.T, c *Cursor, sequence, key uint64, now int64) (number uint64) {
	t.Helper()
	number, ok := c.Deliver(sequence, key, now)
	require.True(t, ok)
	return number
}

// TestRewindForgetsWhatIsGone: a stream that was truncated gives sequences to other messages. Acknowledgements of those
// that had them say nothing of the new ones.
func TestRewindForgetsWhatIsGone(t *testing.T) {
	c := New(Settings{Wait: 10, MaxPending: 10, Ordered: true}, nil, 1, 0)
	deliver(t, c, 1, 1, 0)
	old := deliver(t, c, 5, 2, 0)
	c.Hold(6, 2)
	c.Advance(9)
	c.Rewind(5, 0)
	position, _ := c.Position()
	require.Equal(t, uint64(5), position)
	require.Equal(t, 1, c.Pending())
	require.Zero(t, c.Held())
	require.False(t, c.Blocked(2))
	deliver(t, c, 5, 2, 0)
	require.Equal(t, NotPending, c.Acked(5, old))
	require.Equal(t, uint64(2), c.Counts().Removed)
	c.Rewind(100, 0)
	position, _ = c.Position()
	require.Equal(t, uint64(6), position, "what is ahead does not move it")
}

// TestLastsEndBehindThem: after the last message of each subject everything is read, and a rebuilt consumer knows it.
func TestLastsEndBehindThem(t *testing.T) {
	c := New(Settings{Wait: 10, MaxPending: 10}, []byte("a"), 1, 20)
	before := c.Snapshot()
	deliver(t, c, 7, 0, 0)
	c.EndLasts()
	position, lasts := c.Position()
	require.Equal(t, []uint64{21, 0}, []uint64{position, lasts})
	c.SetConfig([]byte("a"))
	c.SetConfig([]byte("b"))
	c.EndLasts()
	rebuilt, err := Restore(c.Settings, before)
	require.NoError(t, err)
	require.NoError(t, rebuilt.Replay(c.Take()))
	require.Equal(t, c.Snapshot(), rebuilt.Snapshot())
	require.Equal(t, "b", string(rebuilt.Config()))
}

// TestPositionIsToldFarApart: a consumer whose filters select nothing is not written down for each message that passes.
func TestPositionIsToldFarApart(t *testing.T) {
	c := New(Settings{Wait: 10, MaxPending: 10}, nil, 1, 0)
	c.Advance(farMove)
	require.False(t, c.Changed())
	c.Advance(farMove + 1)
	require.True(t, c.Changed())
	before := c.Take()
	c.Advance(farMove + 9)
	c.Pause(1)
	rebuilt := New(c.Settings, nil, 1, 0)
	require.NoError(t, rebuilt.Replay(slices.Concat(before, c.Take())))
	require.Equal(t, c.Snapshot(), rebuilt.Snapshot())
}

// TestNoticesAreNumbered: who asks with the number that he knows gets what came since, as far as it is kept.
func TestNoticesAreNumbered(t *testing.T) {
	c := New(Settings{Wait: 10, MaxPending: 1000, MaxDeliver: 1}, nil, 1, 0)
	require.Empty(t, c.Notices(0))
	for sequence := uint64(1); sequence <= mostNotices+10; sequence++ {
		deliver(t, c, sequence, 0, 0)
	}
	deliver(t, c, 1000, 0, 5)
	c.Expire(12)
	all := c.Notices(0)
	require.Len(t, all, mostNotices)
	require.Equal(t, Notice{11, NoticeExhausted, 11, 1, 12}, all[0])
	require.True(t, c.Damaged(1000, 13))
	require.Equal(t, []Notice{{mostNotices + 11, NoticeDamaged, 1000, 1, 13}}, c.Notices(mostNotices+10))
	require.Empty(t, c.Notices(mostNotices+11))
	restored, err := Restore(c.Settings, c.Snapshot())
	require.NoError(t, err)
	require.Equal(t, c.Notices(0), restored.Notices(0))
}

// TestWakeAt: a consumer sleeps until a message is due or a pause is over, and no time goes around.
func TestWakeAt(t *testing.T) {
	c := New(Settings{Wait: time.Duration(math.MaxInt64), MaxPending: 10}, nil, 1, 0)
	require.Equal(t, int64(math.MaxInt64), c.WakeAt(0))
	deliver(t, c, 1, 0, 100)
	require.Equal(t, int64(math.MaxInt64), c.WakeAt(100))
	number := deliver(t, c, 2, 0, 100)
	require.Equal(t, Done, c.Delayed(2, number, 150))
	require.Equal(t, int64(150), c.WakeAt(100))
	c.Pause(120)
	require.Equal(t, int64(120), c.WakeAt(100))
	require.Equal(t, int64(150), c.WakeAt(120))
	c.Expire(150)
	require.Equal(t, int64(math.MaxInt64), c.WakeAt(150), "nobody is woken again for what is due already")
}

// TestWhatIsBeingLoadedCounts: messages that wait for their key and are being loaded take the room that they will need.
func TestWhatIsBeingLoadedCounts(t *testing.T) {
	c := New(Settings{Wait: 10, MaxPending: 2, Ordered: true}, nil, 1, 0)
	number := deliver(t, c, 1, 1, 0)
	deliver(t, c, 2, 2, 0)
	c.Hold(3, 1)
	require.Equal(t, Done, c.Acked(1, number))
	sequence, pick := c.Next(0)
	require.Equal(t, PickHeld, pick)
	require.Equal(t, uint64(3), sequence)
	_, pick = c.Next(0)
	require.Equal(t, PickNone, pick)
	c.Putback(3)
	sequence, pick = c.Next(0)
	require.Equal(t, PickHeld, pick)
	_, _, ok := c.Loaded(sequence, 1, 0)
	require.True(t, ok)
	require.Equal(t, 2, c.Pending())
	_, _, ok = c.Loaded(sequence, 1, 0)
	require.False(t, ok)
}

// TestPutOffIsNoDelivery: what cannot be loaded comes again later, without counting.
func TestPutOffIsNoDelivery(t *testing.T) {
	c := New(Settings{Wait: 10, MaxPending: 2, MaxDeliver: 2}, nil, 1, 0)
	deliver(t, c, 1, 0, 0)
	c.Expire(10)
	sequence, pick := c.Next(10)
	require.Equal(t, PickAgain, pick)
	c.PutOff(sequence, 30)
	c.Expire(29)
	_, pick = c.Next(29)
	require.Equal(t, PickNew, pick)
	require.Equal(t, int64(30), c.WakeAt(29))
	c.Expire(30)
	sequence, pick = c.Next(30)
	require.Equal(t, PickAgain, pick)
	_, deliveries, ok := c.Loaded(sequence, 0, 30)
	require.True(t, ok)
	require.Equal(t, uint64(2), deliveries)
}

// TestStrangeEventsAreRefused: events that the state does not allow are damage, not a panic.
func TestStrangeEventsAreRefused(t *testing.T) {
	for _, e := range []event{
		{kind: evAcked, sequence: 9}, {kind: evDelayed, sequence: 9, time: 1}, {kind: evDelivered, sequence: 2, time: 1},
		{kind: evHeld, sequence: 2}, {kind: evMoved, sequence: 2},
	} {
		c := New(Settings{MaxPending: 1}, nil, 5, 0)
		require.ErrorIs(t, c.Replay(e.append(nil)), ErrDamaged, "%+v", e)
	}
	c := New(Settings{MaxPending: 1}, nil, 5, 0)
	for _, bytes := range [][]byte{{0}, {99}, {byte(evAcked)}, {byte(evAcked), 0}, {byte(evPaused)}, {byte(evConfig), 9, 1}} {
		require.ErrorIs(t, c.Replay(bytes), ErrDamaged, "%v", bytes)
	}
	good := New(Settings{MaxPending: 1}, []byte("c"), 5, 0)
	deliver(t, good, 7, 0, 0)
	snapshot := good.Snapshot()
	for cut := range snapshot {
		_, err := Restore(Settings{}, snapshot[:cut])
		require.ErrorIs(t, err, ErrDamaged, "%d bytes", cut)
	}
	_, err := Restore(Settings{}, append(snapshot, 0))
	require.ErrorIs(t, err, ErrDamaged)
}

// FuzzRestore looks for snapshots and events that make something that is not a state.
func FuzzRestore(f *testing.F) {
	f.Fuzz(func(t *testing.T, snapshot, events []byte, ordered bool) {
		s := Settings{Wait: 10, MaxPending: 4, MaxDeliver: 2, Ordered: ordered}
		c, err := Restore(s, snapshot)
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged)
			return
		}
		if err := c.Replay(events); err != nil {
			require.ErrorIs(t, err, ErrDamaged)
			return
		}
		again, err := Restore(s, c.Snapshot())
		require.NoError(t, err)
		require.Equal(t, c.Snapshot(), again.Snapshot())
		// It can be used.
		again.Expire(math.MaxInt64)
		for range 8 {
			sequence, pick := again.Next(math.MaxInt64)
			if pick == PickAgain || pick == PickHeld {
				again.Loaded(sequence, 1, 1)
			}
		}
		again.Rewind(1, 1)
		require.Zero(t, again.Pending()+again.Held())
	})
}
