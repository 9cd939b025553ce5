//go:build !amd64

package sealed

import (
	"crypto/cipher"

	"golang.org/x/crypto/chacha20"
)

// newChaCha20 returns the key stream of ChaCha20 from a block of 64 bytes on.
func newChaCha20(key, nonce []byte, block uint32) cipher.Stream {
	c, err := chacha20.NewUnauthenticatedCipher(key, nonce)
	if err != nil {
		panic(err) // their lengths were right before
	}
	c.SetCounter(block)
	return c
}
