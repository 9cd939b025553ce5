// Package oracle runs a real nats-server in this process, over stream directories that were
// prepared beforehand, and says what the server makes of them.
package oracle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// readyTimeout bounds how long a server may take to come up. Recovering the stores is part of it.
const readyTimeout = 45 * time.Second

// jetStreamDir is the folder that the server makes in its store directory.
const jetStreamDir = "jetstream"

// Server is a nats-server with JetStream, on loopback, with no network clients but ours.
type Server struct {
	storeDir     string
	syncInterval time.Duration
	syncAlways   bool
	key          string
	cipher       server.StoreCipher
	server       *server.Server
	conn         *nats.Conn
	js           nats.JetStreamContext
}

// Option changes how Start runs the server.
type Option func(*Server)

// WithSyncInterval sets the server's background sync pass, which is also when it compacts blocks.
func WithSyncInterval(interval time.Duration) Option {
	return func(s *Server) { s.syncInterval = interval }
}

// WithSyncAlways has the server sync what it has stored before it says so.
func WithSyncAlways() Option {
	return func(s *Server) { s.syncAlways = true }
}

// WithKey has the server encrypt its stores, with AES or with ChaCha20. Restart goes by what Rekey has said last.
func WithKey(key string, aes bool) Option {
	return func(s *Server) { s.Rekey(key, aes) }
}

// Rekey changes how the server encrypts, from the next Restart on.
func (s *Server) Rekey(key string, aes bool) {
	if s.key, s.cipher = key, server.ChaCha; aes {
		s.cipher = server.AES
	}
}

// StreamDir is where a server with the given store directory keeps a stream of the default account.
func StreamDir(storeDir, stream string) string {
	return filepath.Join(storeDir, jetStreamDir, "$G", "streams", stream)
}

// Place copies the stream directory source, named stream, to where a server with storeDir finds it.
func Place(storeDir, stream, source string) error {
	return CopyStream(StreamDir(storeDir, stream), source)
}

// purgedDir is where a server puts the blocks of a purge before it removes them.
const purgedDir = "__msgs__"

// CopyStream copies the stream directory source to target. The copies are writable, whatever the
// modes of the originals are. What a server has purged may vanish meanwhile: it removes that in the background.
func CopyStream(target, source string) error {
	return filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		vanished := func(err error) bool {
			return errors.Is(err, fs.ErrNotExist) && strings.Contains(path, purgedDir)
		}
		if vanished(err) {
			return nil
		}
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(target, relative), 0o700)
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(path)
		if vanished(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(target, relative), content, 0o600)
	})
}

// Version is the version of the nats-server that is used.
func Version() string {
	return server.VERSION
}

// Start runs a server over storeDir and connects to it.
func Start(storeDir string, options ...Option) (*Server, error) {
	s := &Server{storeDir: storeDir}
	for _, option := range options {
		option(s)
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Server) start() error {
	running, err := server.NewServer(&server.Options{
		ServerName:      "oracle",
		Host:            "127.0.0.1",
		Port:            server.RANDOM_PORT,
		JetStream:       true,
		StoreDir:        s.storeDir,
		SyncInterval:    s.syncInterval,
		SyncAlways:      s.syncAlways,
		JetStreamKey:    s.key,
		JetStreamCipher: s.cipher,
		NoSigs:          true,
		NoLog:           true,
	})
	if err != nil {
		return fmt.Errorf("oracle: %w", err)
	}
	go running.Start()
	if !running.ReadyForConnections(readyTimeout) {
		running.Shutdown()
		return errors.New("oracle: the server did not come up")
	}
	s.server = running
	if s.conn, err = nats.Connect("", nats.InProcessServer(running)); err != nil {
		s.Stop()
		return fmt.Errorf("oracle: connect: %w", err)
	}
	if s.js, err = s.conn.JetStream(nats.MaxWait(readyTimeout)); err != nil {
		s.Stop()
		return fmt.Errorf("oracle: jetstream: %w", err)
	}
	return nil
}

// Stop ends the connection and the server, cleanly. It may be called again.
func (s *Server) Stop() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
		s.server = nil
	}
}

// Restart stops the server, calls between (when it is not nil) and starts the server again.
func (s *Server) Restart(between func() error) error {
	s.Stop()
	if between != nil {
		if err := between(); err != nil {
			return err
		}
	}
	return s.start()
}

// JetStream is the client, for tests that change a stream.
func (s *Server) JetStream() nats.JetStreamContext {
	return s.js
}

// Conn is the connection of the client.
func (s *Server) Conn() *nats.Conn {
	return s.conn
}

// RemoveIndex removes the stream's index.db, so that the next start reads the blocks. It is for
// use between Stop and start, as in the function given to Restart.
func (s *Server) RemoveIndex(stream string) error {
	return RemoveIndexFile(StreamDir(s.storeDir, stream))
}

// RemoveIndexFile removes index.db from a stream directory, if it is there.
func RemoveIndexFile(streamDir string) error {
	err := os.Remove(filepath.Join(streamDir, "msgs", "index.db"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// State is what the server says about a stream.
type State struct {
	Messages  uint64
	Bytes     uint64
	First     uint64
	Last      uint64
	FirstTime time.Time
	LastTime  time.Time
	Deleted   []uint64
	Subjects  map[string]uint64
}

// State asks the server for the state of a stream.
func (s *Server) State(ctx context.Context, stream string) (State, error) {
	info, err := s.js.StreamInfo(stream,
		&nats.StreamInfoRequest{DeletedDetails: true, SubjectsFilter: ">"}, nats.Context(ctx))
	if err != nil {
		return State{}, fmt.Errorf("oracle: stream %s: %w", stream, err)
	}
	state := State{
		Messages:  info.State.Msgs,
		Bytes:     info.State.Bytes,
		First:     info.State.FirstSeq,
		Last:      info.State.LastSeq,
		FirstTime: info.State.FirstTime,
		LastTime:  info.State.LastTime,
		Deleted:   info.State.Deleted,
		Subjects:  info.State.Subjects,
	}
	return state, nil
}
