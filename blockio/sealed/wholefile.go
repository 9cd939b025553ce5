package sealed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// sumSize is the length of the checksum that ends index.db.
const sumSize = 8

// openState opens index.db, which is encrypted but for its checksum: that is of what is encrypted. It reads with the checksum
// of what is not.
func (s *FS) openState(name string, mode blockio.OpenMode) (blockio.File, error) {
	if mode != blockio.ModeRead {
		return s.writeWhole(name, mode, s.sealState)
	}
	return s.readWhole(name, func(stored []byte) ([]byte, error) {
		plain, _ := s.openedState(stored)
		return plain, nil
	})
}

// openedState returns what index.db says by what it holds, and with which key it is encrypted: nil, and the same, if it is not,
// or is damaged.
func (s *FS) openedState(stored []byte) (plain []byte, by *metaKey) {
	n := len(stored) - sumSize
	if n < 0 || s.stateSum(stored[:n]) != binary.LittleEndian.Uint64(stored[n:]) {
		return stored, nil
	}
	body, by, ok := s.openSmall(stored[:n])
	if !ok {
		return stored, nil
	}
	return binary.LittleEndian.AppendUint64(body, s.stateSum(body)), by
}

// sealState is the reverse of openedState.
func (s *FS) sealState(plain []byte) ([]byte, error) {
	n := len(plain) - sumSize
	if s.cipher == None {
		return plain, nil
	}
	if n < 0 || s.stateSum(plain[:n]) != binary.LittleEndian.Uint64(plain[n:]) {
		return nil, errors.New("write index.db with another checksum than its own")
	}
	body, err := s.meta.seal(plain[:n], s.o.Random)
	if err != nil {
		return nil, err
	}
	return binary.LittleEndian.AppendUint64(body, s.stateSum(body)), nil
}

func (s *FS) stateSum(data []byte) uint64 {
	h := blockio.NameSum(s.o.Stream)
	h.Write(data)
	var b [8]byte
	return binary.LittleEndian.Uint64(h.Sum(b[:0]))
}

// openConsumer opens a file of a consumer, for reading.
func (s *FS) openConsumer(name string, mode blockio.OpenMode) (blockio.File, error) {
	if mode != blockio.ModeRead {
		return s.writeWhole(name, mode, func(plain []byte) ([]byte, error) {
			key, err := s.consumerKey(filepath.Dir(name))
			if key == nil || err != nil {
				return plain, err
			}
			return key.seal(plain, s.o.Random)
		})
	}
	return s.readWhole(name, func(stored []byte) ([]byte, error) {
		keys, err := s.consumerKeys(filepath.Dir(name))
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			if plain, ok := k.cipher.open(k.seed, stored); ok {
				return plain, nil
			}
		}
		return stored, nil
	})
}

// readWhole opens a file that is encrypted as a whole, for reading.
func (s *FS) readWhole(name string, open func(stored []byte) ([]byte, error)) (blockio.File, error) {
	file, err := s.FS.OpenFile(name, blockio.ModeRead)
	if err != nil {
		return nil, err
	}
	f := &wholeFile{stored: file}
	err = f.load(name, open)
	if blockio.IsReadFailure(err) {
		return file, nil // who reads it is told
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return f, nil
}

// writeWhole opens a file that is encrypted as a whole when it is synced or closed.
func (s *FS) writeWhole(name string, mode blockio.OpenMode, seal func(plain []byte) ([]byte, error)) (blockio.File, error) {
	if mode == blockio.ModeReadWrite {
		return nil, fmt.Errorf("open %s to change parts of it: %w", name, errors.ErrUnsupported)
	}
	file, err := s.FS.OpenFile(name, mode)
	if err != nil {
		return nil, err
	}
	return &wholeFile{stored: file, seal: seal}, nil
}

// wholeFile is an open file that is encrypted as a whole.
type wholeFile struct {
	stored blockio.File
	seal   func(plain []byte) ([]byte, error)

	mu      sync.Mutex
	plain   []byte
	unsaved bool
}

func (f *wholeFile) load(name string, open func(stored []byte) ([]byte, error)) error {
	stat, err := f.stored.Stat()
	if err != nil {
		return err
	}
	if stat.Size > mostSmall {
		return fmt.Errorf("%w: %s: %d bytes", blockio.ErrTooLarge, name, stat.Size)
	}
	data := make([]byte, stat.Size)
	n, err := f.stored.ReadAt(data, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	f.plain, err = open(data[:n])
	return err
}

// ReadAt implements blockio.File.
func (f *wholeFile) ReadAt(p []byte, offset int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if offset < 0 || offset > int64(len(f.plain)) {
		return 0, io.EOF
	}
	n := copy(p, f.plain[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements blockio.File. Nothing is written before Sync or Close.
func (f *wholeFile) WriteAt(p []byte, offset int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	end := offset + int64(len(p))
	if offset < 0 || end > mostSmall || f.seal == nil {
		return 0, fmt.Errorf("write %d bytes at %d: %w", len(p), offset, errors.ErrUnsupported)
	}
	if grow := end - int64(len(f.plain)); grow > 0 {
		f.plain = append(f.plain, make([]byte, grow)...)
	}
	f.unsaved = true
	return copy(f.plain[offset:], p), nil
}

// Truncate implements blockio.File.
func (f *wholeFile) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if size < 0 || size > int64(len(f.plain)) || f.seal == nil {
		return fmt.Errorf("truncate to %d bytes: %w", size, errors.ErrUnsupported)
	}
	f.plain, f.unsaved = f.plain[:size], true
	return nil
}

// save encrypts what was written. f.mu is held.
func (f *wholeFile) save() error {
	if !f.unsaved {
		return nil
	}
	data, err := f.seal(f.plain)
	if err != nil {
		return err
	}
	if _, err = f.stored.WriteAt(data, 0); err == nil {
		err = f.stored.Truncate(int64(len(data)))
	}
	f.unsaved = err != nil
	return err
}

// Sync implements blockio.File.
func (f *wholeFile) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.save(); err != nil {
		return err
	}
	return f.stored.Sync()
}

// Stat implements blockio.File.
func (f *wholeFile) Stat() (blockio.FileStat, error) {
	stat, err := f.stored.Stat()
	f.mu.Lock()
	stat.Size = int64(len(f.plain))
	f.mu.Unlock()
	return stat, err
}

// Close implements blockio.File.
func (f *wholeFile) Close() error {
	f.mu.Lock()
	err := f.save()
	f.mu.Unlock()
	return errors.Join(err, f.stored.Close())
}
