package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// folderLockName is the file of the data folder's lock. Neither this program nor a nats-server takes a hidden name for a stream; a
// server removes it.
const folderLockName = ".millrace.lock"

// lockFolder keeps other brokers from a data folder, also from one without streams. Stores have locks of their own, so that a
// folder of which one stream is open elsewhere is refused as well.
func lockFolder(dir string) (io.Closer, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	holder := fmt.Sprintf("process %d on %s since %s", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
	name := filepath.Join(dir, folderLockName)
	lock, err := blockio.OS.Lock(name, holder)
	if err != nil {
		return nil, fmt.Errorf("locking the data folder: %w", err)
	}
	return &folderLock{lock, name}, nil
}

// A folderLock is a held lock of a data folder.
type folderLock struct {
	held io.Closer
	name string
}

// Close releases the lock. Its file goes first: nobody else can have it yet. Where that cannot be it stays, empty.
func (l *folderLock) Close() error {
	_ = os.Remove(l.name)
	return l.held.Close()
}
