package blockio

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEndProof is read back as it was written; every bit and every length of it matters.
func TestEndProof(t *testing.T) {
	for name, row := range map[string]struct {
		proof  EndProof
		layout string
	}{
		"version 1": {EndProof{Block: 7, Size: 12345, Sequence: 1 << 40},
			"4d52454e4450524601000000070000003930000000000000000000000001000000000000ded3b195"},
		"version 2": {EndProof{Block: 7, Size: 12345, Sequence: 1 << 40, First: 258},
			"4d52454e445052460200000007000000393000000000000000000000000100000201000000000000000000006b105552"},
	} {
		t.Run(name, func(t *testing.T) { testEndProof(t, row.proof, row.layout) })
	}
}

func testEndProof(t *testing.T, want EndProof, layout string) {
	dir := t.TempDir()
	require.NoError(t, OS.MkdirAll(BlocksDir(dir)))
	b := NewBlocks(OS, dir, "ORDERS", BlocksOptions{})
	_, ok, err := b.ReadEndProof()
	require.NoError(t, err)
	require.False(t, ok)
	require.NoError(t, b.WriteEndProof(want))
	got, ok, err := b.ReadEndProof()
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, want, got)

	name := filepath.Join(BlocksDir(dir), EndProofFile)
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, layout, hex.EncodeToString(data), "the layout")
	for i := range 8 * len(data) {
		flipped := append([]byte(nil), data...)
		flipped[i/8] ^= 1 << (i % 8)
		_, ok := decodeEndProof(flipped)
		require.False(t, ok, "bit %d", i)
	}
	for n := range 2 * len(data) {
		require.NoError(t, os.WriteFile(name, append(append([]byte(nil), data...), make([]byte, len(data))...)[:n], 0o600))
		_, ok, err := b.ReadEndProof()
		require.NoError(t, err)
		require.Equal(t, n == len(data), ok, "%d bytes", n)
	}
}

// FuzzEndProof: no bytes make it panic, and what is accepted is what is written for it.
func FuzzEndProof(f *testing.F) {
	f.Add(EndProof{Block: 1, Size: 30, Sequence: 1}.encode())
	f.Add(EndProof{Block: 1, Size: 30, Sequence: 7, First: 3}.encode())
	f.Add([]byte(endProofMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, ok := decodeEndProof(data); ok {
			require.Equal(t, data, p.encode())
		}
	})
}
