package blockio

import "io"

// OpenMode says how FS.OpenFile opens a file.
type OpenMode uint8

// The ways to open a file.
const (
	// ModeRead opens an existing file for reading.
	ModeRead OpenMode = iota
	// ModeReadWrite opens an existing file for reading and writing.
	ModeReadWrite
	// ModeCreate makes a new file for reading and writing; it is an error,
	// fs.ErrExist, when there is one.
	ModeCreate
	// ModeReplace opens a file for reading and writing, made when missing and
	// emptied when not.
	ModeReplace
)

// An Entry is what ReadDir says of one name.
type Entry struct {
	Name  string
	Size  int64 // bytes; of no meaning for a directory
	IsDir bool
	// ModTime is that of FileStat; of no meaning for a directory.
	ModTime int64
}

// A FileStat is what File.Stat says of a file.
type FileStat struct {
	Size int64 // bytes
	// ModTime is when the content was last changed, nanoseconds since 1970, as
	// exact as the file system keeps it. Two changes may have the same time, and
	// after a crash the time may be older than the content.
	ModTime int64
}

// FS is the file system below a store. OS is the real one. Every method may be
// called by several goroutines at once. Names are paths as the os package takes
// them. Files are made with mode 0600 and directories with 0700.
//
// For a name that does not exist the error is one for which
// errors.Is(err, fs.ErrNotExist) holds.
type FS interface {
	// OpenFile opens or makes a file, without waiting for anybody; what is no
	// file is an error, on OS ErrNotRegular. The entry of a new file is durable only
	// after SyncDir of its directory.
	OpenFile(name string, mode OpenMode) (File, error)
	// Remove removes a file or an empty directory. Open files stay usable.
	// Durable after SyncDir.
	Remove(name string) error
	// Rename gives a file or directory a new name, in place of the file that
	// has it. It is atomic: after a crash the new name is the old file or the
	// new. Durable after SyncDir.
	Rename(oldName, newName string) error
	// MkdirAll makes a directory and the missing ones above it. On return
	// their entries are durable, and those of the ones that were there as well.
	MkdirAll(name string) error
	// ReadDir lists a directory, sorted by name.
	ReadDir(name string) ([]Entry, error)
	// SyncDir makes the entries of a directory durable.
	SyncDir(name string) error
	// Lock takes the lock that the file name stands for, without waiting, and
	// writes holder into it for others to see. When somebody else has it (in
	// this process too) the error is a *LockedError. On return the file that is
	// locked has the name. Closing the result
	// releases the lock; so does the end of the process.
	Lock(name, holder string) (io.Closer, error)
}

// A File is an open file. ReadAt may be called by several goroutines at once,
// and beside the writes of one.
type File interface {
	io.ReaderAt
	// WriteAt writes all of p at an offset, extending the file when needed. p
	// is the caller's again on return. Durable after Sync.
	io.WriterAt
	// Truncate sets the size of the file in bytes. Durable after Sync.
	Truncate(size int64) error
	// Sync makes durable what was written before it, and as much about the
	// file as is needed to read that back (its size). Not its directory entry.
	Sync() error
	// Stat returns the size of the file and when it was last changed.
	Stat() (FileStat, error)
	// Close releases the file. It makes nothing durable.
	Close() error
}
