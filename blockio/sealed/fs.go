package sealed

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// Options say which stream is encrypted, and how.
type Options struct {
	FS     blockio.FS // the real one
	Dir    string     // the stream's
	Stream string
	// Key is required; it is called by several goroutines at once. OldKey, if not nil, is what keys may be wrapped with that
	// Key does not open: they are wrapped with Key then.
	Key, OldKey KeyFunc
	Cipher      Cipher
	// ReadOnly has Prepare change nothing, and leaves everything encrypted as it is.
	ReadOnly bool
	// Random is what keys are made of. Default crypto/rand.Reader.
	Random io.Reader
	// Log, if not nil, gets what operators should know.
	Log *slog.Logger
}

// FS is the file system of one stream: blockio.Sealer. What lies outside of the directory of the stream is as it is.
//
// Make one with New, then call Look, and Prepare before the first change.
type FS struct {
	blockio.FS // the real one
	o          Options

	// mu is held while a file of a block is opened, or is given another key.
	mu      sync.Mutex
	seals   bool   // Look has found anything encrypted, or something is to be
	cipher  Cipher // of what is new
	meta    *metaKey
	earlier []*metaKey // with which other files may be encrypted, until they are converted
	blocks  map[uint32]*blockKeys
	// plainWithoutKey: a block without a key file is not encrypted.
	plainWithoutKey bool
}

// New returns the file system of a stream. It touches nothing.
func New(o Options) *FS {
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &FS{FS: o.FS, o: o, blocks: make(map[uint32]*blockKeys)}
}

// A metaKey is the key of a stream: that of meta.inf and index.db, and that from which those of our own files are made.
type metaKey struct {
	*secret
	files []byte // the key of our own files
}

func newMetaKey(s *secret) *metaKey {
	h := hmac.New(sha256.New, s.seed)
	io.WriteString(h, "millrace files") // a hash returns no error
	return &metaKey{secret: s, files: h.Sum(nil)}
}

// seal encrypts a small file.
func (m *metaKey) seal(plain []byte, random io.Reader) ([]byte, error) {
	nonce := make([]byte, m.cipher.nonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("random bytes: %w", err)
	}
	return m.cipher.seal(m.seed, nonce, plain)
}

// Seals implements blockio.Sealer.
func (s *FS) Seals() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seals
}

// Cipher returns what new files are encrypted with.
func (s *FS) Cipher() Cipher {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cipher
}

// SealMeta implements blockio.Sealer.
func (s *FS) SealMeta(plain []byte) ([]byte, error) {
	if s.cipher == None {
		return plain, nil
	}
	return s.meta.seal(plain, s.o.Random)
}

// OpenMeta implements blockio.Sealer.
func (s *FS) OpenMeta(stored []byte) []byte {
	if plain, _, ok := s.openSmall(stored); ok {
		return plain
	}
	return stored
}

// keys returns the keys of the stream that files may be encrypted with, the current one first.
func (s *FS) keys() []*metaKey {
	if s.meta == nil {
		return s.earlier
	}
	return append([]*metaKey{s.meta}, s.earlier...)
}

// openSmall opens a file that is encrypted as a whole with one of the keys of the stream, and returns with which.
func (s *FS) openSmall(stored []byte) (plain []byte, by *metaKey, ok bool) {
	for _, k := range s.keys() {
		if plain, ok = k.cipher.open(k.seed, stored); ok {
			return plain, k, true
		}
	}
	return nil, nil, false
}

// OpenFile implements blockio.FS.
func (s *FS) OpenFile(name string, mode blockio.OpenMode) (blockio.File, error) {
	if !s.Seals() {
		return s.FS.OpenFile(name, mode)
	}
	switch k, id := s.kindOf(name); k {
	case block:
		return s.openBlock(name, id, mode)
	case rewrite:
		return s.openRewrite(name, id, mode)
	case state:
		return s.openState(name, mode)
	case consumer:
		return s.openConsumer(name, mode)
	case other:
		return s.openOther(name, mode)
	}
	return s.FS.OpenFile(name, mode)
}

// Rename implements blockio.FS. A file keeps the form that its name gives it: others are refused.
func (s *FS) Rename(oldName, newName string) error {
	if !s.Seals() {
		return s.FS.Rename(oldName, newName)
	}
	from, id := s.kindOf(oldName)
	to, _ := s.kindOf(newName)
	switch {
	case from == rewrite && to == block:
		return s.putInPlace(oldName, newName, id)
	case from != to && isFormat(from) || from != to && isFormat(to):
		return fmt.Errorf("rename %s to %s, which is encrypted in another way: %w", oldName, newName, fs.ErrInvalid)
	}
	return s.FS.Rename(oldName, newName)
}

// isFormat reports whether files of the kind are encrypted as nats-server encrypts them.
func isFormat(k kind) bool { return k == block || k == rewrite || k == state || k == consumer }

// Remove implements blockio.FS.
func (s *FS) Remove(name string) error {
	if s.Seals() {
		if k, id := s.kindOf(name); k == rewrite {
			return s.removeRewrite(name, id)
		}
	}
	return s.FS.Remove(name)
}

// context returns what names the key of a block.
func (s *FS) context(id uint32) string { return s.o.Stream + ":" + strconv.FormatUint(uint64(id), 10) }

// write makes a file of the real file system with a content, all or nothing, and not durable before its directory is
// synced.
func (s *FS) write(name string, data []byte) error {
	temp := name + blockio.UnfinishedSuffix
	file, err := s.FS.OpenFile(temp, blockio.ModeReplace)
	if err != nil {
		return err
	}
	if len(data) > 0 {
		_, err = file.WriteAt(data, 0)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = s.FS.Rename(temp, name)
	}
	if err != nil {
		err = errors.Join(err, ignoreMissing(s.FS.Remove(temp)))
	}
	return err
}

// syncBlocks makes the names in the directory of the blocks durable.
func (s *FS) syncBlocks() error { return blockio.SyncDir(s.FS, blockio.BlocksDir(s.o.Dir)) }

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// read returns the content of a small file of the real file system; nil if there is none.
func (s *FS) read(name string) ([]byte, error) {
	data, err := blockio.ReadFile(s.FS, name, mostSmall)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Base(name), err)
	}
	if data == nil {
		data = []byte{}
	}
	return data, nil
}

// mostSmall bounds the files that are encrypted as a whole, in bytes.
const mostSmall = 1 << 30
