package main

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/examples/compare/internal/measure"
	"github.com/seed-d8b58eba/millrace/examples/compare/internal/peers"
)

func TestFixturesAreMadeOnceAndRemoved(t *testing.T) {
	place := workplace{dir: t.TempDir(), kept: &fixtures{made: map[string]fixture{}}}
	peer, s := peers.NATS(peers.NATSAsync), ordersShape(1000, 10)
	first, err := place.fixture(t.Context(), peer, s)
	require.NoError(t, err)
	require.Equal(t, []uint64{1}, first.firsts)
	again, err := place.fixture(t.Context(), peer, s)
	require.NoError(t, err)
	require.Equal(t, first.dir, again.dir)

	_, err = place.withFixture(t.Context(), peer, s, func(_ fixture, store peers.QueryStore) (measure.Run, error) {
		_, last, err := store.Range(t.Context())
		require.EqualValues(t, 1000, last)
		return measure.Run{}, err
	})
	require.NoError(t, err)
	require.NoError(t, place.kept.clear())
	left, err := os.ReadDir(place.dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestFixturesThatFailAreRemoved(t *testing.T) {
	place := workplace{dir: t.TempDir(), kept: &fixtures{made: map[string]fixture{}}}
	failure := errors.New("no disk")
	_, err := place.fixture(t.Context(), peers.Peer{Name: "broken", Open: func(string) (peers.Store, error) {
		return nil, failure
	}}, ordersShape(1, 1))
	require.ErrorIs(t, err, failure)
	require.NoError(t, place.kept.clear())
	left, err := os.ReadDir(place.dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
