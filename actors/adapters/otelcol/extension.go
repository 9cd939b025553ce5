package millracestorage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/seed-d8b58eba/millrace/actors"
)

// errShutDown: there are no clients after the end.
var errShutDown = errors.New("millracestorage: the extension was shut down")

// millraceStorage is the extension.
type millraceStorage struct {
	logger *zap.Logger
	config *Config
	system func() *actor.ActorSystem // of all clients' streams

	mu      sync.Mutex
	clients map[*client]bool // that are open
	over    bool
}

var _ storage.Extension = (*millraceStorage)(nil)

func newExtension(logger *zap.Logger, config *Config) *millraceStorage {
	return &millraceStorage{
		logger: logger, config: config, clients: map[*client]bool{},
		system: sync.OnceValue(func() *actor.ActorSystem {
			return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
				return slog.New(slog.DiscardHandler) // the streams log by themselves
			}))
		}),
	}
}

// directoryMode is that of a directory that is made.
const directoryMode = 0o750

// Start makes the directory.
func (m *millraceStorage) Start(context.Context, component.Host) error {
	if m.config.fs != nil || !m.config.CreateDirectory {
		return nil
	}
	return os.MkdirAll(m.config.Directory, directoryMode)
}

// Shutdown closes the clients that are open.
func (m *millraceStorage) Shutdown(ctx context.Context) error {
	m.mu.Lock()
	over := m.over
	m.over = true
	var open []*client
	for c := range m.clients {
		open = append(open, c)
	}
	m.mu.Unlock()
	var err error
	for _, c := range open {
		err = errors.Join(err, c.Close(ctx))
	}
	if !over {
		m.system().Shutdown()
	}
	return err
}

// GetClient opens the stream of a component, or of one of its storages. It can be open once at a time.
func (m *millraceStorage) GetClient(ctx context.Context, kind component.Kind, id component.ID, name string) (storage.Client, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		return nil, errShutDown
	}
	if m.config.fs == nil && !m.config.CreateDirectory {
		if _, err := os.Stat(m.config.Directory); err != nil {
			return nil, err
		}
	}
	config := m.streamConfig(streamName(kind, id, name))
	store, err := actors.Open(ctx, m.system(), config)
	if err != nil {
		return nil, err
	}
	if state, err := store.FastState(ctx); err == nil && state.LostMessages > 0 {
		m.logger.Warn("files were damaged, and some of what was stored is lost", zap.String("stream", config.Name), zap.Uint64("lost", state.LostMessages))
	}
	c := &client{store: store, timeout: m.config.Timeout, maxSize: uint64(m.config.MaxSize)}
	c.closed = func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.clients, c)
	}
	m.clients[c] = true
	return c, nil
}

// blockSize is that of a work queue of a nats-server: of what waits shortly there is never more than a few blocks on the
// disk, and of a long queue not too many.
const blockSize = 4 << 20

// streamConfig is the configuration of the stream of a client.
func (m *millraceStorage) streamConfig(name string) actors.Config {
	config := actors.Config{
		Dir: m.config.Directory, Name: name, FS: m.config.fs, BlockSize: m.config.blockSize,
		// One message a key, and tombstones that go by themselves.
		MaxMsgsPer: 1, AllowMsgTTL: actors.On,
		// What the configuration file says is known here, too: without it a client starts all the same.
		RecreateMeta: true,
		Sync:         actors.SyncAlways,
		Compression:  actors.Off,
		Logger:       slog.New(zapHandler{core: m.logger.Core(), fields: []zap.Field{zap.String("stream", name)}}),
	}
	if config.BlockSize == 0 {
		config.BlockSize = blockSize
	}
	if !m.config.FSync {
		config.Sync = actors.SyncInterval
	}
	if m.config.Compression {
		config.Compression = actors.On
	}
	return config
}

// streamName is the name of the stream of a client: the kind of its component, its type, its name, and that of the
// storage, joined by plus signs. No two clients have the same, whatever the case of letters means to the file system.
func streamName(kind component.Kind, id component.ID, name string) string {
	parts := []string{strings.ToLower(kind.String()), id.Type().String(), id.Name()}
	if name != "" {
		parts = append(parts, name)
	}
	for i, part := range parts {
		parts[i] = escape(part, '~', func(c byte) bool {
			return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
		})
	}
	return strings.Join(parts, "+")
}

// escape writes bytes that are not plain as two hexadecimal digits behind a mark.
func escape(text string, mark byte, plain func(byte) bool) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; plain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%c%02x", mark, c)
		}
	}
	return b.String()
}
