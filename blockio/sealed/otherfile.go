package sealed

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// A file that is not nats-server's begins with a head, and what follows is combined with a key stream of its own:
//
//	0   8 bytes  "MRSEALED"
//	8   u8       cipher: 2 ChaCha20, 3 AES
//	9   7 bytes  0
//	16  24 bytes nonce; of AES the first 16, and zeros
//	40  8 bytes  the first of HMAC-SHA-256 of the nonce, with the key of these files
//
// That key is HMAC-SHA-256 of "millrace files" with the key of the stream. A file that is made, or emptied when it is
// opened, has a new nonce.
const (
	otherMagic = "MRSEALED"
	otherHead  = 48
)

// openOther opens a file of which nats-server knows nothing. One without a head is as it is: it was there before the stream was
// encrypted.
func (s *FS) openOther(name string, mode blockio.OpenMode) (blockio.File, error) {
	file, err := s.FS.OpenFile(name, mode)
	if err != nil {
		return nil, err
	}
	var open blockio.File
	if mode == blockio.ModeRead || mode == blockio.ModeReadWrite {
		open, _, err = s.openHead(file)
	} else if open = file; s.cipher != None {
		open, err = s.newHead(file)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return open, nil
}

// openHead returns the file as it was written, and with which key.
func (s *FS) openHead(file blockio.File) (blockio.File, *metaKey, error) {
	head := make([]byte, otherHead)
	n, err := file.ReadAt(head, 0)
	if blockio.IsReadFailure(err) {
		return file, nil, nil // who reads it is told, or finds bytes that mean nothing
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	if n < len(otherMagic) || string(head[:len(otherMagic)]) != otherMagic {
		return file, nil, nil
	}
	keys := s.keys()
	for _, k := range keys {
		if open, ok := k.openOther(file, head); ok {
			return open, k, nil
		}
	}
	if len(keys) == 0 {
		return file, nil, nil
	}
	// Damage, or a key that is gone: bytes that mean nothing, as those of a file that is damaged.
	head[8] = byte(keys[0].cipher)
	stream, err := newKeyStream(keys[0].cipher, keys[0].files, head[16:][:keys[0].cipher.nonceSize()])
	return newOffsetFile(file, stream, otherHead), nil, err
}

// openOther opens a file with that head, if it is encrypted with that key.
func (m *metaKey) openOther(file blockio.File, head []byte) (blockio.File, bool) {
	if Cipher(head[8]) != m.cipher || !hmac.Equal(head[40:], m.mark(head[16:40])) {
		return nil, false
	}
	stream, err := newKeyStream(m.cipher, m.files, head[16:][:m.cipher.nonceSize()])
	if err != nil {
		return nil, false
	}
	return newOffsetFile(file, stream, otherHead), true
}

// mark shows by which key a file with that nonce is encrypted.
func (m *metaKey) mark(nonce []byte) []byte {
	h := hmac.New(sha256.New, m.files)
	h.Write(nonce)
	return h.Sum(nil)[:8]
}

// newHead writes the head of a new file.
func (s *FS) newHead(file blockio.File) (blockio.File, error) {
	m := s.meta
	head := make([]byte, otherHead)
	copy(head, otherMagic)
	head[8] = byte(m.cipher)
	nonce := head[16:][:m.cipher.nonceSize()]
	if _, err := io.ReadFull(s.o.Random, nonce); err != nil {
		return nil, fmt.Errorf("random bytes: %w", err)
	}
	copy(head[40:], m.mark(head[16:40]))
	if _, err := file.WriteAt(head, 0); err != nil {
		return nil, err
	}
	stream, err := newKeyStream(m.cipher, m.files, nonce)
	return newOffsetFile(file, stream, otherHead), err
}
