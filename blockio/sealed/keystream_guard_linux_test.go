package sealed

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestKeyStreamStaysWithinItsBytes: the assembly touches nothing before the first byte and behind the last one, of what it reads and
// of what it writes. Here those pages cannot be touched.
func TestKeyStreamStaysWithinItsBytes(t *testing.T) {
	k, err := newKeyStream(ChaCha20, make([]byte, 32), make([]byte, 24))
	require.NoError(t, err)
	src, dst := guarded(t), guarded(t)
	for i := range src {
		src[i] = byte(i)
	}
	for _, from := range []int64{0, 1, 63, 64, 8<<20 + 17} {
		stream := referenceStream(t, k.key, k.nonce, from, len(src))
		for n := range len(src) + 1 {
			for _, at := range []int{0, len(src) - n} { // the first bytes, and the last
				k.xor(dst[at:at+n], src[at:at+n], from)
				for i := range n {
					if dst[at+i] != src[at+i]^stream[i] {
						require.Failf(t, "wrong", "byte %d of %d from %d", i, n, from)
					}
				}
			}
		}
	}
}

// guarded returns a page of memory between two that nobody may touch.
func guarded(t *testing.T) []byte {
	page := os.Getpagesize()
	memory, err := unix.Mmap(-1, 0, 3*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(memory)) })
	require.NoError(t, unix.Mprotect(memory[:page], unix.PROT_NONE))
	require.NoError(t, unix.Mprotect(memory[2*page:], unix.PROT_NONE))
	return memory[page : 2*page : 2*page]
}
