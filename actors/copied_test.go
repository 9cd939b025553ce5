package actors_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestACopyOfAStoppedStreamOpensAsItWas: cp -r makes other times, and nothing but these. The blocks prove their indexes, once: none
// is built anew, the log has nothing to warn of, and the next opening is like any other.
func TestACopyOfAStoppedStreamOpensAsItWas(t *testing.T) {
	for _, row := range []struct {
		name   string
		config func(*actors.Config)
	}{
		{"plain", func(*actors.Config) {}},
		{"compressed", func(c *actors.Config) { c.Compression = actors.On }},
		{"encrypted", func(c *actors.Config) { c.Key = key1 }},
	} {
		t.Run(row.name, func(t *testing.T) {
			config := actors.Config{Dir: t.TempDir(), Name: "S", BlockSize: 4 << 10, IndexFrom: 1, Sync: actors.SyncNever}
			row.config(&config)
			refusedStream(t, config)
			copied := config
			copied.Dir = filepath.Join(t.TempDir(), "copy")
			require.NoError(t, os.CopyFS(copied.Dir, os.DirFS(config.Dir)))
			require.NoError(t, filepath.Walk(copied.Dir, func(path string, _ os.FileInfo, err error) error {
				require.NoError(t, err)
				return os.Chtimes(path, time.Now(), time.Now().Add(time.Hour))
			}))
			for opening := range 2 {
				var text bytes.Buffer
				copied.Logger = slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
				s, err := actors.Open(t.Context(), quiet, copied)
				require.NoError(t, err)
				require.Zero(t, s.Stats().Unindexed, "an index is to be built")
				got, _ := collect(t, s)
				require.Len(t, got, 39)
				require.NoError(t, s.Stop(context.Background()))
				require.NotContains(t, text.String(), "level=WARN")
				require.NotContains(t, text.String(), "level=ERROR")
				require.Equal(t, opening == 0, strings.Contains(text.String(), "are read without it"), "%s", &text)
			}
		})
	}
}
