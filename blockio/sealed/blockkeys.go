package sealed

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// blockKeys is what is known of the keys of one block.
type blockKeys struct {
	now  *blockKey // of its file
	next *blockKey // of the one that is being written to take its place
	// unsettled: now is still in N.newkey.
	unsettled bool
	// doubted: a sync of the directory has failed while it was, so nobody knows whether the disk has the file of that key.
	doubted bool
}

// A blockKey is the key of one file of a block.
type blockKey struct {
	*secret
	// stream is nil if the file is not encrypted. That of an empty block may become another one.
	stream atomic.Pointer[keyStream]
}

var plainKey = &blockKey{secret: &secret{cipher: None}}

func newBlockKey(s *secret) (*blockKey, error) {
	stream, err := s.stream()
	if err != nil {
		return nil, err
	}
	key := &blockKey{secret: s}
	key.stream.Store(stream)
	return key, nil
}

// fresh returns a key for a file that is about to be written, and writes it into a key file, which is not durable yet. That is
// empty where blocks are not encrypted.
func (s *FS) fresh(id uint32, suffix string) (*blockKey, error) {
	if s.cipher == None {
		return plainKey, s.write(s.keyPath(id, suffix), nil)
	}
	secret, err := newSecret(s.cipher, s.o.Random)
	if err != nil {
		return nil, err
	}
	data, err := secret.wrap(s.o.Key, s.context(id))
	if err != nil {
		return nil, err
	}
	key, err := newBlockKey(secret)
	if err != nil {
		return nil, err
	}
	return key, s.write(s.keyPath(id, suffix), data)
}

// keysOf returns the keys of a block, which are read if they are not known. s.mu is held.
func (s *FS) keysOf(id uint32) (*blockKeys, error) {
	if k := s.blocks[id]; k != nil && k.now != nil {
		return k, nil
	}
	found, err := s.find(id)
	if err != nil {
		return nil, err
	}
	k := &blockKeys{now: found.now}
	if old := s.blocks[id]; old != nil {
		k.next = old.next
	}
	s.blocks[id] = k
	return k, nil
}

// openBlock opens the file of a block.
func (s *FS) openBlock(name string, id uint32, mode blockio.OpenMode) (blockio.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch mode {
	case blockio.ModeRead, blockio.ModeReadWrite:
	case blockio.ModeCreate:
		return s.createBlock(name, id)
	default: // it has to be written to another file
		return nil, fmt.Errorf("replace %s in place: %w", name, fs.ErrInvalid)
	}
	file, err := s.FS.OpenFile(name, mode)
	if err != nil {
		return nil, err
	}
	k, err := s.keysOf(id)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return k.now.file(file), nil
}

// createBlock makes a new block. The file is there before its key, and empty: so no key of a block that is there is
// replaced, and a crash leaves nothing that cannot be read.
func (s *FS) createBlock(name string, id uint32) (blockio.File, error) {
	file, err := s.FS.OpenFile(name, blockio.ModeCreate)
	if err != nil {
		return nil, err
	}
	key := plainKey
	if s.cipher != None {
		if key, err = s.fresh(id, keySuffix); err != nil {
			return nil, errors.Join(err, file.Close(), ignoreMissing(s.FS.Remove(name)))
		}
	}
	s.blocks[id] = &blockKeys{now: key}
	return key.file(file), nil
}

// openRewrite opens the file that is to take the place of a block, with a key of its own.
func (s *FS) openRewrite(name string, id uint32, mode blockio.OpenMode) (blockio.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mode != blockio.ModeReplace {
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrInvalid)
	}
	k := s.blocks[id]
	if k == nil {
		k = &blockKeys{}
		s.blocks[id] = k
	}
	if err := s.settleLate(id, k); err != nil {
		return nil, err
	}
	key, err := s.fresh(id, newKeySuffix)
	if err != nil {
		return nil, errors.Join(err, ignoreMissing(s.FS.Remove(s.keyPath(id, newKeySuffix))))
	}
	file, err := s.FS.OpenFile(name, mode)
	if err != nil {
		return nil, errors.Join(err, ignoreMissing(s.FS.Remove(s.keyPath(id, newKeySuffix))))
	}
	k.next = key
	return key.file(file), nil
}

// putInPlace gives the new file of a block its place. From then on its key is the new one, which SettleKey puts into
// its own.
func (s *FS) putInPlace(oldName, newName string, id uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.blocks[id]
	if k == nil || k.next == nil {
		return fmt.Errorf("rename %s, which nobody has written: %w", oldName, fs.ErrInvalid)
	}
	if err := s.FS.Rename(oldName, newName); err != nil {
		return err
	}
	k.now, k.next, k.unsettled, k.doubted = k.next, nil, true, false
	return nil
}

// removeRewrite removes what was to take the place of a block, with its key.
func (s *FS) removeRewrite(name string, id uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.FS.Remove(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	k := s.blocks[id]
	if k != nil {
		k.next = nil
	}
	if k == nil || !k.unsettled {
		if keyErr := ignoreMissing(s.FS.Remove(s.keyPath(id, newKeySuffix))); keyErr != nil {
			return keyErr
		}
	}
	return err
}

// SettleKey implements blockio.Sealer.
func (s *FS) SettleKey(id uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.blocks[id]
	if k == nil || !k.unsettled {
		return nil
	}
	return s.settle(id, k)
}

// settle puts the key of a block into its place: its file has its place, durably. s.mu is held.
func (s *FS) settle(id uint32, k *blockKeys) error {
	if k.now.cipher != None {
		if err := s.FS.Rename(s.keyPath(id, newKeySuffix), s.keyPath(id, keySuffix)); err != nil {
			return err
		}
		k.unsettled = false
		return nil
	}
	err := ignoreMissing(s.FS.Remove(s.keyPath(id, keySuffix)))
	if err == nil {
		err = s.syncBlocks() // as long as it may be there, N.newkey says that it is not the one
	}
	if err == nil {
		err = ignoreMissing(s.FS.Remove(s.keyPath(id, newKeySuffix)))
	}
	k.unsettled = err != nil
	return err
}

// settleLate settles the key of a block that is about to be written anew once more, if something else has failed when its file
// had its place, before the key got its own. s.mu is held.
func (s *FS) settleLate(id uint32, k *blockKeys) error {
	if !k.unsettled {
		return nil
	}
	if k.doubted {
		// Nobody knows under which key the disk has the block: both stay.
		return fmt.Errorf("the last change of block %d may not be on the disk: open the stream again", id)
	}
	err := s.syncBlocks()
	if err == nil {
		err = s.settle(id, k)
	}
	if err == nil {
		err = s.syncBlocks() // before another N.newkey takes the place of this one
	}
	if err != nil {
		s.doubt()
	}
	return err
}

// doubt notes that a sync of the directory of the blocks has failed. s.mu is held.
func (s *FS) doubt() {
	for _, k := range s.blocks {
		k.doubted = k.doubted || k.unsettled
	}
}

// SyncDir implements blockio.FS.
func (s *FS) SyncDir(name string) error {
	err := s.FS.SyncDir(name)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.doubt()
	}
	return err
}

// RenewKey implements blockio.Sealer.
func (s *FS) RenewKey(id uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cipher == None || s.o.ReadOnly { // what is written then stays in memory
		return nil
	}
	key, err := s.fresh(id, keySuffix)
	if err != nil {
		return err
	}
	k, err := s.keysOf(id)
	if err != nil {
		return err
	}
	if k.now.cipher == None {
		return fmt.Errorf("another key for block %d, which is not encrypted: %w", id, fs.ErrInvalid)
	}
	k.now.secret = key.secret
	k.now.stream.Store(key.stream.Load())
	return nil
}

// RemoveKey implements blockio.Sealer.
func (s *FS) RemoveKey(id uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.blocks, id)
	return errors.Join(
		ignoreMissing(s.FS.Remove(s.keyPath(id, keySuffix))),
		ignoreMissing(s.FS.Remove(s.keyPath(id, newKeySuffix))))
}

// file returns the file of a block with that key.
func (k *blockKey) file(stored blockio.File) blockio.File {
	if k.cipher == None {
		return stored
	}
	return &blockFile{offsetFile{stored: stored, key: &k.stream}}
}

// blockFile is the open file of an encrypted block.
type blockFile struct{ offsetFile }

var _ blockio.SealedFile = (*blockFile)(nil)

// Stored implements blockio.SealedFile.
func (f *blockFile) Stored() blockio.File { return f.stored }

// Unseal implements blockio.SealedFile.
func (f *blockFile) Unseal(data []byte, offset int64) {
	stream := f.key.Load()
	stream.prepare(len(data), offset+int64(len(data)), f.length)
	stream.xor(data, data, offset)
}

var _ io.ReaderAt = (*blockFile)(nil)
