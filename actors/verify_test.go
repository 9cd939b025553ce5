package actors_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// checkVerify wants a Verify to tell of all that readers are told is lost, and of nothing if nothing is damaged.
func checkVerify(t *testing.T, s *actors.Store, damaged bool, what string) {
	t.Helper()
	var told []*blockio.CorruptionError
	blocks := 0
	report, err := s.Verify(t.Context(), actors.VerifyOptions{
		Damage:   func(d *blockio.CorruptionError) { told = append(told, d) },
		Progress: func(p actors.VerifyProgress) { require.Equal(t, blocks+1, p.Blocks); blocks++ },
	})
	require.NoError(t, err, what)
	require.Equal(t, len(told), report.Damage, what)
	require.Equal(t, blocks, report.Blocks, what)
	for _, d := range told {
		// A crash may leave a message half erased, and at the weaker levels lose one that was not durable.
		if !damaged && d.Sequence > 0 {
			_, err := s.LoadMsg(t.Context(), d.Sequence)
			require.Error(t, err, "%s: %v", what, d)
		} else {
			// An index may be torn by a crash: it is derived.
			require.True(t, damaged || filepath.Ext(d.Path) == ".bix", "%s: %v: %v", what, d, d.Err)
		}
	}
	state, err := s.FastState(t.Context())
	require.NoError(t, err)
	require.Equal(t, state.LostMessages, report.Lost, what)
	live := uint64(0)
	for _, err := range s.Messages(t.Context()) {
		var d *blockio.CorruptionError
		if !errors.As(err, &d) {
			live++
			continue
		}
		for sequence := max(1, d.Sequence); sequence <= max(d.Sequence, d.Last); sequence++ {
			covered := false
			for _, other := range told {
				covered = covered || other.Sequence <= sequence && sequence <= max(other.Sequence, other.Last) ||
					other.Block == d.Block && other.Sequence == 0
			}
			require.True(t, covered, "%s: nothing was told of %d: %v", what, sequence, told)
		}
	}
	require.Equal(t, live, report.Messages, what)
}

// TestVerifyTellsOfAllDamage: of each record, whether it is live or not, and of every file beside the blocks.
func TestVerifyTellsOfAllDamage(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4 << 10, IndexFrom: 1}
	s := open(t, config)
	for i := range 200 {
		_, err := s.StoreMsg(t.Context(), fmt.Sprint("orders.", i), nil, []byte(strings.Repeat("x", 50)))
		require.NoError(t, err)
	}
	eventually(t, func() bool { return s.Stats().Unindexed == 0 })
	checkVerify(t, s, false, "open")
	require.NoError(t, s.Stop(t.Context()))
	dir := filepath.Join(config.Dir, "ORDERS")
	for name, row := range map[string]struct {
		path, want string
		damage     func(data []byte) []byte
	}{
		"a payload":     {"msgs/1.blk", "sequence 3: checksum mismatch", func(d []byte) []byte { d[300] ^= 1; return d }},
		"a length":      {"msgs/2.blk", "differ", func(d []byte) []byte { d[30+20] ^= 1; return d }},
		"an index":      {"msgs/2.bix", "index of the block is damaged", func(d []byte) []byte { d[5000] ^= 1; return d }},
		"meta.sum":      {"meta.sum", "differs from meta.sum", func(d []byte) []byte { d[0] ^= 1; return d }},
		"millrace.end":  {"msgs/millrace.end", "checksum mismatch", func(d []byte) []byte { d[20] ^= 1; return d }},
		"millrace.lost": {"msgs/millrace.lost", "checksum mismatch", func([]byte) []byte { return []byte("lost") }},
		"index.db":      {"msgs/index.db", "checksum mismatch", func([]byte) []byte { return make([]byte, 100) }},
		"a cut block":   {"msgs/3.blk", "without a trace", func(d []byte) []byte { return d[:0] }},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, row.path)
			data, err := os.ReadFile(path)
			if !errors.Is(err, os.ErrNotExist) {
				require.NoError(t, err)
			}
			require.NoError(t, os.WriteFile(path, row.damage(append([]byte(nil), data...)), 0o600))
			reader, err := actors.Open(t.Context(), quiet, actors.Config{Dir: config.Dir, Name: "ORDERS", ReadOnly: true})
			require.NoError(t, err)
			var told []string
			report, err := reader.Verify(t.Context(), actors.VerifyOptions{Damage: func(d *blockio.CorruptionError) {
				told = append(told, d.Error())
				if name != "meta.sum" { // either of the two may be what is wrong
					require.Equal(t, path, d.Path)
				}
			}})
			require.NoError(t, err)
			require.Equal(t, 1, report.Damage, "%v", told)
			require.Equal(t, strings.HasSuffix(path, ".blk"), report.Lost > 0)
			require.Contains(t, told[0], row.want)
			require.NoError(t, reader.Stop(t.Context()))
			if data == nil {
				require.NoError(t, os.Remove(path))
			} else {
				require.NoError(t, os.WriteFile(path, data, 0o600))
			}
		})
	}
}

// TestVerifyBesideChanges: a stream that is written to, compacted and purged while it is verified is not damaged.
func TestVerifyBesideChanges(t *testing.T) {
	config := actors.Config{Name: "ORDERS", BlockSize: 4 << 10, IndexFrom: 1, CompactBelow: 80, FS: blocktest.NewMemFS(), Dir: "data"}
	x := newRemovalsScript(t, 1, actors.SyncNever, config.FS)
	x.shown.Store(x.store)
	done := make(chan struct{})
	go func() {
		defer close(done)
		x.run(300, 4)
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		report, err := x.shown.Load().Verify(t.Context(), actors.VerifyOptions{Damage: func(d *blockio.CorruptionError) { t.Error(d) }})
		if !errors.Is(err, actors.ErrStopped) { // the script restarts it
			require.NoError(t, err)
		}
		require.Zero(t, report.Damage)
	}
	require.NoError(t, x.store.Stop(t.Context()))
}
