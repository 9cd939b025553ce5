package actors_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// reader is a consumer that writes its state when it is stopped.
type reader struct {
	name    string
	dir     string
	stopped []bool
	err     error
	panics  bool
	order   *[]string
}

func (r *reader) ConsumerName() string { return r.name }

func (r *reader) StopConsumer(deleted bool) error {
	r.stopped = append(r.stopped, deleted)
	*r.order = append(*r.order, r.name)
	if r.panics {
		panic("the consumer's")
	}
	return errors.Join(r.err, os.WriteFile(filepath.Join(r.dir, "o.dat"), []byte(r.name), 0o600))
}

// TestConsumersAreStoppedOnceWithTheStore, in the order of their registration; their files stay, are in snapshots, and go
// with the stream.
func TestConsumersAreStoppedOnceWithTheStore(t *testing.T) {
	config := actors.Config{Dir: t.TempDir()}
	s := openToFail(t, config)
	var order []string
	add := func(s *actors.Store, name string) *reader {
		r := &reader{name: name, order: &order}
		dir, err := s.AddConsumer(r)
		require.NoError(t, err)
		require.DirExists(t, dir)
		r.dir = dir
		return r
	}
	b, a, gone := add(s, "b"), add(s, "a"), add(s, "gone")
	require.Equal(t, 3, s.Stats().Consumers)
	_, err := s.AddConsumer(&reader{name: "a", order: &order})
	require.ErrorIs(t, err, fs.ErrExist)
	for _, name := range []string{"", "..", "a/b"} {
		_, err = s.AddConsumer(&reader{name: name, order: &order})
		require.ErrorIs(t, err, actors.ErrConfig)
	}
	require.True(t, s.RemoveConsumer(gone))
	require.False(t, s.RemoveConsumer(gone))
	require.Equal(t, 2, s.Stats().Consumers)
	names, err := s.Consumers(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "gone"}, names)

	for _, name := range []string{"meta.inf", "meta.sum"} {
		require.NoError(t, os.WriteFile(filepath.Join(a.dir, name), []byte("{}"), 0o600))
	}
	var archive bytes.Buffer
	info, err := s.Snapshot(t.Context(), &archive, actors.SnapshotOptions{Consumers: true})
	require.NoError(t, err)
	require.Equal(t, 1, info.Consumers)

	require.NoError(t, s.Stop(t.Context()))
	require.NoError(t, s.Stop(t.Context()))
	require.Equal(t, []string{"b", "a"}, order)
	require.Equal(t, []bool{false}, a.stopped)
	require.FileExists(t, filepath.Join(b.dir, "o.dat"))
	_, err = s.AddConsumer(a)
	require.ErrorIs(t, err, actors.ErrStopped)
	require.Zero(t, s.Stats().Consumers)

	s = openToFail(t, config)
	c, bad, d := add(s, "c"), add(s, "bad"), add(s, "d")
	c.err, bad.panics = errors.New("a full disk"), true
	require.NoError(t, s.Delete(t.Context(), actors.DeleteOptions{}))
	require.Equal(t, []bool{true}, c.stopped)
	require.Equal(t, []bool{true}, bad.stopped)
	require.Equal(t, []bool{true}, d.stopped, "what becomes of the others is of no matter")
	require.ErrorIs(t, s.Stop(t.Context()), c.err)
	entries, err := os.ReadDir(config.Dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// TestConsumersComeAndGoWhileTheStoreStops: each that was registered is stopped once.
func TestConsumersComeAndGoWhileTheStoreStops(t *testing.T) {
	s := openToFail(t, actors.Config{})
	var all sync.WaitGroup
	lists := make([][]*reader, 8)
	for g := range lists {
		all.Go(func() {
			for i := range 50 {
				var order []string
				r := &reader{name: string(rune('a'+g)) + string(rune('a'+i%26)), dir: t.TempDir(), order: &order}
				if _, err := s.AddConsumer(r); err != nil {
					continue
				}
				if i%2 == 0 && s.RemoveConsumer(r) {
					continue
				}
				lists[g] = append(lists[g], r)
			}
		})
	}
	all.Go(func() {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	all.Wait()
	for _, list := range lists {
		for _, r := range list {
			require.Len(t, r.stopped, 1)
		}
	}
}
