package blockio

import "fmt"

// SyncFile makes durable what was written to a file of the log. The error wraps ErrSync.
func SyncFile(file File) error { return syncError(file.Sync()) }

// SyncDir makes durable the names in a directory of the log. The error wraps ErrSync.
func SyncDir(fsys FS, name string) error { return syncError(fsys.SyncDir(name)) }

func syncError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrSync, err)
}

// syncDir makes durable which blocks there are. The system tells of names that it could
// not write once, to one of those who sync the directory, so they take turns, and after a
// failure everyone is told: a block whose Create has succeeded is there after a crash.
func (b *Blocks) syncDir() error {
	b.dirMu.Lock()
	defer b.dirMu.Unlock()
	if b.dirBroken != nil {
		return fmt.Errorf("%w: %w", ErrBroken, b.dirBroken)
	}
	b.dirBroken = SyncDir(b.fs, b.Dir())
	return b.dirBroken
}
