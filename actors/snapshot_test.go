package actors_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// picture is all that a stream shows.
type picture struct {
	state    actors.State
	deleted  []actors.SequenceRange
	messages []actors.Message
	limits   any
}

func pictureOf(t testing.TB, s *actors.Store) picture {
	t.Helper()
	p := picture{state: stateOf(t, s), limits: s.Limits()}
	var err error
	p.deleted, err = s.Deleted(t.Context())
	require.NoError(t, err)
	for m, err := range s.Messages(t.Context()) {
		require.NoError(t, err)
		p.messages = append(p.messages, m)
	}
	p.state.Durable, p.state.LostMessages, p.state.LostBytes = 0, 0, 0
	return p
}

// snapshotOf takes a snapshot.
func snapshotOf(t testing.TB, s *actors.Store, o actors.SnapshotOptions) ([]byte, actors.SnapshotInfo) {
	t.Helper()
	var b bytes.Buffer
	info, err := s.Snapshot(t.Context(), &b, o)
	require.NoError(t, err)
	require.Equal(t, int64(b.Len()), info.Size)
	return b.Bytes(), info
}

// restored restores a snapshot in a new directory, and opens the stream.
func restored(t testing.TB, snapshot []byte, config actors.Config) *actors.Store {
	t.Helper()
	config.Dir = t.TempDir()
	info, err := actors.Restore(t.Context(), config.Dir, bytes.NewReader(snapshot), actors.RestoreOptions{})
	require.NoError(t, err)
	entries, err := os.ReadDir(config.Dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	config.Name = info.Name
	s, err := actors.Open(t.Context(), quiet, config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	return s
}

// TestSnapshotOfNatsServerIsRestored and holds what the server says that it does.
func TestSnapshotOfNatsServerIsRestored(t *testing.T) {
	var g golden
	data, err := os.ReadFile(filepath.Join("testdata", "snapshot", "expected.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &g))
	data, err = os.ReadFile(filepath.Join("testdata", "snapshot", "SNAP.tar.s2"))
	require.NoError(t, err)

	dir := t.TempDir()
	var written int64
	info, err := actors.Restore(t.Context(), dir, bytes.NewReader(data), actors.RestoreOptions{
		Name: "SNAP", Progress: func(n int64) { require.Greater(t, n, written); written = n },
	})
	require.NoError(t, err)
	require.Equal(t, g.Stream, info.Name)
	require.Equal(t, 1, info.Consumers)
	require.Equal(t, info.Bytes, written)
	consumers, err := os.ReadDir(filepath.Join(dir, "SNAP", "obs"))
	require.NoError(t, err)
	require.Len(t, consumers, 1)
	for range 2 {
		s, err := actors.Open(t.Context(), quiet, actors.Config{Dir: dir, Name: g.Stream})
		require.NoError(t, err)
		checkGolden(t, s, &g)
		require.NoError(t, s.Stop(t.Context()))
	}

	// And a snapshot of that, with the consumer.
	s := open(t, actors.Config{Dir: dir, Name: g.Stream})
	again, taken := snapshotOf(t, s, actors.SnapshotOptions{Consumers: true})
	require.Equal(t, 1, taken.Consumers)
	checkGolden(t, restored(t, again, actors.Config{}), &g)
}

// TestSnapshotPassesOverHalfAConsumer, as a server does, and every other name.
func TestSnapshotPassesOverHalfAConsumer(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS"}
	s := open(t, config)
	obs := filepath.Join(config.Dir, config.Name, "obs")
	for name, files := range map[string][]string{
		"whole": {"meta.inf", "meta.sum", "o.dat", "o.dat.tmp"}, "no-state": {"meta.inf", "meta.sum"},
		"no-sum": {"meta.inf", "o.dat"}, "no-meta": {"meta.sum"}, ".gone": {"meta.inf", "meta.sum"}, "empty": nil,
	} {
		require.NoError(t, os.MkdirAll(filepath.Join(obs, name), 0o700))
		for _, file := range files {
			require.NoError(t, os.WriteFile(filepath.Join(obs, name, file), []byte("{}"), 0o600))
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(obs, "file"), nil, 0o600))
	snapshot, info := snapshotOf(t, s, actors.SnapshotOptions{Consumers: true})
	require.Equal(t, 2, info.Consumers)
	dir := t.TempDir()
	got, err := actors.Restore(t.Context(), dir, bytes.NewReader(snapshot), actors.RestoreOptions{})
	require.NoError(t, err)
	require.Equal(t, 2, got.Consumers)
	require.FileExists(t, filepath.Join(dir, "ORDERS", "obs", "whole", "o.dat"))
	require.NoFileExists(t, filepath.Join(dir, "ORDERS", "obs", "no-state", "o.dat"))
	_, info = snapshotOf(t, s, actors.SnapshotOptions{})
	require.Zero(t, info.Consumers)
}

// TestSnapshotOfADirectoryOfNatsServer, whatever it has in its blocks: compressed ones, damage that is known, and messages
// whose removal only its index shows.
func TestSnapshotOfADirectoryOfNatsServer(t *testing.T) {
	for _, name := range []string{
		"basic", "compressed", "corrupted-tail", "deletes", "empty", "first-seq", "headers", "many-subjects", "multi-block", "purged", "schedules", "ttl",
	} {
		t.Run(name, func(t *testing.T) {
			dir, g := loadGolden(t, name)
			s := open(t, actors.Config{Dir: dir, Name: g.Stream})
			want := pictureOf(t, s)
			snapshot, _ := snapshotOf(t, s, actors.SnapshotOptions{})
			require.Equal(t, want, pictureOf(t, restored(t, snapshot, actors.Config{})))
		})
	}
}

// TestSnapshotIsRestored in each of the ways in which a stream can begin, end, and have gaps.
func TestSnapshotIsRestored(t *testing.T) {
	store := func(t *testing.T, s *actors.Store, n int) {
		for i := range n {
			_, err := s.StoreMsg(t.Context(), subjectOf(i), headerOf(i), payloadOf(i))
			require.NoError(t, err)
		}
	}
	remove := func(t *testing.T, s *actors.Store, sequences ...uint64) {
		for _, sequence := range sequences {
			removed, err := s.RemoveMsg(t.Context(), sequence)
			require.NoError(t, err)
			require.True(t, removed)
		}
	}
	for _, row := range []struct {
		name   string
		config actors.Config
		act    func(t *testing.T, s *actors.Store)
	}{
		{"empty", actors.Config{}, func(*testing.T, *actors.Store) {}},
		{"empty with a first sequence", actors.Config{FirstSequence: 100}, func(*testing.T, *actors.Store) {}},
		{"one message", actors.Config{}, func(t *testing.T, s *actors.Store) { store(t, s, 1) }},
		{"several blocks", actors.Config{BlockSize: 4096}, func(t *testing.T, s *actors.Store) { store(t, s, 300) }},
		{"removed here and there", actors.Config{BlockSize: 4096}, func(t *testing.T, s *actors.Store) {
			store(t, s, 300)
			remove(t, s, 1, 2, 17, 150, 151, 299)
		}},
		{"the last one removed", actors.Config{BlockSize: 4096}, func(t *testing.T, s *actors.Store) {
			store(t, s, 300)
			remove(t, s, 299, 300)
		}},
		{"all removed", actors.Config{BlockSize: 4096}, func(t *testing.T, s *actors.Store) {
			store(t, s, 100)
			_, err := s.Purge(t.Context())
			require.NoError(t, err)
		}},
		{"all removed but one", actors.Config{BlockSize: 4096}, func(t *testing.T, s *actors.Store) {
			store(t, s, 100)
			for sequence := uint64(1); sequence <= 100; sequence++ {
				if sequence != 40 {
					remove(t, s, sequence)
				}
			}
		}},
		{"sequences skipped at the end", actors.Config{}, func(t *testing.T, s *actors.Store) {
			store(t, s, 10)
			_, err := s.SkipAt(t.Context(), 0, 5, time.Unix(1, 0))
			require.NoError(t, err)
		}},
		{"limits", actors.Config{BlockSize: 4096, MaxMsgs: 50, MaxMsgsPer: 9}, func(t *testing.T, s *actors.Store) { store(t, s, 300) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
				row.config.Sync = level
				s := open(t, row.config)
				row.act(t, s)
				want := pictureOf(t, s)
				snapshot, info := snapshotOf(t, s, actors.SnapshotOptions{})
				require.Equal(t, want.state.Messages, info.Messages)
				require.Equal(t, want.state.Bytes, info.Bytes)
				require.Equal(t, want.state.LastSequence, info.LastSequence)
				require.Equal(t, want, pictureOf(t, s))
				r := restored(t, snapshot, actors.Config{BlockSize: row.config.BlockSize})
				require.Equal(t, want, pictureOf(t, r))
				require.Equal(t, want.state.LastSequence+1, mustStore(t, r, "more", "x").Sequence)
				again, _ := snapshotOf(t, r, actors.SnapshotOptions{})
				want = pictureOf(t, r)
				require.Equal(t, want, pictureOf(t, restored(t, again, actors.Config{})))
			})
		})
	}
}

// TestSnapshotReportsProgress up to its last message.
func TestSnapshotReportsProgress(t *testing.T) {
	s := open(t, actors.Config{BlockSize: 4096})
	for i := range 300 {
		mustStore(t, s, subjectOf(i), string(payloadOf(i)))
	}
	var seen []actors.SnapshotProgress
	_, info := snapshotOf(t, s, actors.SnapshotOptions{Progress: func(p actors.SnapshotProgress) { seen = append(seen, p) }})
	require.Greater(t, info.Blocks, 3)
	require.GreaterOrEqual(t, len(seen), info.Blocks)
	for i, p := range seen {
		require.Equal(t, uint64(300), p.OfMessages)
		if i > 0 {
			require.GreaterOrEqual(t, p.Messages, seen[i-1].Messages)
		}
	}
	require.Equal(t, uint64(300), seen[len(seen)-1].Messages)
}

// errFull is the error of a writer that is full.
var errFull = errors.New("full")

// TestSnapshotEndsWithItsWriter at every write.
func TestSnapshotEndsWithItsWriter(t *testing.T) {
	s := open(t, actors.Config{BlockSize: 64 << 10})
	random := make([]byte, 8<<10)
	rng := rand.New(rand.NewSource(1))
	for range 600 {
		rng.Read(random)
		mustStore(t, s, "a", string(random))
	}
	for n := range 100 {
		left := n
		_, err := s.Snapshot(t.Context(), writerFunc(func(p []byte) (int, error) {
			if left--; left < 0 {
				return 0, errFull
			}
			return len(p), nil
		}), actors.SnapshotOptions{})
		if err == nil {
			require.Greater(t, n, 3)
			return
		}
		require.ErrorIs(t, err, errFull)
	}
	t.Fatal("it never ends")
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// errSnapshotEnough is the cause of contexts that have ended.
var errSnapshotEnough = errors.New("enough")

func ended(t *testing.T) context.Context {
	ctx, end := context.WithCancelCause(t.Context())
	end(errSnapshotEnough)
	return ctx
}

// TestSnapshotEndsWithItsContext before the next write, and when its time is over, and when the store stops.
func TestSnapshotEndsWithItsContext(t *testing.T) {
	s := open(t, actors.Config{BlockSize: 4096})
	for i := range 300 {
		mustStore(t, s, subjectOf(i), string(payloadOf(i)))
	}
	_, err := s.Snapshot(ended(t), io.Discard, actors.SnapshotOptions{})
	require.ErrorIs(t, err, errSnapshotEnough)

	ctx, end := context.WithCancelCause(t.Context())
	_, err = s.Snapshot(ctx, io.Discard, actors.SnapshotOptions{Progress: func(p actors.SnapshotProgress) {
		if p.Messages > 100 {
			require.Less(t, p.Messages, uint64(200), "it went on")
			end(errSnapshotEnough)
		}
	}})
	require.ErrorIs(t, err, errSnapshotEnough)

	_, err = s.Snapshot(t.Context(), io.Discard, actors.SnapshotOptions{Timeout: time.Nanosecond})
	require.ErrorIs(t, err, context.DeadlineExceeded)

	_, err = s.Snapshot(t.Context(), io.Discard, actors.SnapshotOptions{Progress: func(actors.SnapshotProgress) {
		require.NoError(t, s.Stop(context.Background()))
	}})
	require.ErrorIs(t, err, actors.ErrStopped)
	_, err = s.Snapshot(t.Context(), io.Discard, actors.SnapshotOptions{})
	require.ErrorIs(t, err, actors.ErrStopped)
}

// TestSnapshotSeesNothingOfWhatFollows: whatever happens to the stream between two blocks of a snapshot, it holds the
// stream as it was when it began.
func TestSnapshotSeesNothingOfWhatFollows(t *testing.T) {
	for _, row := range []struct {
		name string
		act  func(t *testing.T, s *actors.Store)
	}{
		{"stores", func(t *testing.T, s *actors.Store) {
			for i := range 200 {
				mustStore(t, s, "later", string(payloadOf(i)))
			}
		}},
		{"removals", func(t *testing.T, s *actors.Store) {
			for sequence := uint64(200); sequence <= 300; sequence += 3 {
				_, err := s.RemoveMsg(t.Context(), sequence)
				require.NoError(t, err)
			}
		}},
		{"a purge", func(t *testing.T, s *actors.Store) {
			_, err := s.Purge(t.Context())
			require.NoError(t, err)
			require.NoError(t, s.Flush(t.Context()))
			mustStore(t, s, "later", "x")
		}},
		{"a purge of a part", func(t *testing.T, s *actors.Store) {
			_, err := s.Compact(t.Context(), 290)
			require.NoError(t, err)
		}},
		{"a limit", func(t *testing.T, s *actors.Store) {
			require.NoError(t, s.UpdateConfig(t.Context(), actors.Config{Name: "ORDERS", MaxMsgs: 5}))
		}},
		{"compactions", func(t *testing.T, s *actors.Store) {
			for sequence := uint64(1); sequence <= 300; sequence++ {
				if sequence%10 > 0 {
					_, err := s.RemoveMsg(t.Context(), sequence)
					require.NoError(t, err)
				}
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			atEachLevel(t, func(t *testing.T, level actors.SyncLevel) {
				s := open(t, actors.Config{BlockSize: 4096, Sync: level, CompactBelow: 50})
				for i := range 300 {
					mustStore(t, s, subjectOf(i), string(payloadOf(i)))
				}
				want := pictureOf(t, s)
				acted := false
				snapshot, _ := snapshotOf(t, s, actors.SnapshotOptions{Progress: func(actors.SnapshotProgress) {
					if !acted {
						acted = true
						row.act(t, s)
					}
				}})
				require.NotEqual(t, want, pictureOf(t, s))
				require.Equal(t, want, pictureOf(t, restored(t, snapshot, actors.Config{})))
			})
		})
	}
}

// TestSnapshotIsStale when it cannot hold what it should: the error says so.
func TestSnapshotIsStale(t *testing.T) {
	for name, act := range map[string]func(t *testing.T, s *actors.Store){
		"truncated": func(t *testing.T, s *actors.Store) {
			_, err := s.Truncate(t.Context(), 150)
			require.NoError(t, err)
		},
		"erased": func(t *testing.T, s *actors.Store) {
			_, err := s.EraseMsg(t.Context(), 200)
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, actors.Config{BlockSize: 4096})
			for i := range 300 {
				mustStore(t, s, subjectOf(i), string(payloadOf(i)))
			}
			acted := false
			_, err := s.Snapshot(t.Context(), io.Discard, actors.SnapshotOptions{Progress: func(actors.SnapshotProgress) {
				if !acted {
					acted = true
					act(t, s)
				}
			}})
			require.ErrorIs(t, err, actors.ErrSnapshotStale)
			want := pictureOf(t, s)
			snapshot, _ := snapshotOf(t, s, actors.SnapshotOptions{})
			require.Equal(t, want, pictureOf(t, restored(t, snapshot, actors.Config{})))
		})
	}
}

// TestSnapshotOfDamageIsRefused as long as the message counts as live.
func TestSnapshotOfDamageIsRefused(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, IndexFrom: -1}
	s := open(t, config)
	for i := range 100 {
		mustStore(t, s, "a", fmt.Sprintf("%0200d", i))
	}
	path := filepath.Join(config.Dir, config.Name, "msgs", "2.blk")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data[len(data)/2] ^= 1
	require.NoError(t, os.WriteFile(path, data, 0o600))
	_, err = s.Snapshot(t.Context(), io.Discard, actors.SnapshotOptions{})
	require.ErrorIs(t, err, actors.ErrCorrupt)
	require.ErrorContains(t, err, "2.blk")

	// Once the stream knows what it has lost, it can be saved without that.
	lost := 0
	for _, err := range s.Messages(t.Context()) {
		if err != nil {
			lost++
		}
	}
	require.Equal(t, 1, lost)
	require.Eventually(t, func() bool { return stateOf(t, s).LostMessages == 1 }, time.Minute, time.Millisecond)
	snapshot, info := snapshotOf(t, s, actors.SnapshotOptions{})
	require.Equal(t, uint64(99), info.Messages)
	r := restored(t, snapshot, actors.Config{})
	require.Equal(t, uint64(99), stateOf(t, r).Messages)
}
