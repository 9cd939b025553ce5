package actors_test

import (
	"fmt"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// filesEnding returns how many files in the directory of a stream's blocks have an ending.
func filesEnding(t *testing.T, files *blocktest.FaultFS, ending string) (n int) {
	t.Helper()
	entries, err := files.ReadDir("streams/ORDERS/msgs")
	require.NoError(t, err)
	for _, e := range entries {
		if strings.HasSuffix(e.Name, ending) {
			n++
		}
	}
	return n
}

// truncateReading truncates a stream, all blocks of which but the last have their indexes, and returns which blocks and
// indexes it has opened until the reply.
func truncateReading(t *testing.T, s *actors.Store, files *blocktest.FaultFS, last uint64) map[string]bool {
	t.Helper()
	eventually(t, func() bool { return filesEnding(t, files, ".bix") >= filesEnding(t, files, ".blk")-1 })
	read := make(map[string]bool)
	var reading sync.Mutex
	files.SetHook(func(op blocktest.Op) blocktest.Fault {
		if name := path.Base(op.Name); op.Kind == blocktest.OpOpen && (strings.HasSuffix(name, ".blk") || strings.HasSuffix(name, ".bix")) {
			reading.Lock()
			defer reading.Unlock()
			read[name] = true
		}
		return blocktest.Fault{}
	})
	_, err := s.Truncate(t.Context(), last)
	files.SetHook(nil)
	require.NoError(t, err)
	require.Equal(t, last, stateOf(t, s).LastSequence)
	return read
}

// TestATruncationReadsTheBlockThatIsCut, and neither the others nor their indexes, where these have messages of few subjects
// alone: also behind a truncation, and when the stream was opened. Another open finds the same.
func TestATruncationReadsTheBlockThatIsCut(t *testing.T) {
	config := actors.Config{BlockSize: 4 << 10, IndexFrom: 1}
	s, files := faulty(t, config)
	config.FS, config.Dir, config.Name = files, "streams", "ORDERS"
	for i := range 44 { // four to a block
		mustStore(t, s, fmt.Sprint("foo.", i%3), fmt.Sprintf("%900d", i))
	}
	for _, row := range []struct {
		last uint64
		read map[string]bool
	}{
		{34, map[string]bool{"9.blk": true, "12.blk": true, "12.bix": true, "9.bix": true}},
		{30, map[string]bool{"8.blk": true, "13.blk": true, "13.bix": true, "8.bix": true}},
		{17, map[string]bool{"5.blk": true, "14.blk": true, "14.bix": true, "5.bix": true}},
	} {
		for name := range truncateReading(t, s, files, row.last) {
			require.True(t, row.read[name], "%s was read to truncate to %d", name, row.last)
		}
		text, state := logText(t, s), stateOf(t, s)
		require.NoError(t, s.Stop(t.Context()))
		s = open(t, config)
		require.Equal(t, text, logText(t, s))
		require.Equal(t, state, stateOf(t, s))
		require.Zero(t, state.LostMessages)
	}
}

// TestATruncationReadsWhatHasNoIndex, which it is to get: it is gone, as any file that is derived may be.
func TestATruncationReadsWhatHasNoIndex(t *testing.T) {
	s, files := faulty(t, actors.Config{BlockSize: 4 << 10, IndexFrom: 1})
	for i := range 20 {
		mustStore(t, s, "foo", fmt.Sprintf("%900d", i))
	}
	eventually(t, func() bool { return filesEnding(t, files, ".bix") == 4 })
	require.NoError(t, files.Remove("streams/ORDERS/msgs/2.bix"))
	_, err := s.Truncate(t.Context(), 14)
	require.NoError(t, err)
	got, _ := collect(t, s)
	require.Len(t, got, 14)
	eventually(t, func() bool { return filesEnding(t, files, ".bix") == 4 })
}
