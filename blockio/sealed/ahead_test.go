package sealed

import (
	"bytes"
	"crypto/cipher"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// aheadWith has key streams made ahead for the time of a test, on all processors, in a pool of its own.
func aheadWith(t testing.TB, most int) *stretchPool {
	pool, makes := stretches, makesAhead
	stretches, makesAhead = &stretchPool{most: most, idle: time.Hour}, true
	t.Cleanup(func() { stretches, makesAhead = pool, makes })
	return stretches
}

// keyStreamOf returns one of ChaCha20 with a key of its own.
func keyStreamOf(t require.TestingT, key byte) *keyStream {
	k, err := newKeyStream(ChaCha20, bytes.Repeat([]byte{key}, 32), bytes.Repeat([]byte{key + 1}, chachaNonce))
	require.NoError(t, err)
	return k
}

func upTo(n int64) func() int64 { return func() int64 { return n } }

// TestKeyStreamAheadIsChaCha20 at all of its lengths, around what chacha20poly1305 makes at a time, and as long as it gets.
func TestKeyStreamAheadIsChaCha20(t *testing.T) {
	k := keyStreamOf(t, 1)
	want := referenceStream(t, k.key, k.nonce, 0, mostAhead)
	made := make([]byte, mostAhead+tagSize)
	check := func(size int) {
		k.fill(made[:size+tagSize])
		require.True(t, bytes.Equal(want[:size], made[:size]), "%d bytes", size)
	}
	for size := chachaBlock; size < 3000; size++ {
		check(size)
	}
	for _, size := range []int{leastAhead, 256 << 10, blockAhead - 1, blockAhead, blockAhead + 63, mostAhead} {
		check(size)
	}
}

// TestKeyStreamAheadReads what was encrypted without, at every offset and length, in place and not, up to its end and beyond.
func TestKeyStreamAheadReads(t *testing.T) {
	aheadWith(t, mostStretchBytes)
	const size = leastAhead + 100
	k := keyStreamOf(t, 1)
	k.prepare(leastAhead, leastAhead, upTo(size))
	require.Len(t, k.ahead.Load().bytes, size)
	stream := referenceStream(t, k.key, k.nonce, 0, size+700)
	for _, from := range []int{0, 1, 63, 64, 65, size - 300, size - 1, size} {
		lengths := []int{chachaBlock - 1, chachaBlock, 600, size - from - 1, size - from, size - from + 1}
		for n := range 70 {
			lengths = append(lengths, n)
		}
		for _, n := range lengths {
			if n < 0 {
				continue
			}
			dst := make([]byte, n)
			k.xor(dst, dst, int64(from))
			require.True(t, bytes.Equal(stream[from:from+n], dst), "%d bytes at %d, in place", n, from)
			k.xor(dst, stream[from:from+n], int64(from))
			require.True(t, bytes.Equal(make([]byte, n), dst), "%d bytes at %d", n, from)
		}
	}
}

// FuzzKeyStreamAhead: whatever was made ahead, the bytes are those of the cipher.
func FuzzKeyStreamAhead(f *testing.F) {
	f.Add(uint32(0), uint32(100), uint32(leastAhead))
	aheadWith(f, mostStretchBytes)
	f.Fuzz(func(t *testing.T, offset, size, length uint32) {
		from, n := int64(offset%(mostAhead+1000)), int(size%(300<<10))
		k := keyStreamOf(t, byte(offset))
		k.prepare(max(n, leastAhead), from+int64(n), upTo(int64(length)))
		if s := k.ahead.Load(); s != nil {
			require.LessOrEqual(t, len(s.bytes), mostAhead)
		}
		data := make([]byte, n)
		k.xor(data, data, from)
		require.True(t, bytes.Equal(referenceStream(t, k.key, k.nonce, from, n), data), "%d bytes at %d", n, from)
	})
}

// TestKeyStreamAheadForWhomItIsWorth: little at a time is no reason to make more than is asked for, nor is AES.
func TestKeyStreamAheadForWhomItIsWorth(t *testing.T) {
	pool := aheadWith(t, mostStretchBytes)
	k := keyStreamOf(t, 1)
	k.prepare(leastAhead-1, leastAhead-1, upTo(blockAhead))
	k.prepare(leastAhead, mostAhead+1, upTo(mostAhead))
	require.Nil(t, k.ahead.Load())
	k.prepare(leastAhead, 100+leastAhead, upTo(0))
	require.Len(t, k.ahead.Load().bytes, 100+leastAhead)
	k.prepare(leastAhead, mostAhead, upTo(1<<40))
	require.Len(t, k.ahead.Load().bytes, mostAhead)
	require.Len(t, pool.list, 2)
	aes, err := newKeyStream(AES, make([]byte, 32), make([]byte, aesNonce))
	require.NoError(t, err)
	aes.prepare(leastAhead, leastAhead, upTo(blockAhead))
	require.Nil(t, aes.ahead.Load())
}

// TestStretchesTakeTheMemoryOfThoseThatAreDone, and of no others: these do without then.
func TestStretchesTakeTheMemoryOfThoseThatAreDone(t *testing.T) {
	const size = 2 * leastAhead
	pool := aheadWith(t, 2*(size+tagSize))
	var streams [4]*keyStream
	for i := range streams {
		streams[i] = keyStreamOf(t, byte(i))
	}
	ask := func(k *keyStream) *stretch { k.prepare(leastAhead, leastAhead, upTo(size)); return k.ahead.Load() }
	first, second := ask(streams[0]), ask(streams[1])
	require.NotNil(t, first)
	require.NotNil(t, second)
	require.Nil(t, ask(streams[2]), "both others may go on")

	buffer := make([]byte, size)
	streams[0].xor(buffer, buffer, 0) // to the end
	memory := &first.bytes[0]
	third := ask(streams[2])
	require.Same(t, memory, &third.bytes[0])
	require.Nil(t, streams[0].ahead.Load())
	require.False(t, first.xor(buffer, buffer, 0), "its bytes are another's")

	require.True(t, second.enter())
	second.used.Store(spent)
	require.Nil(t, ask(streams[3]), "somebody is using it")
	second.users.Add(-1)
	pool.sweep()
	require.Equal(t, []*stretch{third}, pool.list)
	third.used.Store(now() - int64(pool.idle) - 1)
	pool.sweep()
	require.Zero(t, pool.bytes)
	require.Empty(t, pool.list)
	require.False(t, pool.timed)
}

// TestStretchesAreEachOthersWhileManyRead: who reads beside others that take the memory never gets bytes of another key.
func TestStretchesAreEachOthersWhileManyRead(t *testing.T) {
	const size = 3 * leastAhead
	aheadWith(t, 2*(size+tagSize))
	const files = 5
	var streams [files]*keyStream
	var want [files][]byte
	for i := range streams {
		streams[i] = keyStreamOf(t, byte(i))
		want[i] = referenceStream(t, streams[i].key, streams[i].nonce, 0, size)
	}
	var wait sync.WaitGroup
	for seed := range 8 {
		wait.Go(func() {
			random, buffer := rand.New(rand.NewPCG(1, uint64(seed))), make([]byte, size)
			for range 60 {
				i, n := random.IntN(files), 1+random.IntN(size)
				from := random.IntN(size - n + 1)
				streams[i].prepare(n, int64(from+n), upTo(size))
				clear(buffer[:n])
				streams[i].xor(buffer[:n], buffer[:n], int64(from))
				if !bytes.Equal(want[i][from:from+n], buffer[:n]) {
					t.Errorf("%d bytes at %d of %d", n, from, i)
				}
			}
		})
	}
	wait.Wait()
}

// TestFilesAreTheSameWithoutKeyStreamsAhead: what is written with them reads without, and the other way round, however much
// is written and read at a time.
func TestFilesAreTheSameWithoutKeyStreamsAhead(t *testing.T) {
	text := make([]byte, 700_000)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(text) // it never fails
	for _, piece := range []int{len(text), 300_000, leastAhead, 1000} {
		for _, name := range []string{"msgs/1.blk", "msgs/millrace.lost"} {
			t.Run(fmt.Sprint(name, " in pieces of ", piece), func(t *testing.T) {
				aheadWith(t, mostStretchBytes)
				files := blocktest.NewMemFS()
				require.NoError(t, files.MkdirAll("ENC/msgs"))
				put(t, files, "ENC/meta.key", unhex(t, vectorMetaKey))
				for _, makesAhead = range []bool{true, false} {
					s := New(Options{FS: files, Dir: "ENC", Stream: "ENC", Key: vectorKey})
					require.NoError(t, s.Look())
					require.NoError(t, s.Prepare(t.Context()))
					file, err := s.OpenFile("ENC/"+name, blockio.ModeCreate)
					require.NoError(t, err)
					for at := 0; at < len(text); at += piece {
						_, err = file.WriteAt(text[at:min(at+piece, len(text))], int64(at))
						require.NoError(t, err)
					}
					require.NoError(t, file.Close())
					for _, makesAhead = range []bool{true, false} {
						s := New(Options{FS: files, Dir: "ENC", Stream: "ENC", Key: vectorKey, ReadOnly: true})
						require.NoError(t, s.Look())
						require.NoError(t, s.Prepare(t.Context()))
						requireReads(t, s, "ENC/"+name, text, piece)
					}
					require.NoError(t, s.Remove("ENC/"+name))
				}
			})
		}
	}
}

// requireReads reads a file in pieces, and a block as a whole as well.
func requireReads(t *testing.T, s *FS, name string, want []byte, piece int) {
	t.Helper()
	file, err := s.OpenFile(name, blockio.ModeRead)
	require.NoError(t, err)
	data := make([]byte, len(want))
	for at := 0; at < len(data); at += piece {
		_, err := file.ReadAt(data[at:min(at+piece, len(data))], int64(at))
		require.NoError(t, err)
	}
	require.True(t, bytes.Equal(want, data), "in pieces of %d", piece)
	if f, ok := file.(blockio.SealedFile); ok {
		_, err := f.Stored().ReadAt(data, 0)
		require.NoError(t, err)
		f.Unseal(data, 0)
		require.True(t, bytes.Equal(want, data), "as a whole")
	}
	require.NoError(t, file.Close())
}

// TestNoKeyStreamIsMadeAheadWithACipherThatMayNotBeUsed: Go refuses chacha20poly1305 in its FIPS 140-only mode, and not chacha20.
func TestNoKeyStreamIsMadeAheadWithACipherThatMayNotBeUsed(t *testing.T) {
	require.False(t, mayUse(func([]byte) (cipher.AEAD, error) { return nil, errors.New("not in this mode") }))
	_, err := chacha20poly1305.New(make([]byte, 32))
	require.Equal(t, err == nil, mayUse(chacha20poly1305.New))
}
