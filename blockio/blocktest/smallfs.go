package blocktest

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// roomUnit is the unit, in bytes, in which a SmallFS has room.
const roomUnit = 4096

// SmallFS is a file system that gets full: the files that are there may have so many bytes in all, counted in pages of
// 4 KiB. A write beyond that writes what there is room for, and fails with ENOSPC. Names, and what is removed while it is
// open, take no room. Make one with NewSmallFS.
type SmallFS struct {
	blockio.FS
	mu    sync.Mutex
	room  int64 // pages
	pages map[string]int64
}

// NewSmallFS returns a file system with room for so many bytes above another one, which is empty.
func NewSmallFS(fs blockio.FS, bytes int64) *SmallFS {
	return &SmallFS{FS: fs, room: bytes / roomUnit, pages: make(map[string]int64)}
}

// Free returns how many bytes there is room for.
func (s *SmallFS) Free() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free() * roomUnit
}

// Grow makes room for so many bytes more; less when it is negative.
func (s *SmallFS) Grow(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room += bytes / roomUnit
}

// free returns how many pages are free. s.mu is held.
func (s *SmallFS) free() int64 {
	free := s.room
	for _, n := range s.pages {
		free -= n
	}
	return max(free, 0)
}

// OpenFile implements blockio.FS.
func (s *SmallFS) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	file, err := s.FS.OpenFile(name, mode)
	if err != nil {
		return nil, err
	}
	name = filepath.Clean(name)
	if mode == blockio.ModeReplace {
		s.set(name, 0)
	}
	return &smallFile{File: file, fs: s, name: name}, nil
}

func (s *SmallFS) set(name string, pages int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[name] = pages
}

// Remove implements blockio.FS.
func (s *SmallFS) Remove(name string) error {
	err := s.FS.Remove(name)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.pages, filepath.Clean(name))
	}
	return err
}

// Rename implements blockio.FS.
func (s *SmallFS) Rename(oldName, newName string) error {
	if err := s.FS.Rename(oldName, newName); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	oldName, newName = filepath.Clean(oldName), filepath.Clean(newName)
	for name, pages := range s.pages {
		if below, ok := strings.CutPrefix(name, oldName); ok && (below == "" || below[0] == filepath.Separator) {
			delete(s.pages, name)
			s.pages[newName+below] = pages
		}
	}
	return nil
}

// Lock implements blockio.FS. The text about the holder takes no room.
func (s *SmallFS) Lock(name, holder string) (io.Closer, error) { return s.FS.Lock(name, holder) }

type smallFile struct {
	blockio.File
	fs   *SmallFS
	name string
}

func (f *smallFile) WriteAt(p []byte, offset int64) (int, error) {
	f.fs.mu.Lock()
	have := f.fs.pages[f.name]
	want := (offset + int64(len(p)) + roomUnit - 1) / roomUnit
	got := min(want, have+f.fs.free())
	if _, there := f.fs.pages[f.name]; there || got > 0 {
		f.fs.pages[f.name] = max(have, got)
	}
	f.fs.mu.Unlock()
	if want <= max(have, got) {
		return f.File.WriteAt(p, offset)
	}
	n := 0
	if fits := max(have, got)*roomUnit - offset; fits > 0 {
		var err error
		if n, err = f.File.WriteAt(p[:fits], offset); err != nil {
			return n, err
		}
	}
	return n, fmt.Errorf("write %s at %d: %w: %w", f.name, offset, ErrInjected, syscall.ENOSPC)
}

// Truncate implements blockio.File. A file that is made longer takes room when it is written to.
func (f *smallFile) Truncate(size int64) error {
	err := f.File.Truncate(size)
	if err == nil {
		f.fs.mu.Lock()
		defer f.fs.mu.Unlock()
		f.fs.pages[f.name] = min(f.fs.pages[f.name], (size+roomUnit-1)/roomUnit)
	}
	return err
}
