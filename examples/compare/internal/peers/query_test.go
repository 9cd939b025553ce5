package peers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// answers is what a store says about the same messages.
type answers struct {
	matches                map[string][]uint64
	pending, pendingLast   map[string]uint64
	state                  [3]uint64
	last                   map[string]uint64
	first, highest         uint64
	payload                int
	scanned, scannedLength int
}

// TestStoresAnswerAlike asks all stores that the query rows compare the same.
func TestStoresAnswerAlike(t *testing.T) {
	const messages, subjects = 3_000, 100
	filters := []string{">", "a.>", "a.1.>", "a.*.7", "a.2.42", "b.>"}
	var want *answers
	for _, peer := range []Peer{NATS(NATSAsync), NATS(NATSDefault), Millrace(Buffered), Millrace(Written)} {
		store, err := OpenAs[QueryStore](peer, t.TempDir())
		require.NoError(t, err)
		pipeline := store.Pipeline()
		for i := range messages {
			subject := fmt.Sprintf("a.%d.%d", i%4, i*7%subjects)
			require.NoError(t, pipeline.Submit(t.Context(), Message{Subject: subject, Payload: make([]byte, i%50)}))
		}
		require.NoError(t, pipeline.Drain(t.Context()))
		require.NoError(t, store.Flush(t.Context()))
		got := ask(t, store, filters)
		require.NoError(t, store.Close())
		if want == nil {
			want = got
			require.Len(t, want.matches[">"], messages)
			require.NotEmpty(t, want.matches["a.2.42"])
		}
		require.Equal(t, want, got, peer.Name)
	}
}

func ask(t *testing.T, store QueryStore, filters []string) *answers {
	ctx := t.Context()
	a := &answers{matches: map[string][]uint64{}, pending: map[string]uint64{}, pendingLast: map[string]uint64{},
		last: map[string]uint64{}}
	for _, filter := range filters {
		require.NoError(t, store.Matching(ctx, filter, func(sequence uint64) bool {
			a.matches[filter] = append(a.matches[filter], sequence)
			return true
		}))
		for _, from := range []uint64{1, 1_501} {
			var err error
			key := fmt.Sprint(filter, from)
			a.pending[key], err = store.NumPending(ctx, from, filter, false)
			require.NoError(t, err)
			a.pendingLast[key], err = store.NumPending(ctx, from, filter, true)
			require.NoError(t, err)
		}
	}
	var err error
	a.state[0], a.state[1], a.state[2], err = store.FilteredState(ctx, 1_501, ">")
	require.NoError(t, err)
	reader := store.Reader()
	for _, subject := range []string{"a.2.42", "a.1.7"} {
		a.last[subject], err = reader.LoadLast(ctx, subject)
		require.NoError(t, err)
	}
	a.first, a.highest, err = store.Range(ctx)
	require.NoError(t, err)
	a.payload, err = reader.Load(ctx, 99)
	require.NoError(t, err)
	_, err = reader.Load(ctx, 99_999)
	require.Error(t, err)
	scanned, length, err := store.Scan(ctx)
	require.NoError(t, err)
	a.scanned, a.scannedLength = scanned, int(length)
	return a
}

func TestMatchingEndsWhenItIsTold(t *testing.T) {
	for _, peer := range []Peer{NATS(NATSAsync), Millrace(Buffered)} {
		store, err := OpenAs[QueryStore](peer, t.TempDir())
		require.NoError(t, err)
		for range 10 {
			require.NoError(t, store.Append(t.Context(), Message{Subject: "a"}))
		}
		visited := 0
		require.NoError(t, store.Matching(t.Context(), "a", func(uint64) bool { visited++; return visited < 3 }))
		require.Equal(t, 3, visited, peer.Name)
		require.NoError(t, store.Close())
	}
}

func TestBoundedStoresRemoveTheOldest(t *testing.T) {
	for _, peer := range []Peer{NATSBounded(NATSAsync, 1<<20), MillraceBounded(Buffered, 1<<20)} {
		store, err := OpenAs[QueryStore](peer, t.TempDir())
		require.NoError(t, err)
		pipeline, payload := store.Pipeline(), make([]byte, 1000)
		for range 2_000 {
			require.NoError(t, pipeline.Submit(t.Context(), Message{Subject: "a", Payload: payload}))
		}
		require.NoError(t, pipeline.Drain(t.Context()))
		first, last, err := store.Range(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2_000, last, peer.Name)
		require.EqualValues(t, 1<<20/1031, last-first+1, peer.Name)
		require.NoError(t, store.Close())
	}
}

func TestAwaitIndexesLooksAtFullBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		msgs := filepath.Join(dir, "msgs")
		require.NoError(t, os.Mkdir(msgs, 0o700))
		require.NoError(t, awaitIndexes(context.Background(), dir), "no block")
		for _, name := range []string{"2.blk", "9.blk", "10.blk"} {
			require.NoError(t, os.WriteFile(filepath.Join(msgs, name), nil, 0o600))
		}
		require.NoError(t, os.WriteFile(filepath.Join(msgs, "9.bix"), nil, 0o600))
		err := awaitIndexes(context.Background(), dir)
		require.ErrorContains(t, err, "1 of 3 blocks")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, os.WriteFile(filepath.Join(msgs, "2.bix"), nil, 0o600))
		require.NoError(t, awaitIndexes(context.Background(), dir))
	})
}
