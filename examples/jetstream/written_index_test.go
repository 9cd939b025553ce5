package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// TestServerBelievesAnIndexOfOurs: a server goes by an index.db that we have made of what another one says, with sets
// of sequences of our own and the subjects in another order. What that alone says of the directory shows it.
func TestServerBelievesAnIndexOfOurs(t *testing.T) {
	const stream = "HEADT"
	for _, row := range []struct {
		name    string
		change  func(t *testing.T, path string, x *streamstate.Index)
		deleted []uint64
	}{
		{"ours", func(t *testing.T, path string, x *streamstate.Index) {
			for i := range x.Blocks {
				if b := &x.Blocks[i]; b.Deleted != nil {
					b.Deleted = streamstate.NewSet(b.Deleted.Ranges())
				}
			}
			require.NoError(t, os.WriteFile(path, x.Append(nil, stream), 0o600))
		}, []uint64{3, 6, 7, 12, 13, 14, 16, 17}},
		{"none", func(t *testing.T, path string, _ *streamstate.Index) { require.NoError(t, os.Remove(path)) },
			[]uint64{3, 12, 13, 14, 16, 17}},
	} {
		t.Run(row.name, func(t *testing.T) {
			storeDir := t.TempDir()
			require.NoError(t, oracle.Place(storeDir, stream, filepath.Join(goldens, "head-tombstones-lost", "streams", stream)))
			path := filepath.Join(oracle.StreamDir(storeDir, stream), "msgs", "index.db")
			file, err := os.ReadFile(path)
			require.NoError(t, err)
			x, err := streamstate.DecodeIndex(stream, file)
			require.NoError(t, err)
			require.NoError(t, x.Check())
			require.Equal(t, file, x.Append(nil, stream), "as it was")
			row.change(t, path, x)
			server, err := oracle.Start(storeDir)
			require.NoError(t, err)
			t.Cleanup(server.Stop)
			state, err := server.State(t.Context(), stream)
			require.NoError(t, err)
			require.ElementsMatch(t, row.deleted, state.Deleted)
		})
	}
}

// TestMillraceAndServerAgreeOnWhatIndexesSay: where index.db says more than the blocks, and where not.
func TestMillraceAndServerAgreeOnWhatIndexesSay(t *testing.T) {
	for _, name := range []string{"head-tombstones-lost", "many-subjects", "purged", "first-seq"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			require.NoError(t, verify(t.Context(), filepath.Join(goldens, name, "streams"), t.TempDir(), &out))
			require.Contains(t, out.String(), "agree")
		})
	}
}
