package sealed

import (
	"crypto/cipher"
	"crypto/subtle"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/sys/cpu"
)

// On amd64 the ChaCha20 of golang.org/x/crypto/chacha20 is compiled Go, and that of chacha20poly1305 assembly: three times as
// fast, with the tag that nobody needs here. But it begins at the second block of 64 bytes of a key stream, always. So of a
// file of which much is read or written at a time the key stream is made from its beginning on, once, and kept for what
// comes next: see decision 0034.

// makesAhead: it is the faster one here.
var makesAhead = cpu.X86.HasAVX2 && mayUse(chacha20poly1305.New)

// mayUse reports whether a process may use a cipher: in the FIPS 140-only mode of Go it may not use chacha20poly1305.
func mayUse(of func(key []byte) (cipher.AEAD, error)) bool {
	_, err := of(make([]byte, chacha20poly1305.KeySize))
	return err == nil
}

const (
	// leastAhead is how much somebody has to read or write at a time for a key stream to be made ahead, in bytes.
	leastAhead = 64 << 10
	// blockAhead is how much is made at least for who goes on writing: a block, as they are by default.
	blockAhead = 2 << 20
	// mostAhead is up to where it is made: no block is longer.
	mostAhead = 8 << 20

	chachaBlock = 64
)

// A stretch is the beginning of a key stream.
type stretch struct {
	of    *keyStream
	bytes []byte
	users atomic.Int32 // how many use the bytes, or taken
	used  atomic.Int64 // when that was, see now; spent when somebody has come to the end
}

const (
	taken = -1
	spent = -1 << 62
)

// started is what instants are counted from.
var started = time.Now()

func now() int64 { return int64(time.Since(started)) }

// xor is that of the key stream. It is false where the stretch does not reach, and when its bytes were taken for another one.
func (s *stretch) xor(dst, src []byte, offset int64) bool {
	end := offset + int64(len(src))
	if end > int64(len(s.bytes)) || !s.enter() {
		return false
	}
	subtle.XORBytes(dst, src, s.bytes[offset:end])
	switch {
	case end > int64(len(s.bytes))-leastAhead:
		s.used.Store(spent)
	case len(src) >= leastAhead:
		s.used.Store(now())
	}
	s.users.Add(-1)
	return true
}

// enter has the bytes stay what they are until users is counted down. It is false when they were taken.
func (s *stretch) enter() bool {
	for {
		n := s.users.Load()
		if n == taken {
			return false
		}
		if s.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// take takes the bytes for another stretch, unless somebody uses them, or has done so since, and may go on.
func (s *stretch) take(since int64) bool {
	if s.used.Load() > since || !s.users.CompareAndSwap(0, taken) {
		return false
	}
	s.of.ahead.CompareAndSwap(s, nil)
	return true
}

// prepare makes the key stream ahead for who is about to read or write n bytes that end at an offset, if that is worth
// it. length returns how long it should be for what comes next.
func (k *keyStream) prepare(n int, end int64, length func() int64) {
	if !makesAhead || k.block != nil || n < leastAhead || end > mostAhead {
		return
	}
	if s := k.ahead.Load(); s != nil && end <= int64(len(s.bytes)) || !k.preparing.CompareAndSwap(false, true) {
		return
	}
	defer k.preparing.Store(false)
	size := int(min(max(end, length()), mostAhead))
	buffer := stretches.buffer(size + tagSize)
	if buffer == nil {
		return
	}
	k.fill(buffer)
	s := &stretch{of: k, bytes: buffer[:size]}
	s.used.Store(now())
	if old := k.ahead.Swap(s); old != nil {
		old.used.Store(spent)
	}
	stretches.add(s)
}

// fill makes the beginning of the key stream, a block of it at least, and behind it a tag of no meaning.
func (k *keyStream) fill(buffer []byte) {
	clear(buffer)
	first, err := chacha20.NewUnauthenticatedCipher(k.key, k.nonce)
	if err != nil {
		panic(err) // their lengths were right before
	}
	head := buffer[:chachaBlock]
	first.XORKeyStream(head, head)
	rest, err := chacha20poly1305.New(k.key)
	if err != nil {
		panic(err)
	}
	zeros := buffer[chachaBlock : len(buffer)-tagSize]
	rest.Seal(zeros[:0], k.nonce, zeros, nil)
}
