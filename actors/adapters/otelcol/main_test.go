package millracestorage

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/goleak"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestMain sees to it that no test leaves a goroutine behind.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// newTest makes and starts the extension, on a directory of the test or on a file system, and shuts it down at the end.
// change, if it is not nil, changes its configuration.
func newTest(t testing.TB, fsys blockio.FS, change func(*Config)) storage.Extension {
	t.Helper()
	factory := NewFactory()
	config := factory.CreateDefaultConfig().(*Config)
	if config.fs = fsys; fsys != nil {
		config.Directory, config.blockSize = "/storage", 4<<10
	} else {
		config.Directory = t.TempDir()
	}
	if change != nil {
		change(config)
	}
	require.NoError(t, config.Validate())
	extension, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), config)
	require.NoError(t, err)
	require.NoError(t, extension.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, extension.Shutdown(context.Background())) })
	return extension.(storage.Extension)
}

// testID is the id of a component.
func testID(name string) component.ID { return component.MustNewIDWithName("nop", name) }

// newClient opens the client of a receiver.
func newClient(t testing.TB, e storage.Extension, name, storageName string) *client {
	t.Helper()
	c, err := e.GetClient(t.Context(), component.KindReceiver, testID(name), storageName)
	require.NoError(t, err)
	return c.(*client)
}

// value reads a key.
func value(t *testing.T, c storage.Client, key string) []byte {
	t.Helper()
	got, err := c.Get(t.Context(), key)
	require.NoError(t, err)
	return got
}
