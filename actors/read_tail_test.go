package actors_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestScanOfATrimmedTail: a tail of which only the newest part is in memory, and only
// the older part in the file, is damaged nowhere.
func TestScanOfATrimmedTail(t *testing.T) {
	files := blocktest.NewFaultFS(blocktest.NewMemFS())
	s := open(t, actors.Config{
		FS: files, Dir: "streams", Sync: actors.SyncNever, Runtime: actors.NewRuntime(actors.RuntimeConfig{TailBytes: 1}),
	})
	payload := strings.Repeat("x", 1000)
	for range 3 {
		for range 800 {
			mustStore(t, s, "a", payload)
		}
		require.NoError(t, s.Flush(t.Context()))
	}
	release := make(chan struct{})
	defer close(release)
	files.SetHook(onBlocks(blocktest.OpWrite, func() blocktest.Fault {
		return blocktest.Fault{Wait: func() { <-release }}
	}))
	for range 3 {
		mustStore(t, s, "a", payload)
	}
	next := uint64(1)
	for m, err := range s.Messages(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, next, m.Sequence)
		next++
	}
	require.Equal(t, uint64(2404), next)
}

// TestAReaderOfTheTailOutlivesItsSeal, which cuts off what was written ahead.
func TestAReaderOfTheTailOutlivesItsSeal(t *testing.T) {
	var c clock
	config := actors.Config{
		Dir: t.TempDir(), Name: "ORDERS", BlockSize: 64 << 10, IndexFrom: -1,
		Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: c.now}),
	}
	s := open(t, config)
	for range 33 {
		mustStore(t, s, "a", strings.Repeat("x", 1000))
	}
	dropMemory(t, s, &c)
	_, err := s.LoadMsg(t.Context(), 1)
	require.NoError(t, err)
	mustStore(t, s, "a", strings.Repeat("x", 40<<10))
	dropMemory(t, s, &c)
	_, err = s.LoadMsg(t.Context(), 33)
	require.NoError(t, err)
	require.Zero(t, s.Stats().BadIndexes)
}

// TestAReaderKnowsAllOfTheFileItReads, also when that grows while it is opened: what was
// written and acknowledged is found, and is what was stored.
func TestAReaderKnowsAllOfTheFileItReads(t *testing.T) {
	var c clock
	config := actors.Config{
		Dir: t.TempDir(), Name: "ORDERS", BlockSize: 1 << 20, IndexFrom: -1, Sync: actors.SyncNever, NoPreallocation: true,
		Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: c.now, MaxOpenFiles: 1}),
	}
	s := open(t, config)
	payload := func(sequence uint64) string {
		size := 100
		if sequence < 50 {
			size = 25000
		}
		return fmt.Sprintf("%d;", sequence) + strings.Repeat("x", size)
	}
	requireLoad := func(sequence uint64) {
		t.Helper()
		m, err := s.LoadMsg(t.Context(), sequence)
		require.NoError(t, err)
		require.Equal(t, sequence, m.Sequence)
		require.Equal(t, "a", m.Subject)
		require.Equal(t, payload(sequence), string(m.Payload))
	}
	for sequence := range uint64(50) {
		mustStore(t, s, "a", payload(sequence+1))
	}
	const each = 40
	for round := range uint64(20) {
		dropMemory(t, s, &c)
		last := 50 + round*each // the last one in the file: needs a reader of its own
		var writing sync.WaitGroup
		writing.Go(func() {
			for i := range uint64(each) {
				if _, err := s.StoreMsg(t.Context(), "a", nil, []byte(payload(last+i+1))); err != nil {
					t.Error(err)
				}
				if err := s.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
		for range 6 {
			requireLoad(1)
			requireLoad(last)
		}
		writing.Wait()
		dropMemory(t, s, &c)
		for sequence := last; sequence <= last+each; sequence++ {
			requireLoad(sequence)
		}
		_, err := s.LoadMsg(t.Context(), last+each+1)
		require.ErrorIs(t, err, actors.ErrEOF)
	}
}
