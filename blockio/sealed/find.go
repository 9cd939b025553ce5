package sealed

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// found is what the key files of a block say, and what is to be done with them.
type found struct {
	now *blockKey
	// rewrap: the key function opens the key file only as OldKey.
	rewrap bool
	// unsettled: the key is that in N.newkey, which is to take its place.
	unsettled bool
	// stale: N.newkey is of a file that never took the place of the block.
	stale bool
}

// find finds out how a block is encrypted. It changes nothing. s.mu is held.
func (s *FS) find(id uint32) (f found, err error) {
	stored, err := s.read(s.keyPath(id, keySuffix))
	if err != nil {
		return f, err
	}
	next, err := s.read(s.keyPath(id, newKeySuffix))
	if err != nil {
		return f, err
	}
	var keyErr error
	if f.now, f.rewrap, keyErr = s.keyIn(stored, id, false); keyErr != nil && next == nil {
		return f, fmt.Errorf("the key of block %d: %w", id, keyErr)
	}
	if next == nil {
		if stored == nil && !s.plainWithoutKey {
			err = s.checkPlain(id)
		}
		return f, err
	}
	// A crash between the two steps of a change of the block: its file is of the one key or of the other.
	new, oldKey, nextErr := s.keyIn(next, id, true)
	was, err := s.soundness(id, f.now)
	if err != nil {
		return f, err
	}
	is, err := s.soundness(id, new)
	switch {
	case err != nil:
		return f, err
	case is > was:
		return found{now: new, rewrap: oldKey, unsettled: true}, nil
	case f.now == nil:
		return f, fmt.Errorf("the keys of block %d: %w", id, errors.Join(keyErr, nextErr))
	}
	f.stale = true
	return f, nil
}

// keyIn returns the key in a key file; that of a plain block if there is none, or, in N.newkey, nothing in it.
func (s *FS) keyIn(stored []byte, id uint32, next bool) (key *blockKey, rewrap bool, err error) {
	if stored == nil || next && len(stored) == 0 {
		return plainKey, false, nil
	}
	secret, rewrap, err := s.unwrap(stored, s.context(id))
	if err != nil {
		return nil, false, err
	}
	key, err = newBlockKey(secret)
	return key, rewrap, err
}

// unwrap opens a key file with the key function, or with that of before.
func (s *FS) unwrap(stored []byte, context string) (secret *secret, rewrap bool, err error) {
	secret, err = unwrap(stored, s.o.Key, context)
	if err != nil && s.o.OldKey != nil {
		if old, oldErr := unwrap(stored, s.o.OldKey, context); oldErr == nil {
			return old, true, nil
		}
	}
	return secret, false, err
}

// checkPlain makes sure that a block without a key is a plain one: it may be that its key is lost.
func (s *FS) checkPlain(id uint32) error {
	n, err := s.soundness(id, plainKey)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: that of block %d is missing", ErrKey, id)
	}
	return err
}

// soundness tells how much of a block can be read with a key.
func (s *FS) soundness(id uint32, key *blockKey) (records int, err error) {
	if key == nil {
		return 0, nil
	}
	file, err := s.FS.OpenFile(blockio.BlockPath(s.o.Dir, id), blockio.ModeRead)
	if errors.Is(err, fs.ErrNotExist) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	if stat, statErr := file.Stat(); statErr == nil && stat.Size == 0 {
		return 1, file.Close()
	}
	records, err = blockio.Soundness(key.file(file), s.o.Stream, id)
	return records, errors.Join(err, file.Close())
}
