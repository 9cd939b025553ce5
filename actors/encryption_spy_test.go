package actors_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// spyFS sees all that is written: whether it is plain, and whether a key stream is used twice.
type spyFS struct {
	blockio.FS
	writes atomic.Int64

	mu    sync.Mutex
	plain map[string]bool
	// blocks has what was ever written under the key that a block has now, by the path of the file.
	blocks map[string][]byte
	twice  []string
}

func newSpyFS(fsys blockio.FS) *spyFS {
	return &spyFS{FS: fsys, plain: make(map[string]bool), blocks: make(map[string][]byte)}
}

// found returns the names of the files to which something was written that is to be secret.
func (s *spyFS) found() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.plain {
		names = append(names, name)
	}
	return names
}

// reused returns where a key stream was used for other bytes.
func (s *spyFS) reused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.twice
}

func (s *spyFS) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	file, err := s.FS.OpenFile(name, mode)
	if err != nil {
		return nil, err
	}
	if mode == blockio.ModeCreate || mode == blockio.ModeReplace {
		s.mu.Lock()
		delete(s.blocks, name)
		s.mu.Unlock()
	}
	return &spyFile{file, s, name}, nil
}

func (s *spyFS) Rename(oldName, newName string) error {
	err := s.FS.Rename(oldName, newName)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if stem, ok := strings.CutSuffix(newName, ".key"); ok && strings.HasSuffix(oldName, ".key.tmp") {
		delete(s.blocks, stem+".blk") // of an empty block
	}
	if strings.HasSuffix(newName, ".blk") {
		s.blocks[newName] = s.blocks[oldName]
		delete(s.blocks, oldName)
	}
	return nil
}

type spyFile struct {
	blockio.File
	fs   *spyFS
	name string
}

func (f *spyFile) WriteAt(p []byte, offset int64) (int, error) {
	s := f.fs
	s.writes.Add(1)
	s.mu.Lock()
	if bytes.Contains(p, []byte("secret")) {
		s.plain[f.name] = true
	}
	if base := filepath.Base(f.name); strings.HasSuffix(base, ".blk") || strings.HasSuffix(base, ".rewrite.tmp") {
		s.note(f.name, p, int(offset))
	}
	s.mu.Unlock()
	return f.File.WriteAt(p, offset)
}

// note compares what is written with what was written there under the same key. Zeros are no bytes of a key stream.
func (s *spyFS) note(name string, p []byte, offset int) {
	if len(bytes.Trim(p, "\x00")) == 0 {
		return
	}
	known := s.blocks[name]
	if grow := offset + len(p) - len(known); grow > 0 {
		known = append(known, make([]byte, grow)...)
	}
	for i, b := range p {
		if old := known[offset+i]; old != 0 && old != b {
			s.twice = append(s.twice, fmt.Sprintf("%s at %d", name, offset+i))
			break
		}
	}
	copy(known[offset:], p)
	s.blocks[name] = known
}
