package actors

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestAReadThatOutlivesItsStoreLeavesNothingBehind: a read may be under way while its
// store stops, and go on to blocks that it has not touched yet. When it is done nothing
// of the stream is open, although the Runtime goes on.
func TestAReadThatOutlivesItsStoreLeavesNothingBehind(t *testing.T) {
	ctx := context.Background()
	for _, row := range []struct {
		name string
		read func(s *Store) error
	}{
		{"a load", func(s *Store) error { _, err := s.LoadMsg(ctx, 1); return err }},
		{"a step", func(s *Store) error { _, _, err := s.LoadNextMsg(ctx, 1, Filter("z")); return err }},
		{"a count over several blocks", func(s *Store) error { _, _, err := s.NumPending(ctx, 20, Filter("a.*")); return err }},
		{"a scan", func(s *Store) error {
			for _, err := range s.Messages(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"a scan with a filter", func(s *Store) error {
			for _, err := range s.Messages(ctx, Filter("a.*")) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			files := blocktest.NewFaultFS(blocktest.NewMemFS())
			counted := &handleFS{FS: files}
			config := Config{
				Dir: "streams", Name: "S", FS: counted, BlockSize: 4096, IndexFrom: -1,
				Runtime: NewRuntime(RuntimeConfig{}),
			}
			store, err := Open(ctx, faultSystem, config)
			require.NoError(t, err)
			for i := range 41 {
				subject := fmt.Sprintf("%c.%d", "ab"[i%2], i%3)
				if i == 40 {
					subject = "z" // in the last block
				}
				_, err := store.StoreMsg(ctx, subject, nil, []byte(strings.Repeat("x", 1000)))
				require.NoError(t, err)
			}
			// The first block that is opened from now on is opened when the store has gone.
			reached, release := make(chan struct{}), make(chan struct{})
			var held atomic.Bool
			files.SetHook(func(op blocktest.Op) blocktest.Fault {
				if op.Kind != blocktest.OpOpen || filepath.Ext(op.Name) != ".blk" {
					return blocktest.Fault{}
				}
				return blocktest.Fault{Wait: func() {
					if held.CompareAndSwap(false, true) {
						close(reached)
						<-release
					}
				}}
			})
			var reading sync.WaitGroup
			reading.Go(func() {
				// It may be answered, or be told that the store has stopped.
				if err := row.read(store); err != nil && !errors.Is(err, ErrStopped) {
					t.Error(err)
				}
			})
			<-reached
			require.NoError(t, store.Stop(ctx))
			close(release)
			reading.Wait()
			require.Zero(t, counted.open.Load(), "files are still open")
		})
	}
}
