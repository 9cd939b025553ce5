package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// indexOf is the index.db of the stream in a directory.
func indexOf(dir string) string { return filepath.Join(dir, scriptStream, "msgs", "index.db") }

// theirsOf is what a server finds in a copy of a directory that change has changed.
func theirsOf(t *testing.T, dir string, change func(index string)) scriptState {
	t.Helper()
	copied := t.TempDir()
	require.NoError(t, oracle.CopyStream(copied, dir))
	change(indexOf(copied))
	store := openTheirs(t, copied, -1)
	state, err := store.observe()
	require.NoError(t, err)
	require.NoError(t, store.Stop())
	return state
}

// TestOurIndexesCostAServerNothing: whatever becomes of the index.db that Millrace has left, also when it is one that
// it has left at any time before, a server finds what it finds without.
func TestOurIndexesCostAServerNothing(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			indexes, left := ourIndexes(t, seed, dir)
			require.NotEmpty(t, indexes)
			last := indexes[len(indexes)-1]
			put := func(data []byte) func(string) {
				return func(index string) { require.NoError(t, os.WriteFile(index, data, 0o600)) }
			}
			none := theirsOf(t, dir, func(index string) { require.NoError(t, os.RemoveAll(index)) })
			require.Equal(t, left, none)
			require.Equal(t, none, theirsOf(t, dir, func(string) {}), "as it is")
			flipped := slices.Clone(last)
			flipped[len(flipped)/2] ^= 4
			require.Equal(t, none, theirsOf(t, dir, put(flipped)), "flipped")
			require.Equal(t, none, theirsOf(t, dir, put(last[:len(last)/2])), "cut")
			for i, earlier := range indexes[:len(indexes)-1] {
				require.Equal(t, none, theirsOf(t, dir, put(earlier)), "of stop %d", i)
			}
		})
	}
}

// ourIndexes has Millrace run a script, and returns the index.db of each of its stops, and what it has left.
func ourIndexes(t *testing.T, seed uint64, dir string) (indexes [][]byte, left scriptState) {
	t.Helper()
	maker := &scriptMaker{random: rand.New(rand.NewPCG(seed, 17))}
	for range 8 {
		store := openOurs(t, dir, -1, seed%3 == 2)
		for _, op := range maker.operations(12) {
			if op.maxPer != 0 {
				continue
			}
			if _, err := op.run(store); op.above == 0 { // others may be beyond the end
				require.NoError(t, err, op.text)
			}
		}
		var err error
		left, err = store.observe()
		require.NoError(t, err)
		require.NoError(t, store.Stop(t.Context()))
		if index, err := os.ReadFile(indexOf(dir)); err == nil {
			indexes = append(indexes, index)
		}
	}
	return indexes, left
}

// TestAServerGoesByAnIndexOfOurs: it has what the file says that Millrace left, and not what the blocks say.
func TestAServerGoesByAnIndexOfOurs(t *testing.T) {
	dir := t.TempDir()
	store := openOurs(t, dir, -1, false)
	for i := range 100 {
		require.NoError(t, store.store(fmt.Sprint("s.", i%7, ".a"), nil, make([]byte, 200)))
	}
	for _, sequence := range []uint64{2, 30, 31} {
		_, err := store.remove(sequence)
		require.NoError(t, err)
	}
	require.NoError(t, store.Stop(t.Context()))
	state := theirsOf(t, dir, func(index string) {
		file, err := os.ReadFile(index)
		require.NoError(t, err)
		x, err := streamstate.DecodeIndex(scriptStream, file)
		require.NoError(t, err)
		require.NoError(t, x.Check())
		b := &x.Blocks[3]
		require.Nil(t, b.Deleted)
		size := b.Bytes / b.Messages()
		b.Deleted = streamstate.NewSet(func(yield func(first, last uint64) bool) { yield(b.First+1, b.First+1) })
		b.Bytes, x.Bytes, x.Messages = b.Bytes-size, x.Bytes-size, x.Messages-1
		require.NoError(t, os.WriteFile(index, x.Append(nil, scriptStream), 0o600))
	})
	require.Equal(t, uint64(96), state.Messages)
	require.Len(t, state.Deleted, 4)
}

// TestAServerFindsSubjectsWhereAnIndexOfOursSays: behind a purge there is a block of a tombstone alone when the next message
// is too large for it. A server that is told that the subject of that message is in the block of the tombstone purges nothing.
func TestAServerFindsSubjectsWhereAnIndexOfOursSays(t *testing.T) {
	dir := t.TempDir()
	store := openOurs(t, dir, -1, false)
	require.NoError(t, store.store("s.before", nil, make([]byte, 50)))
	_, err := store.purge()
	require.NoError(t, err)
	require.NoError(t, store.store("s.large", nil, make([]byte, scriptBlockSize)))
	require.NoError(t, store.store("s.behind", nil, make([]byte, 50)))
	require.NoError(t, store.Stop(t.Context()))

	file, err := os.ReadFile(indexOf(dir))
	require.NoError(t, err)
	x, err := streamstate.DecodeIndex(scriptStream, file)
	require.NoError(t, err)
	require.Zero(t, x.Blocks[0].Messages(), "the block of the tombstone")
	require.Equal(t, x.Blocks[0].First, x.Blocks[1].First)

	server := openTheirs(t, dir, -1)
	purged, err := server.purgeEx("s.large", 3, 0)
	require.NoError(t, err)
	require.Equal(t, uint64(1), purged)
	require.NoError(t, server.Stop())
}
