package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// ErrKey: there is no key for what is encrypted, or it is another one than that with which it was.
var ErrKey = errors.New("the key of the stream is missing, or another one")

// A KeyFunc returns the key, of 32 bytes, with which the key that a context names is wrapped. Contexts are those of a
// nats-server: the name of the stream for its own key, "<stream>:<number>" for that of a block, and
// "<stream>.<consumer>" for that of a consumer. The same context always has the same key.
type KeyFunc func(context string) ([]byte, error)

// ServerKey returns the KeyFunc of a nats-server that has key in its configuration, for the streams of an account, of which
// the one without a name is "$G".
func ServerKey(account, key string) KeyFunc {
	return func(context string) ([]byte, error) {
		h := hmac.New(sha256.New, []byte(key))
		io.WriteString(h, account) // a hash returns no error
		io.WriteString(h, context)
		return h.Sum(nil), nil
	}
}

// A Cipher is how a stream is encrypted.
type Cipher uint8

// The ciphers.
const (
	// AsStored is the cipher that the stream has; ChaCha20 if it has none.
	AsStored Cipher = iota
	// None is no encryption.
	None
	// ChaCha20 is XChaCha20, and XChaCha20-Poly1305 for small files.
	ChaCha20
	// AES is AES-256 in counter mode, and AES-256-GCM with a nonce of 16 bytes for small files.
	AES
)

// String names the cipher.
func (c Cipher) String() string {
	switch c {
	case AsStored:
		return "as stored"
	case None:
		return "none"
	case ChaCha20:
		return "ChaCha20"
	case AES:
		return "AES"
	}
	return "unknown"
}

const (
	seedSize    = 32
	tagSize     = 16
	chachaNonce = chacha20poly1305.NonceSizeX
	aesNonce    = aes.BlockSize
)

// nonceSize is how many bytes a nonce of the cipher has, also that of a key stream.
func (c Cipher) nonceSize() int {
	if c == AES {
		return aesNonce
	}
	return chachaNonce
}

// keyFileSize is the length of a key file.
func (c Cipher) keyFileSize() int { return c.nonceSize() + seedSize + tagSize }

// cipherOf returns the cipher of a key file by its length. It is None for what is no key file.
func cipherOf(keyFile []byte) Cipher {
	for _, c := range []Cipher{ChaCha20, AES} {
		if len(keyFile) == c.keyFileSize() {
			return c
		}
	}
	return None
}

// aead returns the cipher of small files with a key of 32 bytes.
func (c Cipher) aead(key []byte) (cipher.AEAD, error) {
	if c != AES {
		return chacha20poly1305.NewX(key)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithNonceSize(block, aesNonce)
}

// seal returns nonce and plain, encrypted.
func (c Cipher) seal(key, nonce, plain []byte) ([]byte, error) {
	aead, err := c.aead(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(nonce), len(nonce)+len(plain)+tagSize)
	copy(out, nonce)
	return aead.Seal(out, nonce, plain, nil), nil
}

// open is the reverse of seal. It is false for what is not encrypted with that key.
func (c Cipher) open(key, data []byte) (plain []byte, ok bool) {
	aead, err := c.aead(key)
	if err != nil || len(data) < c.nonceSize()+tagSize {
		return nil, false
	}
	plain, err = aead.Open(nil, data[:c.nonceSize()], data[c.nonceSize():], nil)
	return plain, err == nil
}

// A secret is what a key file holds.
type secret struct {
	cipher Cipher // None for that of a plain file
	seed   []byte
	nonce  []byte
}

// newSecret returns one that nobody has had before.
func newSecret(c Cipher, random io.Reader) (*secret, error) {
	s := &secret{cipher: c, seed: make([]byte, seedSize), nonce: make([]byte, c.nonceSize())}
	for _, b := range [][]byte{s.seed, s.nonce} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("random bytes: %w", err)
		}
	}
	return s, nil
}

// wrap returns the key file of a secret.
func (s *secret) wrap(key KeyFunc, context string) ([]byte, error) {
	kek, err := wrapping(key, context)
	if err != nil {
		return nil, err
	}
	return s.cipher.seal(kek, s.nonce, s.seed)
}

// unwrap returns what a key file holds. The error wraps ErrKey, or is that of the key function.
func unwrap(keyFile []byte, key KeyFunc, context string) (*secret, error) {
	c := cipherOf(keyFile)
	if c == None {
		return nil, fmt.Errorf("%w: a key file of %d bytes", ErrKey, len(keyFile))
	}
	kek, err := wrapping(key, context)
	if err != nil {
		return nil, err
	}
	seed, ok := c.open(kek, keyFile)
	if !ok {
		return nil, fmt.Errorf("%w: for %q", ErrKey, context)
	}
	return &secret{cipher: c, seed: seed, nonce: keyFile[:c.nonceSize():c.nonceSize()]}, nil
}

// wrapping asks the caller for a key.
func wrapping(key KeyFunc, context string) ([]byte, error) {
	if key == nil {
		return nil, fmt.Errorf("%w: for %q", ErrKey, context)
	}
	kek, err := key(context)
	if err != nil {
		return nil, fmt.Errorf("%w: for %q: %w", ErrKey, context, err)
	}
	if len(kek) != seedSize {
		return nil, fmt.Errorf("%w: for %q the key function returns %d bytes, and not %d", ErrKey, context, len(kek), seedSize)
	}
	return kek, nil
}
