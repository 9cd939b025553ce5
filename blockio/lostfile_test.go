package blockio

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLostFile is read back as it was written; every bit and every length of it matters.
func TestLostFile(t *testing.T) {
	for name, row := range map[string]struct {
		ranges []LostRange
		layout string
	}{
		"version 1": {[]LostRange{{Block: 1, First: 4, Last: 7}, {Block: 2, First: 9, Last: 1 << 40}},
			"4d524c4f535453510100000002000000" + "0100000004000000000000000700000000000000" +
				"0200000009000000000000000000000000010000"},
		"version 2": {[]LostRange{{Block: 1, First: 4, Last: 7, Bytes: 258}, {Block: 2, First: 9, Last: 1 << 40}},
			"4d524c4f535453510200000002000000" + "0100000004000000000000000700000000000000" + "0201000000000000" +
				"0200000009000000000000000000000000010000" + "0000000000000000"},
	} {
		t.Run(name, func(t *testing.T) { testLostFile(t, row.ranges, row.layout) })
	}
}

func testLostFile(t *testing.T, want []LostRange, layout string) {
	dir := t.TempDir()
	require.NoError(t, OS.MkdirAll(BlocksDir(dir)))
	b := NewBlocks(OS, dir, "ORDERS", BlocksOptions{})
	got, err := b.ReadLost()
	require.NoError(t, err)
	require.Empty(t, got)
	require.NoError(t, b.WriteLost(want))
	got, err = b.ReadLost()
	require.NoError(t, err)
	require.Equal(t, want, got)

	name := filepath.Join(BlocksDir(dir), LostFile)
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, layout, hex.EncodeToString(data[:len(data)-4]), "the layout")
	for i := range 8 * len(data) {
		flipped := append([]byte(nil), data...)
		flipped[i/8] ^= 1 << (i % 8)
		_, ok := decodeLost(flipped)
		require.False(t, ok, "bit %d", i)
	}
	for n := range 2 * len(data) {
		require.NoError(t, os.WriteFile(name, append(append([]byte(nil), data...), make([]byte, len(data))...)[:n], 0o600))
		got, err := b.ReadLost()
		require.NoError(t, err)
		require.Equal(t, n == len(data), len(got) > 0, "%d bytes", n)
	}
	require.NoError(t, b.WriteLost(nil))
	require.NoFileExists(t, name)
}

// FuzzLost: no bytes make it panic, and what is accepted is what is written for it.
func FuzzLost(f *testing.F) {
	f.Add(encodeLost([]LostRange{{Block: 1, First: 2, Last: 3}}))
	f.Add(encodeLost([]LostRange{{Block: 1, First: 2, Last: 3, Bytes: 4}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if ranges, ok := decodeLost(data); ok {
			require.Equal(t, data, encodeLost(ranges))
		}
	})
}
