package actors_test

import (
	"bytes"
	"context"
	"io"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestIncrementsOfAStream: each of a chain of increments, over openings of the stream, is restored to the stream as it
// was then.
func TestIncrementsOfAStream(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, CompactBelow: 50}
	var chain [][]byte // the latest first
	var catalog actors.SnapshotCatalog
	leftOut := 0
	for n := range 8 {
		s := open(t, config)
		for range rng.Intn(150) {
			payload := make([]byte, rng.Intn(300))
			rng.Read(payload)
			mustStore(t, s, subjectOf(rng.Intn(10)), string(payload))
		}
		last := stateOf(t, s).LastSequence
		for range rng.Intn(6) {
			_, err := s.RemoveMsg(t.Context(), 1+rng.Uint64()%last)
			require.NoError(t, err)
		}
		if n == 5 {
			_, err := s.Compact(t.Context(), last/3)
			require.NoError(t, err)
		}
		want := pictureOf(t, s)
		snapshot, info := snapshotOf(t, s, actors.SnapshotOptions{Since: catalog})
		require.Equal(t, want.state.Messages, info.Messages)
		read, err := actors.CatalogOf(t.Context(), bytes.NewReader(snapshot))
		require.NoError(t, err)
		require.Equal(t, info.Catalog, read)
		require.Equal(t, info.Blocks, len(read))
		leftOut += info.LeftOut
		catalog = info.Catalog

		options := actors.RestoreOptions{}
		for _, base := range chain {
			options.Bases = append(options.Bases, bytes.NewReader(base))
		}
		dir := t.TempDir()
		got, err := actors.Restore(t.Context(), dir, bytes.NewReader(snapshot), options)
		require.NoError(t, err)
		require.Equal(t, info.Messages, got.Messages)
		require.Equal(t, info.Blocks, got.Blocks)
		r, err := actors.Open(t.Context(), quiet, actors.Config{Dir: dir, Name: "ORDERS"})
		require.NoError(t, err)
		require.Equal(t, want, pictureOf(t, r))
		require.NoError(t, r.Stop(context.Background()))
		if n > 0 {
			_, err = actors.Restore(t.Context(), t.TempDir(), bytes.NewReader(snapshot), actors.RestoreOptions{})
			require.ErrorIs(t, err, actors.ErrArchive)
		}
		chain = append([][]byte{snapshot}, chain...)
		require.NoError(t, s.Stop(t.Context()))
	}
	require.Greater(t, leftOut, 20)
	s := open(t, config)
	nothing, info := snapshotOf(t, s, actors.SnapshotOptions{Since: catalog})
	require.Equal(t, info.Blocks, info.LeftOut)
	require.Less(t, len(nothing), 2000)
	_, err := s.Snapshot(t.Context(), io.Discard, actors.SnapshotOptions{Since: actors.SnapshotCatalog{}})
	require.NoError(t, err)
}
