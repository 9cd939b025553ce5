package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// TestEarlierIndexesTakeNothingAway: beside the blocks that a server has left lies the index.db that it had at any
// time before. Every message is there, and none that the server would not find, too.
func TestEarlierIndexesTakeNothingAway(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			indexes, left := manyIndexes(t, seed, dir)
			found := foundWithout(t, dir)
			believed := 0
			for i, index := range indexes {
				copied := t.TempDir()
				require.NoError(t, oracle.CopyStream(copied, dir))
				require.NoError(t, os.WriteFile(filepath.Join(copied, scriptStream, "msgs", "index.db"), index, 0o600))
				got := contentsOf(t, openOurs(t, copied, -1, false))
				for sequence, content := range left.Contents {
					require.Equal(t, content, got[sequence], "index %d: message %d", i, sequence)
				}
				for sequence, content := range got {
					if _, live := left.Contents[sequence]; !live {
						require.Equal(t, found.Contents[sequence], content, "index %d: message %d", i, sequence)
					}
				}
				if len(got) == len(left.Contents) {
					believed++
				}
			}
			require.NotZero(t, believed, "the last one is of the blocks")
		})
	}
}

// manyIndexes has a server run a script, and returns the index.db of each of its stops, and what it has left.
func manyIndexes(t *testing.T, seed uint64, dir string) (indexes [][]byte, left scriptState) {
	t.Helper()
	maker := &scriptMaker{random: rand.New(rand.NewPCG(seed, 11))}
	for range 12 {
		store := openTheirs(t, dir, -1)
		for _, op := range maker.operations(6) {
			if op.maxPer != 0 {
				continue
			}
			if op.above > 0 {
				if _, err := store.Load(op.above); err != nil {
					continue // the server cannot cut the stream there
				}
			}
			_, err := op.run(store)
			require.NoError(t, err, op.text)
		}
		var err error
		left, err = store.observe()
		require.NoError(t, err)
		require.NoError(t, store.Stop())
		index, err := os.ReadFile(filepath.Join(dir, scriptStream, "msgs", "index.db"))
		if errors.Is(err, fs.ErrNotExist) {
			continue // nothing has changed since it was removed
		}
		require.NoError(t, err)
		indexes = append(indexes, index)
	}
	return indexes, left
}

// foundWithout is what the server finds without index.db.
func foundWithout(t *testing.T, dir string) scriptState {
	t.Helper()
	alone := t.TempDir()
	require.NoError(t, oracle.CopyStream(alone, dir))
	require.NoError(t, oracle.RemoveIndexFile(filepath.Join(alone, scriptStream)))
	store := openTheirs(t, alone, -1)
	state, err := store.observe()
	require.NoError(t, err)
	require.NoError(t, store.Stop())
	return state
}

// contentsOf returns a hash of each message of a store, which it stops.
func contentsOf(t *testing.T, store ours) map[uint64]uint64 {
	t.Helper()
	contents := make(map[uint64]uint64)
	for m, err := range store.Messages(t.Context(), actors.PassDamage()) {
		require.NoError(t, err)
		contents[m.Sequence] = contentHash(m.Subject, m.HeaderBlock, m.Payload)
	}
	require.NoError(t, store.Stop(t.Context()))
	return contents
}
