package blockio

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestASharedSyncBeginsAfterItIsAskedFor: those who come while one is under way share the next one, and what it meets; another
// folder waits for none of them.
func TestASharedSyncBeginsAfterItIsAskedFor(t *testing.T) {
	broken := errors.New("broken")
	begun, goOn, ended := make(chan string), make(chan error), make(chan error)
	syncs := &sharedSyncs{syncDir: func(name string) error {
		begun <- name
		return <-goOn
	}}
	one := func(name string) { ended <- syncs.sync(name) }
	go one("data")
	require.Equal(t, "data", <-begun)

	next, running, leads := syncs.join("data")
	require.True(t, leads, "what is under way may have looked at the folder before")
	require.NotNil(t, running)
	for range 3 {
		shared, _, leads := syncs.join("data")
		require.False(t, leads)
		require.Same(t, next, shared)
	}
	go one("other")
	require.Equal(t, "other", <-begun)
	goOn <- nil // one of the two; neither waits for the other
	goOn <- nil
	require.NoError(t, <-ended)
	require.NoError(t, <-ended)

	require.NoError(t, running.wait())
	syncs.begin("data", next)
	after, running, leads := syncs.join("data")
	require.True(t, leads)
	require.Same(t, next, running)
	require.NotSame(t, next, after)
	next.err = broken
	syncs.end("data")
	next.ended.Unlock()
	require.ErrorIs(t, next.wait(), broken)
	syncs.begin("data", after)
	syncs.end("data")
	after.ended.Unlock()
	require.Empty(t, syncs.folders, "nothing is kept of what is over")
}
