package blockio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	filePerm = 0o600
	dirPerm  = 0o700
)

// OS is the file system of the machine.
var OS FS = osFS{}

type osFS struct{}

var openFlags = map[OpenMode]int{
	ModeRead:      os.O_RDONLY,
	ModeReadWrite: os.O_RDWR,
	ModeCreate:    os.O_RDWR | os.O_CREATE | os.O_EXCL,
	ModeReplace:   os.O_RDWR | os.O_CREATE | os.O_TRUNC,
}

func (osFS) OpenFile(name string, mode OpenMode) (File, error) {
	flags, ok := openFlags[mode]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	// Opening a pipe would else wait for somebody at its other end.
	file, err := os.OpenFile(name, flags|openNonblock, filePerm)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, brokenLink(name, err)
	}
	if err != nil {
		return nil, err
	}
	f := &osFile{File: file}
	if err = f.checkRegular(); err == nil {
		err = f.prepareSync()
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return f, nil
}

// brokenLink returns an error that is ErrNotRegular, and says where it leads, if there is a symbolic link that leads to no file:
// the name is there. Else it returns err.
func brokenLink(name string, err error) error {
	target, none := os.Readlink(name)
	if none != nil {
		return err
	}
	return &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("%w, but a link to %s, which is not there", ErrNotRegular, target)}
}

// checkRegular returns ErrNotRegular, with the path, for anything but a file.
func (f *osFile) checkRegular() error {
	info, err := f.File.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: f.Name(), Err: ErrNotRegular}
	}
	return err
}

func (osFS) Remove(name string) error { return os.Remove(name) }

func (osFS) Rename(oldName, newName string) error { return os.Rename(oldName, newName) }

// MkdirAll goes from the top down, so that what a crash leaves is a prefix of
// the path.
func (osFS) MkdirAll(name string) error {
	name, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	return mkdirAll(name, folderSyncs.sync, foldersAbove.settle)
}

// mkdirAll is MkdirAll for an absolute path, with the function that syncs a directory, and the one that does so unless that
// was done since it changed last.
func mkdirAll(name string, sync, settle func(dir string) error) error {
	parent := filepath.Dir(name)
	switch info, err := os.Stat(name); {
	case err == nil && info.IsDir():
		return syncAbove(name, sync, settle)
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.ENOTDIR}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if parent == name {
		return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrNotExist}
	}
	if err := mkdirAll(parent, sync, settle); err != nil {
		return err
	}
	// Somebody else may be making the same directory: theirs is as good.
	if err := os.Mkdir(name, dirPerm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return sync(parent)
}

// syncAbove makes the entries durable of a directory that is there and of those above it:
// whoever made them may have been killed before that. The one that holds name is synced in any case. A directory above that may
// not be read or has no entries on a disk is not ours to sync.
func syncAbove(name string, sync, settle func(dir string) error) error {
	for ; ; sync = settle {
		parent := filepath.Dir(name)
		if parent == name {
			return nil
		}
		err := sync(parent)
		if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
			return err
		}
		name = parent
	}
}

func (osFS) ReadDir(name string) ([]Entry, error) {
	list, err := os.ReadDir(name) // sorted by name
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(list))
	for _, item := range list {
		entry := Entry{Name: item.Name(), IsDir: item.IsDir()}
		if !entry.IsDir {
			info, err := fileInfo(name, item)
			if errors.Is(err, fs.ErrNotExist) {
				continue // removed since it was listed
			}
			if err != nil {
				return nil, err
			}
			entry.Size, entry.ModTime = info.Size(), info.ModTime().UnixNano()
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// fileInfo returns what is known of a file in a directory. A symbolic link to a file is what it leads to, as it is for whoever opens
// it. One that leads nowhere, or to a directory, is listed as itself: it is there, and what is removed of it is the link.
func fileInfo(dir string, item os.DirEntry) (os.FileInfo, error) {
	if item.Type()&fs.ModeSymlink != 0 {
		if info, err := os.Stat(filepath.Join(dir, item.Name())); err == nil && info.Mode().IsRegular() {
			return info, nil
		}
	}
	return item.Info()
}

func (osFS) SyncDir(name string) error { return syncDir(name) }

// An osFile is a File on the machine's file system.
type osFile struct {
	*os.File
	sync syncState
}

func (f *osFile) Stat() (FileStat, error) {
	info, err := f.File.Stat()
	if err != nil {
		return FileStat{}, err
	}
	return FileStat{Size: info.Size(), ModTime: info.ModTime().UnixNano()}, nil
}

// lockError wraps what went wrong with a lock file, other than its being held.
func lockError(name string, err error) error {
	return fmt.Errorf("lock %s: %w", name, err)
}

// holderLimit bounds what is read of a lock file: it is somebody else's text.
const holderLimit = 1024

// readHolder returns who holds a lock, as it wrote about itself. One who cannot be read stays unnamed; ours is what this
// process writes.
func readHolder(name, ours string) string {
	file, err := os.Open(name)
	if err != nil {
		return ""
	}
	text := make([]byte, holderLimit)
	n, _ := file.ReadAt(text, 0)
	_ = file.Close() // it was read
	holder := string(text[:n])
	who, _, _ := strings.Cut(ours, holderSince)
	if strings.HasPrefix(holder, who+holderSince) {
		return "this process, " + holder
	}
	return holder
}

// holderSince is what a holder writes before the time since when it holds the lock.
const holderSince = " since "

// noteHolder writes down who holds a lock: a courtesy, which a full disk has no room for. The file is not emptied first: some
// file systems write one that was to the disk when it is closed.
func noteHolder(name, holder string) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		return
	}
	n, _ := file.WriteAt([]byte(holder), 0)
	if stat, err := file.Stat(); err == nil && stat.Size() > int64(n) {
		_ = file.Truncate(int64(n)) // what is behind it is of somebody else
	}
	_ = file.Close()
}
