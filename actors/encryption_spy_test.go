package actors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
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

// TestNoKeyStreamIsUsedTwice has a stream crash again and again while blocks are appended to, compacted, compressed, erased from
// and cut: whoever has copies of the disk from all times has no two texts under the same part of a key stream.
func TestNoKeyStreamIsUsedTwice(t *testing.T) {
	for _, cipher := range []actors.Cipher{actors.CipherChaCha20, actors.CipherAES} {
		rng := rand.New(rand.NewSource(int64(cipher)))
		rounds := 24
		if testing.Short() {
			rounds = 6
		}
		if actors.EncryptAll() {
			rounds = 200
		}
		mem := blocktest.NewMemFS()
		spy := newSpyFS(mem)
		config := secretConfig(spy)
		config.Key, config.Cipher, config.BlockSize = key1, cipher, 16<<10
		last := uint64(0)
		for round := range rounds {
			s := openToFail(t, config)
			for range 1 + rng.Intn(12) {
				text := make([]byte, rng.Intn(1500))
				rng.Read(text)
				last = mustStore(t, s, fmt.Sprintf("secret.%d", rng.Intn(3)), string(text)).Sequence
			}
			for range rng.Intn(8) {
				sequence := 1 + uint64(rng.Int63n(int64(last)))
				var err error
				if rng.Intn(4) == 0 {
					_, err = s.EraseMsg(t.Context(), sequence)
				} else {
					_, err = s.RemoveMsg(t.Context(), sequence)
				}
				if !errors.Is(err, actors.ErrNotFound) {
					require.NoError(t, err)
				}
			}
			if round%7 == 6 {
				_, err := s.Truncate(t.Context(), last-uint64(rng.Intn(3)))
				require.NoError(t, err)
				last = stateOf(t, s).LastSequence
			}
			if round%5 == 4 {
				require.NoError(t, s.Flush(t.Context()))
				eventually(t, func() bool { return s.Stats().Unindexed == 0 })
			}
			if round%3 == 2 {
				require.NoError(t, s.Stop(context.Background()))
				continue
			}
			image := mem.CrashImage(blocktest.CrashModes[rng.Intn(len(blocktest.CrashModes))], rng)
			require.NoError(t, s.Stop(context.Background()))
			mem, spy.FS = image, image
		}
		require.Empty(t, spy.reused())
		require.Empty(t, spy.found())
	}
}
