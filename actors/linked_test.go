//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package actors_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestABlockMayBeALink: somebody has moved the file of one elsewhere, and left a symbolic link. The stream is opened with all
// messages, and by readers; one that leads nowhere says where to.
func TestABlockMayBeALink(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4 << 10, IndexFrom: 1}
	s := openToFail(t, config)
	for range 30 {
		mustStore(t, s, "a", string(make([]byte, 300)))
	}
	require.NoError(t, s.Stop(context.Background()))
	for _, block := range []string{"1.blk", "3.blk"} { // the last one, too
		name, target := filepath.Join(config.Dir, "ORDERS", "msgs", block), filepath.Join(t.TempDir(), block)
		require.NoError(t, os.Rename(name, target))
		require.NoError(t, os.Symlink(target, name))
		for _, readOnly := range []bool{true, false} {
			config.ReadOnly = readOnly
			s := openToFail(t, config)
			state := stateOf(t, s)
			require.EqualValues(t, 30, state.Messages)
			require.Zero(t, state.LostMessages)
			require.Len(t, pictureOf(t, s).messages, 30)
			require.NoError(t, s.Stop(context.Background()))
		}
		if block == "1.blk" {
			require.NoError(t, os.Rename(target, target+".away"))
			for _, config.ReadOnly = range []bool{true, false} {
				_, err := actors.Open(t.Context(), quiet, config)
				require.ErrorIs(t, err, blockio.ErrNotRegular)
				require.ErrorContains(t, err, name+": not a regular file, but a link to "+target)
			}
			require.NoError(t, os.Rename(target+".away", target))
		}
	}
}
