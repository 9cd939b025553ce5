package peers

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/seed-d8b58eba/millrace/actors"
)

//go:linkname fileStoreSnapshot github.com/nats-io/nats-server/v2/server.(*fileStore).Snapshot
func fileStoreSnapshot(fs unsafe.Pointer, deadline time.Duration, checkMessages, consumers bool) (*server.SnapshotResult, error)

// snapshotPatience is how long a snapshot may take.
const snapshotPatience = 2 * time.Minute

// SnapshotStore writes itself into one file while messages are stored.
type SnapshotStore interface {
	QueryStore
	// Snapshot writes what is stored, each record verified.
	Snapshot(ctx context.Context, w io.Writer) error
}

func (m *millraceStore) Snapshot(ctx context.Context, w io.Writer) error {
	_, err := m.store.Snapshot(ctx, w, actors.SnapshotOptions{Timeout: snapshotPatience})
	return err
}

func (n *natsStore) Snapshot(_ context.Context, w io.Writer) error {
	result, err := fileStoreSnapshot(n.store, snapshotPatience, true, false)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, result.Reader)
	return errors.Join(err, result.Reader.Close())
}

// MillraceRestore makes a stream of a snapshot in a folder, checked and synced.
func MillraceRestore(ctx context.Context, dir string, r io.Reader) error {
	_, err := actors.Restore(ctx, dir, r, actors.RestoreOptions{})
	return err
}

// NATSRestore makes a stream of a snapshot as nats-server does: it writes the files, which are checked when the store is
// opened, and does not sync them.
func NATSRestore(_ context.Context, dir string, r io.Reader) error {
	files := tar.NewReader(s2.NewReader(r))
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !filepath.IsLocal(header.Name) {
			return fmt.Errorf("a file called %q", header.Name)
		}
		if err := writeFrom(filepath.Join(dir, header.Name), files); err != nil {
			return err
		}
	}
}

func writeFrom(path string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, r)
	return errors.Join(err, file.Close())
}
