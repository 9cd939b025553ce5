package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/interop"
	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

// goldenNames are all golden streams.
func goldenNames(t *testing.T) (names []string) {
	entries, err := os.ReadDir(goldens)
	require.NoError(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	require.GreaterOrEqual(t, len(names), 16)
	return names
}

// expected is what is to be found of a golden stream, with its index.db or without.
func (g *goldenCase) expected(t *testing.T, indexed bool) tripState {
	t.Helper()
	state, messages := g.State, g.Messages
	if !indexed && g.Without != nil {
		if g.Without.State != nil {
			state = *g.Without.State
		}
		if g.Without.Messages != nil {
			messages = g.Without.Messages
		}
	}
	nanos := func(text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		if text == "zero" || n == (time.Time{}).UnixNano() {
			return 0
		}
		require.NoError(t, err)
		return n
	}
	want := newTripState(scriptState{Messages: state.Messages, Bytes: state.Bytes, First: state.First, Last: state.Last,
		FirstNanos: nanos(state.FirstTime), LastNanos: nanos(state.LastTime)})
	if len(state.Deleted) > 0 {
		want.Deleted = state.Deleted
	}
	for i := range messages {
		m := &messages[i]
		want.see(m.Sequence, nanos(m.Nanos), m.Subject, m.Header, m.Payload)
		want.count(m.Subject, m.Sequence)
	}
	return want
}

// goldenStore is a copy of a golden stream.
type goldenStore struct {
	*goldenCase
	streams string
}

func copyGolden(t *testing.T, name string) goldenStore {
	t.Helper()
	golden, dir := loadGolden(t, name)
	streams := t.TempDir()
	require.NoError(t, oracle.CopyStream(filepath.Join(streams, golden.Stream), dir))
	return goldenStore{&golden, streams}
}

// openOurs opens it with Millrace, and calls use.
func (g *goldenStore) openOurs(t *testing.T, use func(*tripOurs)) tripState {
	t.Helper()
	system := interop.QuietSystem()
	defer system.Shutdown()
	config := actors.Config{Dir: g.streams, Name: g.Stream, IndexFrom: 1}
	if e := g.Encryption; e != nil {
		config.Key = actors.ServerKey(e.Account, e.Key)
	}
	store, err := actors.Open(t.Context(), system, config)
	require.NoError(t, err)
	s := &tripOurs{t.Context(), store}
	if use != nil {
		use(s)
	}
	state, err := s.observing(actors.PassDamage())
	require.NoError(t, err)
	require.NoError(t, s.Stop(t.Context()))
	return state
}

// openTheirs opens it with the store of a server.
func (g *goldenStore) openTheirs(t *testing.T) tripState {
	t.Helper()
	dir := filepath.Join(g.streams, g.Stream)
	store, err := oracle.OpenLone(dir, g.Config, 0)
	if e := g.Encryption; e != nil {
		store, err = oracle.OpenLoneEncrypted(dir, g.Config, server.ChaCha, e.Account, e.Key)
	}
	require.NoError(t, err)
	state, err := theirs{store}.observe()
	require.NoError(t, err)
	require.NoError(t, store.Stop())
	return tripState{scriptState: state}
}

// derived are the files in the folder of the blocks that can be made again.
func (g *goldenStore) derived(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(g.streams, g.Stream, "msgs"))
	require.NoError(t, err)
	for _, entry := range entries {
		if name := entry.Name(); !entry.IsDir() && !slices.Contains([]string{".blk", ".key"}, filepath.Ext(name)) {
			names = append(names, name)
		}
	}
	return names
}

// damages are the ways in which a derived file is damaged. Each returns what is left, nil for nothing.
func damages(size int) map[string]func([]byte) []byte {
	ways := map[string]func([]byte) []byte{
		"deleted": func([]byte) []byte { return nil },
		"longer":  func(data []byte) []byte { return append(data, "garbage"...) },
	}
	for _, length := range []int{0, 1, size / 2, size - 1} {
		if length >= 0 {
			ways[fmt.Sprintf("truncated to %d", length)] = func(data []byte) []byte { return append([]byte{}, data[:length]...) }
		}
	}
	for i := range 8 {
		if at := i * (size - 1) / 7; at >= 0 {
			ways[fmt.Sprintf("flipped at %d", at)] = func(data []byte) []byte {
				data[at] ^= 1 << (at % 8)
				return data
			}
		}
	}
	return ways
}

// damageEach damages each derived file in each way, in a copy, and calls check.
func (g *goldenStore) damageEach(t *testing.T, check func(t *testing.T, damaged goldenStore, file string)) {
	t.Helper()
	for _, file := range g.derived(t) {
		path := filepath.Join(g.Stream, "msgs", file)
		data, err := os.ReadFile(filepath.Join(g.streams, path))
		require.NoError(t, err)
		for way, damage := range damages(len(data)) {
			t.Run(file+" "+way, func(t *testing.T) {
				damaged := goldenStore{g.goldenCase, t.TempDir()}
				require.NoError(t, oracle.CopyStream(damaged.streams, g.streams))
				target := filepath.Join(damaged.streams, path)
				if left := damage(slices.Clone(data)); left != nil {
					require.NoError(t, os.WriteFile(target, left, 0o600))
				} else {
					require.NoError(t, os.Remove(target))
				}
				check(t, damaged, file)
			})
		}
	}
}

// TestGoldenStoresBothWays opens every stream that a server had written, wants to find what is in it, and has the server's
// store find the same when we have stopped. So with each file damaged in each way that can be made again: those of the
// server, and ours, once we have written to the stream.
func TestGoldenStoresBothWays(t *testing.T) {
	for _, name := range goldenNames(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			intact := copyGolden(t, name)
			_, err := os.Stat(filepath.Join(intact.streams, intact.Stream, "msgs", "index.db"))
			indexed := err == nil
			both := func(t *testing.T, g goldenStore, indexed bool) {
				t.Helper()
				found := g.openOurs(t, nil)
				require.Equal(t, g.expected(t, indexed), found)
				found.alike = nil
				requireSameForServer(t, g, found)
			}
			intact.damageEach(t, func(t *testing.T, damaged goldenStore, file string) { both(t, damaged, indexed && file != "index.db") })
			written := goldenStore{intact.goldenCase, t.TempDir()}
			require.NoError(t, oracle.CopyStream(written.streams, intact.streams))
			both(t, intact, indexed)

			left := written.openOurs(t, func(s *tripOurs) {
				for range 3 {
					_, err := s.StoreMsg(t.Context(), strings.Replace(written.Config.Subjects[0], ">", "more", 1), nil, []byte("one more"))
					require.NoError(t, err)
				}
				require.Eventually(t, func() bool {
					return hasAnIndex(t, filepath.Join(written.streams, written.Stream, "msgs"))
				}, time.Minute, time.Millisecond, "the index of a full block")
			})
			require.NotEmpty(t, written.derived(t))
			written.damageEach(t, func(t *testing.T, damaged goldenStore, file string) {
				require.Equal(t, left, damaged.openOurs(t, nil))
				like := left
				like.alike = nil
				requireSameForServer(t, damaged, like)
			})
		})
	}
}

// requireSameForServer wants the server's store to find what we have found.
func requireSameForServer(t *testing.T, g goldenStore, found tripState) {
	t.Helper()
	theirs := g.openTheirs(t)
	if found.Last == 0 {
		theirs.First = found.First // of a stream that never had a message the server says 1 or 0
	}
	require.Equal(t, found, theirs)
}

// hasAnIndex reports whether a block has its index, if there is a full one.
func hasAnIndex(t *testing.T, dir string) bool {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(dir, "*.blk"))
	require.NoError(t, err)
	indexes, err := filepath.Glob(filepath.Join(dir, "*.bix"))
	require.NoError(t, err)
	return len(blocks) < 2 || len(indexes) > 0
}

// TestARealServerHasTheGoldenStores that we have had, with clients who ask.
func TestARealServerHasTheGoldenStores(t *testing.T) {
	for _, name := range goldenNames(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden := copyGolden(t, name)
			left := golden.openOurs(t, nil)
			storeDir := t.TempDir()
			require.NoError(t, oracle.Place(storeDir, golden.Stream, filepath.Join(golden.streams, golden.Stream)))
			var options []oracle.Option
			if e := golden.Encryption; e != nil {
				options = append(options, oracle.WithKey(e.Key, false))
			}
			s, err := oracle.Start(storeDir, options...)
			require.NoError(t, err)
			t.Cleanup(s.Stop)
			client := tripClient{ctx: t.Context(), server: s, name: golden.Stream}
			found, err := client.observe()
			require.NoError(t, err)
			if found.Last == 0 {
				found.First = left.First
			}
			require.Equal(t, left, found)
			ack, err := s.JetStream().Publish(strings.Replace(golden.Config.Subjects[0], ">", "more", 1), nil)
			require.NoError(t, err)
			require.Equal(t, left.Last+1, ack.Sequence)
		})
	}
}
