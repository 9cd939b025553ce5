package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"golang.org/x/crypto/chacha20"
)

// A keyStream is the bytes with which those of a file are combined, offset by offset. It is safe for concurrent use.
type keyStream struct {
	// Of ChaCha20: what chacha20 makes of a nonce of 24 bytes, once.
	key, nonce []byte
	ahead      atomic.Pointer[stretch] // its beginning, if that is made
	preparing  atomic.Bool             // it is being made
	// Of AES.
	block cipher.Block
	iv    [aes.BlockSize]byte
}

// stream returns the key stream that a secret begins.
func (s *secret) stream() (*keyStream, error) { return newKeyStream(s.cipher, s.seed, s.nonce) }

func newKeyStream(c Cipher, key, nonce []byte) (*keyStream, error) {
	if len(nonce) != c.nonceSize() {
		return nil, fmt.Errorf("a nonce of %d bytes", len(nonce))
	}
	if c == AES {
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		k := &keyStream{block: block}
		copy(k.iv[:], nonce)
		return k, nil
	}
	sub, err := chacha20.HChaCha20(key, nonce[:16])
	if err != nil {
		return nil, err
	}
	k := &keyStream{key: sub, nonce: make([]byte, chacha20.NonceSize)}
	copy(k.nonce[4:], nonce[16:])
	return k, nil
}

// xor combines src, which lies at an offset of the file, with the key stream, into dst. They may be the same slice.
func (k *keyStream) xor(dst, src []byte, offset int64) {
	if len(src) == 0 {
		return
	}
	if s := k.ahead.Load(); s != nil && s.xor(dst, src, offset) {
		return
	}
	var stream cipher.Stream
	var skip int64
	if k.block != nil {
		counter := k.iv
		addCounter(&counter, uint64(offset/aes.BlockSize))
		stream, skip = cipher.NewCTR(k.block, counter[:]), offset%aes.BlockSize
	} else {
		c, err := chacha20.NewUnauthenticatedCipher(k.key, k.nonce)
		if err != nil {
			panic(err) // their lengths were right before
		}
		c.SetCounter(uint32(offset / chachaBlock)) // no file is as long as a key stream, which has 256 GiB
		stream, skip = c, offset%chachaBlock
	}
	if skip > 0 {
		var before [chachaBlock]byte
		stream.XORKeyStream(before[:skip], before[:skip])
	}
	stream.XORKeyStream(dst[:len(src)], src)
}

// addCounter adds to a number of 16 bytes, the first of which is the highest.
func addCounter(counter *[aes.BlockSize]byte, n uint64) {
	low := binary.BigEndian.Uint64(counter[8:])
	sum := low + n
	binary.BigEndian.PutUint64(counter[8:], sum)
	if sum < low {
		binary.BigEndian.PutUint64(counter[:], binary.BigEndian.Uint64(counter[:])+1)
	}
}
