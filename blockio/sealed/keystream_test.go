package sealed

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/chacha20"
)

// referenceStream is size bytes of the key stream of ChaCha20, as golang.org/x/crypto has it, from an offset on.
func referenceStream(t require.TestingT, key, nonce []byte, offset int64, size int) []byte {
	c, err := chacha20.NewUnauthenticatedCipher(key, nonce)
	require.NoError(t, err)
	c.SetCounter(uint32(offset / 64))
	stream := make([]byte, int(offset%64)+size)
	c.XORKeyStream(stream, stream)
	return stream[offset%64:]
}

// TestKeyStreamIsChaCha20 at every length and offset, wherever the bytes lie in memory, in place and not.
func TestKeyStreamIsChaCha20(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	key, nonce := make([]byte, 32), make([]byte, 24)
	_, _ = random.Read(key) // it never fails
	_, _ = random.Read(nonce)
	k, err := newKeyStream(ChaCha20, key, nonce)
	require.NoError(t, err)

	const most = 2100 // of the most blocks that are made at a time, several
	text, memory := make([]byte, most), make([]byte, most+64)
	_, _ = random.Read(text)
	for _, from := range []int64{0, 1, 63, 64, 65, 8<<20 + 17, 256<<30 - 64<<10} {
		stream := referenceStream(t, k.key, k.nonce, from, most)
		for n := range most {
			want := make([]byte, n)
			for i := range want {
				want[i] = text[i] ^ stream[i]
			}
			clear(memory)
			dst := memory[n%64:][:n]
			k.xor(dst, text[:n], from)
			require.True(t, bytes.Equal(want, dst), "%d bytes at %d", n, from)
			require.Zero(t, memory[n%64+n], "behind %d bytes at %d", n, from)
			copy(dst, text)
			k.xor(dst, dst, from)
			require.True(t, bytes.Equal(want, dst), "%d bytes at %d, in place", n, from)
		}
	}
}

// TestKeyStreamInPieces: whoever reads the same bytes in other pieces finds the same.
func TestKeyStreamInPieces(t *testing.T) {
	for _, c := range []Cipher{ChaCha20, AES} {
		k, err := newKeyStream(c, bytes.Repeat([]byte{7}, 32), bytes.Repeat([]byte{9}, c.nonceSize()))
		require.NoError(t, err)
		whole := make([]byte, 300_000)
		k.xor(whole, whole, 1000)
		random := rand.New(rand.NewPCG(1, 2))
		pieces := make([]byte, len(whole))
		for at := 0; at < len(pieces); {
			n := min(1+random.IntN(1<<random.IntN(17)), len(pieces)-at)
			k.xor(pieces[at:at+n], pieces[at:at+n], 1000+int64(at))
			at += n
		}
		require.True(t, bytes.Equal(whole, pieces), "%v", c)
	}
}

func BenchmarkKeyStream(b *testing.B) {
	for _, c := range []Cipher{ChaCha20, AES} {
		for _, size := range []int{283, 4 << 10, 256 << 10} {
			b.Run(fmt.Sprintf("%v-%d", c, size), func(b *testing.B) {
				k, err := newKeyStream(c, make([]byte, 32), make([]byte, c.nonceSize()))
				require.NoError(b, err)
				text := make([]byte, size)
				b.SetBytes(int64(size))
				for b.Loop() {
					k.xor(text, text, 1000)
				}
			})
		}
	}
}
