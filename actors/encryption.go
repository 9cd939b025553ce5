package actors

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/sealed"
)

type (
	// KeyFunc returns the key, of 32 bytes, with which the key that a context names is wrapped. Contexts are those of a
	// nats-server: the name of the stream for its own key, "<stream>:<number>" for that of a block, and
	// "<stream>.<consumer>" for that of a consumer. The same context always has the same key, and no two have one that
	// shows anything of the other: HMAC-SHA256 of the context with a main key does it.
	//
	// It is called by several goroutines at once: for each block when a stream is opened, and whenever a block is begun or
	// written anew, when stores wait for it. An error is then one of the disk.
	KeyFunc = sealed.KeyFunc
	// Cipher says how a stream is encrypted.
	Cipher = sealed.Cipher
)

// The ciphers, see Config.Cipher.
const (
	// CipherAsStored is the one that the stream has; CipherChaCha20 for a stream that is not encrypted, if there is a Key.
	CipherAsStored = sealed.AsStored
	// CipherNone is no encryption, also of a stream that was encrypted: Key is what it is decrypted with.
	CipherNone = sealed.None
	// CipherChaCha20 is XChaCha20, nats-server's default.
	CipherChaCha20 = sealed.ChaCha20
	// CipherAES is AES-256 in counter mode.
	CipherAES = sealed.AES
)

// ServerKey returns the KeyFunc of a nats-server that has key in its configuration, for the streams of an account, of which
// the one without a name is "$G".
func ServerKey(account, key string) KeyFunc { return sealed.ServerKey(account, key) }

// errNoKey: an encrypted stream is opened without a key.
var errNoKey = fmt.Errorf("%w: the stream is encrypted, and Config.Key is not set", ErrKey)

// encrypt puts the file system that encrypts between the stream and the real one, if there is a key.
func (s *stream) encrypt() {
	c := &s.config
	if c.Key == nil {
		return
	}
	s.sealed = s.newSealed(c.FS)
	c.FS = s.sealed
}

func (s *stream) newSealed(fsys blockio.FS) *sealed.FS {
	c := &s.config
	return sealed.New(sealed.Options{
		FS: fsys, Dir: s.dir, Stream: c.Name, Key: c.Key, OldKey: c.OldKey, Cipher: c.Cipher, ReadOnly: c.ReadOnly, Log: s.log,
	})
}

// decryptedBelow returns the files as they are now, also of a stream that is open for reading only, and decrypted.
func (s *stream) decryptedBelow() (blockio.FS, error) {
	if s.sealed == nil {
		return s.below, nil
	}
	files := s.newSealed(s.below)
	return files, files.Look()
}

// lookAtKeys reads how the stream is encrypted. It changes nothing.
func (s *stream) lookAtKeys() error {
	if s.sealed == nil {
		return nil
	}
	return s.sealed.Look()
}

// prepareKeys converts the stream to the cipher that it is to have, and ends what a crash has left of its keys.
func (s *stream) prepareKeys(ctx context.Context) error {
	if s.sealed == nil {
		return nil
	}
	start := time.Now()
	err := s.sealed.Prepare(ctx)
	if took := time.Since(start); took > time.Second {
		s.log.Info("keys are ready", "cipher", s.cipher(), "elapsed", took, "error", err)
	}
	return err
}

// cipher returns how new files of the stream are encrypted.
func (s *stream) cipher() Cipher {
	if s.sealed == nil {
		return CipherNone
	}
	return s.sealed.Cipher()
}

// encrypt returns how a stream is encrypted while it is restored, nil if it is not.
func (o *RestoreOptions) encrypt(ctx context.Context) func(dir, stream string) (blockio.FS, error) {
	if o.Key == nil || o.Cipher == CipherNone {
		return nil
	}
	return func(dir, stream string) (blockio.FS, error) {
		files := sealed.New(sealed.Options{FS: o.FS, Dir: dir, Stream: stream, Key: o.Key, Cipher: o.Cipher})
		if err := files.Look(); err != nil {
			return nil, err
		}
		return files, files.Prepare(ctx)
	}
}
