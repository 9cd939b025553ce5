package actors_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestAStreamWhoseLastBlockIsCompressed: nobody leaves one, but whoever copies a directory in which somebody writes may get
// one without the blocks that were begun meanwhile. The stream is opened, and the block is plain again, before anybody appends
// to it: a nats-server would do that as if it was.
func TestAStreamWhoseLastBlockIsCompressed(t *testing.T) {
	for _, indexes := range []bool{true, false} {
		t.Run(fmt.Sprintf("indexes %v", indexes), func(t *testing.T) {
			config := compressionConfig(t)
			s := open(t, config)
			for i := range 600 {
				mustStore(t, s, "s", fmt.Sprintf("%d %s", i, strings.Repeat("order ", 60)))
			}
			require.NoError(t, s.Flush(t.Context()))
			eventually(t, func() bool { return s.Stats().Unindexed == 0 && plainFiles(t, config) <= 2 })
			stop(t, s)
			files := compressedFiles(t, config)
			last := len(files)
			for dir := filepath.Join(config.Dir, config.Name); last > 0 && !files[last-1]; last-- {
				require.NoError(t, os.Remove(blockio.BlockPath(dir, uint32(last))))
			}
			require.Greater(t, last, 1)
			if !indexes {
				dropIndexFiles(t, config)
			}
			for _, name := range []string{blockio.EndProofFile, blockio.StateFile} { // as in a copy of an open stream
				require.NoError(t, os.Remove(filepath.Join(config.Dir, config.Name, "msgs", name)))
			}

			s = open(t, config)
			state := stateOf(t, s)
			require.Greater(t, state.Messages, uint64(100))
			stop(t, s)
			require.False(t, compressedFiles(t, config)[last-1])
			require.FileExists(t, filepath.Join(config.Dir, config.Name, "msgs", "index.db"))
			s = open(t, config)
			require.Equal(t, state, stateOf(t, s))
			ack := mustStore(t, s, "s", "behind it")
			require.Equal(t, state.LastSequence+1, ack.Sequence)
			stop(t, s)
			s = open(t, config)
			require.Equal(t, state.Messages+1, stateOf(t, s).Messages)
			for m, err := range s.Messages(t.Context()) {
				require.NoError(t, err)
				require.NotEmpty(t, m.Payload)
			}
			stop(t, s)
		})
	}
}
