package actors_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestMetaWithoutItsSum is kept as it is: limits, subjects, the time of creation,
// and what the store does not know. Only the sum is written again.
func TestMetaWithoutItsSum(t *testing.T) {
	created := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	config := actors.Config{
		Dir: t.TempDir(), Name: "ORDERS", MaxMsgs: 7, Subjects: []string{"orders.>"},
		Runtime: actors.NewRuntime(actors.RuntimeConfig{Clock: func() time.Time { return created }}),
	}
	s := open(t, config)
	for range 5 {
		mustStore(t, s, "a", "x")
	}
	require.NoError(t, s.Stop(t.Context()))
	dir := filepath.Join(config.Dir, "ORDERS")
	inf, sum := filepath.Join(dir, "meta.inf"), filepath.Join(dir, "meta.sum")
	text, err := os.ReadFile(inf)
	require.NoError(t, err)
	meta := strings.Replace(string(text), "{", `{"future":{"b":1.0},`, 1)
	require.NoError(t, os.WriteFile(inf, []byte(meta), 0o600))
	require.NoError(t, os.Remove(sum))

	s = open(t, actors.Config{Dir: config.Dir, Name: "ORDERS"})
	for range 20 {
		mustStore(t, s, "a", "x")
	}
	require.Equal(t, uint64(7), stateOf(t, s).Messages)
	require.NoError(t, s.Stop(t.Context()))
	text, err = os.ReadFile(inf)
	require.NoError(t, err)
	require.Equal(t, meta, string(text))
	read, err := blockio.ReadMeta(blockio.OS, dir, "ORDERS")
	require.NoError(t, err)
	require.Equal(t, created, read.Created)
	require.Equal(t, []string{"orders.>"}, read.Subjects)
	require.Equal(t, int64(7), read.MaxMsgs)
}

// TestDamagedMetaIsNeverReplaced, with or without its sum.
func TestDamagedMetaIsNeverReplaced(t *testing.T) {
	for _, row := range []struct {
		name   string
		damage func(meta string) string
	}{
		{"cut short", func(meta string) string { return meta[:len(meta)/2] }},
		{"empty", func(string) string { return "" }},
		{"another stream's", func(meta string) string { return strings.ReplaceAll(meta, "ORDERS", "OTHERS") }},
	} {
		for _, missing := range []bool{true, false} {
			t.Run(row.name, func(t *testing.T) {
				config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", MaxMsgs: 7}
				s := open(t, config)
				mustStore(t, s, "a", "x")
				require.NoError(t, s.Stop(t.Context()))
				inf := filepath.Join(config.Dir, "ORDERS", "meta.inf")
				text, err := os.ReadFile(inf)
				require.NoError(t, err)
				damaged := row.damage(string(text))
				require.NoError(t, os.WriteFile(inf, []byte(damaged), 0o600))
				if missing {
					require.NoError(t, os.Remove(filepath.Join(config.Dir, "ORDERS", "meta.sum")))
				}
				_, err = actors.Open(t.Context(), quiet, config)
				require.ErrorIs(t, err, actors.ErrCorrupt)
				text, err = os.ReadFile(inf)
				require.NoError(t, err)
				require.Equal(t, damaged, string(text))
			})
		}
	}
}
