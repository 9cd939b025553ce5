package sealed

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// stored is what the directory of a stream says of the keys of the stream itself.
type stored struct {
	key, next *metaKey // in meta.key and meta.newkey; nil where there is none
	// converting: there is a meta.newkey. Without anything in it (next is nil then) what is converted is not encrypted.
	converting bool
	blockKeys  bool // a block has a key file
	// keyRewrap, nextRewrap: the key function opens the key file only as OldKey.
	keyRewrap, nextRewrap bool
}

// cipher returns that of a conversion that was begun, or else that of the stream. It is AsStored for a stream that is not
// encrypted.
func (w stored) cipher() Cipher {
	switch {
	case w.converting && w.next != nil:
		return w.next.cipher
	case w.converting && w.key != nil:
		return None
	case w.key != nil:
		return w.key.cipher
	}
	return AsStored
}

// Look reads how the stream is encrypted. It changes nothing, and may be called again. Without a directory, or with one that holds
// nothing, there is no stream yet: it is to be encrypted, unless Options.Cipher is None. The error wraps ErrKey, or is that of the file system.
//
// What is encrypted, or partly so, can be read from then on.
func (s *FS) Look() error {
	w, err := s.lookAtKeys()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.take(w)
	return nil
}

// lookAtKeys reads the keys of the stream.
func (s *FS) lookAtKeys() (w stored, err error) {
	data, err := s.read(s.path(metaKeyName))
	if err == nil && data != nil {
		w.key, w.keyRewrap, err = s.metaKeyIn(metaKeyName, data)
	}
	if err != nil {
		return w, err
	}
	data, err = s.read(s.path(metaNewKeyName))
	w.converting = data != nil
	if err == nil && len(data) > 0 {
		w.next, w.nextRewrap, err = s.metaKeyIn(metaNewKeyName, data)
	}
	if err != nil {
		return w, err
	}
	entries, err := s.FS.ReadDir(blockio.BlocksDir(s.o.Dir))
	w.blockKeys = slices.ContainsFunc(entries, func(e blockio.Entry) bool {
		return strings.HasSuffix(e.Name, keySuffix) || strings.HasSuffix(e.Name, newKeySuffix)
	})
	return w, ignoreMissing(err)
}

func (s *FS) metaKeyIn(name string, data []byte) (key *metaKey, rewrap bool, err error) {
	secret, rewrap, err := s.unwrap(data, s.o.Stream)
	if err != nil {
		return nil, false, fmt.Errorf("%s of %s: %w", name, s.o.Stream, err)
	}
	return newMetaKey(secret), rewrap, nil
}

// take goes by what was found. s.mu is held.
func (s *FS) take(w stored) {
	s.cipher = s.target(w)
	s.meta, s.earlier = w.key, nil
	if w.next != nil {
		s.meta = w.next
		if w.key != nil {
			s.earlier = []*metaKey{w.key}
		}
	}
	// In a stream that was encrypted each block has a key, unless it is being converted from or to none at all.
	fromPlain := w.key != nil && w.next != nil && bytes.Equal(w.key.seed, w.next.seed)
	s.plainWithoutKey = w.key == nil && !w.blockKeys || w.converting && (w.next == nil || w.key == nil || fromPlain)
	s.seals = s.cipher != None || w.key != nil || w.converting || w.blockKeys
}

// target returns what the stream is to be encrypted with.
func (s *FS) target(w stored) Cipher {
	if s.o.Cipher != AsStored {
		return s.o.Cipher
	}
	if c := w.cipher(); c != AsStored {
		return c
	}
	if s.o.ReadOnly {
		return None
	}
	return ChaCha20
}

var _ blockio.Sealer = (*FS)(nil)
