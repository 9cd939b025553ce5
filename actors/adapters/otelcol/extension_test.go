package millracestorage

import (
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// TestClientsDoNotMeet has clients of components of all kinds store, read and delete the same keys at the same time.
func TestClientsDoNotMeet(t *testing.T) {
	ctx, e := t.Context(), newTest(t, blocktest.NewMemFS(), nil)
	var running sync.WaitGroup
	for _, kind := range []component.Kind{component.KindReceiver, component.KindProcessor, component.KindExporter, component.KindExtension, component.KindConnector} {
		for _, name := range []string{"one", "two"} {
			c, err := e.GetClient(ctx, kind, testID(name), "")
			require.NoError(t, err)
			running.Go(func() {
				mine := kind.String() + name
				for range 20 {
					for _, key := range []string{"a", "b", "c"} {
						if err := c.Set(ctx, key, []byte(mine)); err != nil {
							t.Error(err)
						}
					}
					for _, key := range []string{"a", "b", "c"} {
						if got, err := c.Get(ctx, key); err != nil || string(got) != mine {
							t.Errorf("%s has %q: %v", mine, got, err)
						}
						if err := c.Delete(ctx, key); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
	}
	running.Wait()
}

// TestNamesOfClients has components whose names could be taken for each other, by us or by a file system.
func TestNamesOfClients(t *testing.T) {
	ctx, e := t.Context(), newTest(t, nil, nil)
	type named struct{ id, storage string }
	clients := map[named]*client{}
	for _, n := range []named{
		{"my/slashed/component*", ""}, {"a_b", "c"}, {"a", "b_c"}, {"a", "b+c"}, {"a+b", "c"}, {"a", "B"}, {"A", "b"}, {"a", "b"}, {"a", ""},
		{"~", ""}, {"~7e", ""}, {"ü", ""}, {"..", ".."},
	} {
		c := newClient(t, e, n.id, n.storage)
		require.NoError(t, c.Set(ctx, "name", []byte(n.id+" "+n.storage)))
		clients[n] = c
	}
	for n, c := range clients {
		require.Equal(t, n.id+" "+n.storage, string(value(t, c, "name")))
	}
	require.Equal(t, "receiver+nop+a+b", streamName(component.KindReceiver, testID("a"), "b"))
}

// TestAClientIsOpenOnce opens a client twice.
func TestAClientIsOpenOnce(t *testing.T) {
	ctx, e := t.Context(), newTest(t, nil, nil)
	first := newClient(t, e, "a", "")
	require.NoError(t, first.Set(ctx, "key", []byte("value")))
	_, err := e.GetClient(ctx, component.KindReceiver, testID("a"), "")
	require.ErrorIs(t, err, actors.ErrLocked)
	require.NoError(t, first.Close(ctx))
	require.Equal(t, []byte("value"), value(t, newClient(t, e, "a", ""), "key"))
}

// TestAllIsThereAfterARestart shuts the extension down with a client open, and starts another one.
func TestAllIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	for _, fsync := range []bool{true, false} {
		change := func(c *Config) { c.Directory, c.FSync, c.Compression = dir, fsync, !fsync }
		e := newTest(t, nil, change)
		c := newClient(t, e, "a", "")
		require.NoError(t, c.Set(t.Context(), "key", []byte("value")))
		require.NoError(t, e.Shutdown(t.Context()))
		require.NoError(t, e.Shutdown(t.Context()))
		_, err := e.GetClient(t.Context(), component.KindReceiver, testID("a"), "")
		require.ErrorIs(t, err, errShutDown)
		e = newTest(t, nil, change)
		require.Equal(t, []byte("value"), value(t, newClient(t, e, "a", ""), "key"))
		require.NoError(t, e.Shutdown(t.Context()))
	}
}

// TestDirectories has directories that are there, are not, are to be made, or are none.
func TestDirectories(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	missing := filepath.Join(dir, "made", "for", "us")
	for _, row := range []struct {
		name   string
		config Config
		valid  bool
	}{
		{"none", Config{CreateDirectory: true}, false},
		{"there", Config{Directory: dir}, true},
		{"missing", Config{Directory: missing}, false},
		{"to be made", Config{Directory: missing, CreateDirectory: true}, true},
		{"a file", Config{Directory: file, CreateDirectory: true}, false},
		{"a timeout below zero", Config{Directory: dir, Timeout: -1}, false},
		{"a size below zero", Config{Directory: dir, MaxSize: -1}, false},
	} {
		require.Equal(t, row.valid, row.config.Validate() == nil, row.name)
	}
	newTest(t, nil, func(c *Config) { c.Directory = missing })
	info, err := os.Stat(missing)
	require.NoError(t, err)
	require.True(t, info.IsDir())

	e := newTest(t, nil, func(c *Config) { c.CreateDirectory = false; c.Directory = filepath.Join(missing) })
	require.NoError(t, os.Remove(missing))
	_, err = e.GetClient(t.Context(), component.KindReceiver, testID("a"), "")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestConfiguration reads one as a collector does.
func TestConfiguration(t *testing.T) {
	factory := NewFactory()
	require.Equal(t, "millrace", factory.Type().String())
	require.NoError(t, componenttest.CheckConfigStruct(factory.CreateDefaultConfig()))
	config := factory.CreateDefaultConfig().(*Config)
	require.Equal(t, &Config{Directory: defaultDirectory, CreateDirectory: true, FSync: true, Timeout: time.Second}, config)
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"directory": "of/mine", "create_directory": false, "fsync": false, "compression": true, "max_size": 1 << 30, "timeout": "10s",
	}).Unmarshal(config))
	require.Equal(t, &Config{Directory: "of/mine", Compression: true, MaxSize: 1 << 30, Timeout: 10 * time.Second}, config)
	require.Error(t, confmap.NewFromStringMap(map[string]any{"no_such": 1}).Unmarshal(config))
}

// TestTheLogOfAStream goes to the collector's.
func TestTheLogOfAStream(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	logger := slog.New(zapHandler{core: core, fields: []zap.Field{zap.String("stream", "a")}}).With("more", true).WithGroup("group")
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		logger.Log(t.Context(), level, "text", "key", 7)
	}
	entries := logs.FilterMessage("text").All()
	require.Len(t, entries, 4)
	for i, want := range []zapcore.Level{zapcore.DebugLevel, zapcore.InfoLevel, zapcore.WarnLevel, zapcore.ErrorLevel} {
		require.Equal(t, want, entries[i].Level)
		require.Equal(t, map[string]any{"stream": "a", "more": true, "group.key": int64(7)}, entries[i].ContextMap())
	}
}
