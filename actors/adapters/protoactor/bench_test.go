package protoactor

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-d8b58eba/millrace/actors"
)

// BenchmarkPersistEvent stores events of some actors at a time, each durable before its actor goes on.
func BenchmarkPersistEvent(b *testing.B) {
	for _, many := range []int{1, 64, 1024} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			store, err := actors.Open(b.Context(), testSystem, actors.Config{Dir: b.TempDir(), Name: "ACTORS"})
			require.NoError(b, err)
			defer func() { require.NoError(b, store.Stop(b.Context())) }()
			p, err := New(store, Config{})
			require.NoError(b, err)
			b.ReportAllocs()
			b.ResetTimer()
			var running sync.WaitGroup
			for i := range many {
				running.Go(func() {
					state, name := p.GetState(), fmt.Sprintf("bank/account-%d", i)
					for index := range b.N/many + 1 {
						state.PersistEvent(name, index, wrapperspb.Int64(int64(index)))
					}
				})
			}
			running.Wait()
		})
	}
}

// BenchmarkReplay replays the events of one actor among those of a hundred.
func BenchmarkReplay(b *testing.B) {
	store, err := actors.Open(b.Context(), testSystem, actors.Config{Dir: b.TempDir(), Name: "ACTORS", Sync: actors.SyncNever})
	require.NoError(b, err)
	defer func() { require.NoError(b, store.Stop(b.Context())) }()
	p, err := New(store, Config{})
	require.NoError(b, err)
	state := p.GetState()
	for index := range 1000 {
		for i := range 100 {
			state.PersistEvent(fmt.Sprintf("bank/account-%d", i), index, wrapperspb.Int64(int64(index)))
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		count := 0
		p.GetState().GetEvents("bank/account-7", 0, 0, func(any) { count++ })
		require.Equal(b, 1000, count)
	}
}
