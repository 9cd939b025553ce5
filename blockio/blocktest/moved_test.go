package blocktest_test

import (
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestWhatIsMovedHasOneName after a crash, whatever the mode leaves of the changes of the two directories.
func TestWhatIsMovedHasOneName(t *testing.T) {
	m := blocktest.NewMemFS()
	touch := func(name string) {
		file, err := m.OpenFile(name, blockio.ModeCreate)
		require.NoError(t, err)
		require.NoError(t, file.Close())
	}
	for _, dir := range []string{"a/x", "b"} {
		require.NoError(t, m.MkdirAll(dir))
	}
	touch("a/1")
	touch("b/1")
	require.NoError(t, m.Rename("a/x", "b/y"))
	touch("a/2")
	names := map[bool]int{}
	for _, mode := range blocktest.CrashModes {
		for seed := range int64(100) {
			image := m.CrashImage(mode, rand.New(rand.NewSource(seed)))
			_, before := image.ReadDir("a/x")
			_, after := image.ReadDir("b/y")
			require.NotEqual(t, before == nil, after == nil, "%v, seed %d", mode, seed)
			names[after == nil]++
		}
	}
	require.Len(t, names, 2)
}
