package blockio

import "io"

// A QuietLocker is an FS that can take a lock and leave no trace of it: who finds out behind the lock that it must not
// touch a directory leaves it as it was, with its times.
type QuietLocker interface {
	// LockQuietly is FS.Lock, but holder is written when Note is called.
	LockQuietly(name, holder string) (QuietLock, error)
}

// A QuietLock is a lock that was taken quietly.
type QuietLock interface {
	io.Closer
	// Note writes down who holds the lock, for others to see.
	Note()
}
