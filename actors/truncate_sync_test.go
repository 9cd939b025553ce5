package actors_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// truncationSyncs truncates a stream of so many messages, four to a block, to the third one, and returns how many syncs
// that took, of files and of directories. What was cut off is gone from the disk when the stream has stopped.
func truncationSyncs(t *testing.T, messages int) (syncs int64) {
	s, files := faulty(t, actors.Config{BlockSize: 4 << 10, IndexFrom: -1})
	for i := range messages {
		mustStore(t, s, "foo", fmt.Sprintf("%900d", i))
	}
	var n atomic.Int64
	files.SetHook(func(op blocktest.Op) blocktest.Fault {
		if op.Kind == blocktest.OpSync || op.Kind == blocktest.OpSyncDir {
			n.Add(1)
		}
		return blocktest.Fault{}
	})
	_, err := s.Truncate(t.Context(), 3)
	require.NoError(t, err)
	files.SetHook(nil)
	syncs = n.Load()
	require.NoError(t, s.Stop(t.Context()))
	entries, err := files.ReadDir("streams/ORDERS/msgs")
	require.NoError(t, err)
	blocks := 0
	for _, e := range entries {
		require.False(t, strings.HasSuffix(e.Name, ".tmp"), e.Name)
		if strings.HasSuffix(e.Name, ".blk") {
			blocks++
		}
	}
	require.LessOrEqual(t, blocks, 2)
	return syncs
}

// TestATruncationSyncsOnceForAllBlocks: however many go.
func TestATruncationSyncsOnceForAllBlocks(t *testing.T) {
	few, many := truncationSyncs(t, 12), truncationSyncs(t, 80)
	require.Equal(t, few, many)
	require.LessOrEqual(t, many, int64(4))
}

// TestStoresBehindATruncationSurviveACrash, and so do truncations one after the other: after a crash before each file
// operation the stream is as one of the calls has left it, and as the last one that was acknowledged or later.
func TestStoresBehindATruncationSurviveACrash(t *testing.T) {
	config := actors.Config{BlockSize: 4 << 10}
	var states []string
	crashEach(t, config, func(s *actors.Store) {
		for i := range 18 {
			mustStore(t, s, "foo", fmt.Sprintf("%900d", i))
		}
		_, err := s.RemoveMsg(t.Context(), 3)
		require.NoError(t, err)
		states = []string{logText(t, s)}
	}, func(s *actors.Store) {
		note := func() { states = append(states, logText(t, s)) }
		truncate := func(above uint64) {
			_, err := s.Truncate(t.Context(), above)
			require.NoError(t, err)
			note()
		}
		store := func(n int) {
			for i := range n {
				mustStore(t, s, "new", fmt.Sprintf("%900d", i))
				note()
			}
		}
		truncate(10)
		store(6)
		truncate(12)
		store(1)
		truncate(0)
		store(1)
	}, func(s *actors.Store, image crashImage) {
		got := logText(t, s)
		if image.done {
			require.Equal(t, states[len(states)-1], got, "%v %v", image.op, image.mode)
		} else {
			require.True(t, slices.Contains(states, got), "%v %v: %s", image.op, image.mode, got)
		}
		require.Zero(t, stateOf(t, s).LostMessages, "%v %v", image.op, image.mode)
		last := stateOf(t, s).LastSequence
		require.Equal(t, last+1, mustStore(t, s, "newer", "x").Sequence)
	})
}

// logText describes the messages of a stream, and its last sequence.
func logText(t *testing.T, s *actors.Store) string {
	t.Helper()
	var all strings.Builder
	for m, err := range s.Messages(t.Context()) {
		require.NoError(t, err)
		fmt.Fprintf(&all, "%d %s %s, ", m.Sequence, m.Subject, strings.TrimSpace(string(m.Payload)))
	}
	return fmt.Sprintf("%slast %d", all.String(), stateOf(t, s).LastSequence)
}

// TestWhatWasCutOffIsRemoved from the disk a while after the reply, and not before.
func TestWhatWasCutOffIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := blocktest.NewMemFS()
		s := open(t, actors.Config{Dir: "streams", Name: "ORDERS", FS: files, BlockSize: 4 << 10})
		for i := range 18 {
			mustStore(t, s, "foo", fmt.Sprintf("%900d", i))
		}
		left := func() (names []string) {
			entries, err := files.ReadDir("streams/ORDERS/msgs")
			require.NoError(t, err)
			for _, e := range entries {
				if strings.HasSuffix(e.Name, ".tmp") {
					names = append(names, e.Name)
				}
			}
			return names
		}
		for _, above := range []uint64{14, 3} {
			_, err := s.Truncate(t.Context(), above)
			require.NoError(t, err)
		}
		require.Contains(t, left(), "2.rewrite.tmp")
		<-time.After(2 * time.Second)
		synctest.Wait()
		require.Empty(t, left())
		require.Equal(t, uint64(4), mustStore(t, s, "new", "x").Sequence)
	})
}
