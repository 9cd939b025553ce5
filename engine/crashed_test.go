package engine

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnInterruptedPublicationKeepsNobodyWaiting: an engine has panicked while it published. Readers see what was
// published before, and whatever is asked of the engine that takes its place is refused.
func TestAnInterruptedPublicationKeepsNobodyWaiting(t *testing.T) {
	pub := NewPublished()
	n := noNumbers()
	n.counts[countMessages], n.counts[countFirst], n.counts[countLast] = 3, 1, 3
	pub.publish(&n)
	want := pub.State()
	e := &Engine{pub: pub, durability: durability{written: logPoint{end: Position{7, 100}}}}
	e.durability.durable.end = Position{6, 50}
	pub.turn.Add(1)

	why := errors.New("a panic")
	r := e.Refusing(why)
	require.Equal(t, want, pub.State())
	require.Equal(t, want, pub.Snapshot().State)
	require.Equal(t, Position{7, 100}, r.WrittenTo())
	require.Equal(t, Position{6, 50}, r.SyncedTo())
	r.Tick(5)
	r.Step("store", &Store{})
	r.Step("flush", &Flush{})
	require.Empty(t, r.Lose(Loss{}))
	_, wakes := r.NextTick()
	require.False(t, wakes)
	ready := r.Ready()
	require.Equal(t, []Reply{{Tag: "store", Err: why}, {Tag: "flush", Err: why}}, ready.Replies)
	require.Nil(t, ready.Commit)
	require.Empty(t, ready.Maintenance)
	other := errors.New("too many of them")
	r.RefuseWith(other)
	r.Step("later", &Flush{})
	require.Equal(t, []Reply{{Tag: "later", Err: other}}, r.Settled())
	r.Release()
}
