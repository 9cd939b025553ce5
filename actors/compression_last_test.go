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
// one without the blocks that were begun meanwhile. The stream is opened, and goes on in a block behind it.
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
			require.NoError(t, os.Remove(filepath.Join(config.Dir, config.Name, "msgs", blockio.EndProofFile)))

			s = open(t, config)
			state := stateOf(t, s)
			require.Greater(t, state.Messages, uint64(100))
			ack := mustStore(t, s, "s", "behind it")
			require.Equal(t, state.LastSequence+1, ack.Sequence)
			stop(t, s)
			require.FileExists(t, blockio.BlockPath(filepath.Join(config.Dir, config.Name), uint32(last+1)))
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
