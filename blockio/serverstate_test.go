package blockio

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// serverStates are files that nats-server has written, by the names of their streams.
var serverStates = map[string]struct {
	file string
	want ServerState
}{
	"EMPTY": {"0b04 00 00 00 00 00 00 00 01 01 00 01 00 00 00 00 00 00 01 0000000000000000 ea09ca03d0d24706", ServerState{}},
	"BASIC": {"0b04 03 8901 01 8080d0e2c6bfce972f 03 8480d0e2c6bfce972f 02 05666f6f2e62 01 01 01 05666f6f2e61 02 01 01" +
		"01 01 8901 01 00 03 04 00 00 00 01 9096064038c4599e 17b80c4f771e6f50", ServerState{First: 1, Last: 3}},
	"PRG": {"0b04 00 00 06 00 05 8a80d0e2c6bfce972f 00 01 02 00 06 00 05 8a80d0e2c6bfce972f 00 00 00 02 50ef6185d37ad4ba bfc7b21b2c4dceeb",
		ServerState{First: 6, Last: 5}},
}

// TestServerState is read as a server wrote it; every bit and every length of it matters.
func TestServerState(t *testing.T) {
	for stream, row := range serverStates {
		data, err := hex.DecodeString(strings.ReplaceAll(row.file, " ", ""))
		require.NoError(t, err)
		dir := t.TempDir()
		require.NoError(t, OS.MkdirAll(BlocksDir(dir)))
		b := NewBlocks(OS, dir, stream, BlocksOptions{})
		_, ok, err := b.ReadServerState()
		require.NoError(t, err)
		require.False(t, ok, "there is none")
		require.NoError(t, os.WriteFile(filepath.Join(BlocksDir(dir), StateFile), data, 0o600))
		got, ok, err := b.ReadServerState()
		require.NoError(t, err)
		require.True(t, ok, stream)
		require.Equal(t, row.want, got)
		for i := range 8 * len(data) {
			flipped := append([]byte(nil), data...)
			flipped[i/8] ^= 1 << (i % 8)
			_, ok := decodeServerState(stream, flipped)
			require.False(t, ok, "%s: bit %d", stream, i)
		}
		for n := range data {
			_, ok := decodeServerState(stream, data[:n])
			require.False(t, ok, "%s: %d bytes", stream, n)
		}
		_, ok = decodeServerState("OTHER", data)
		require.False(t, ok, "another stream's")
	}
}
