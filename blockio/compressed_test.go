package blockio

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// memFile is a file in memory that is only read.
type memFile struct {
	*bytes.Reader
	closed int
}

func newMemFile(data []byte) *memFile { return &memFile{Reader: bytes.NewReader(data)} }

func (f *memFile) Stat() (FileStat, error)            { return FileStat{Size: f.Size(), ModTime: 7}, nil }
func (f *memFile) WriteAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }
func (f *memFile) Truncate(int64) error               { return io.ErrClosedPipe }
func (f *memFile) Sync() error                        { return nil }
func (f *memFile) Close() error                       { f.closed++; return nil }

// openPlain opens the file of a block that has these bytes.
func openPlain(t require.TestingT, data []byte) (File, bool) {
	file := newMemFile(data)
	stat, err := file.Stat()
	require.NoError(t, err)
	plain, compressed, err := plainFile(file, "/s/msgs/1.blk", stat, nil)
	require.NoError(t, err)
	return plain, compressed
}

// plainOf returns all bytes of the plain block.
func plainOf(t require.TestingT, data []byte) []byte {
	file, _ := openPlain(t, data)
	all, err := readOpen(file, "1.blk", MaxBlockFile, nil)
	require.NoError(t, err)
	return all
}

// serverCompress makes a file as a nats-server does: with the writer of the library.
func serverCompress(t require.TestingT, plain []byte, options ...s2.WriterOption) []byte {
	var out bytes.Buffer
	out.WriteString("cmp\x01")
	out.Write(binary.AppendUvarint(nil, uint64(len(plain))))
	w := s2.NewWriter(&out, options...)
	_, err := w.Write(plain[:len(plain)-8])
	require.NoError(t, err)
	require.NoError(t, w.Close())
	out.Write(plain[len(plain)-8:])
	return out.Bytes()
}

// TestCompressedGolden: a block of a nats-server 2.14.
func TestCompressedGolden(t *testing.T) {
	payload := hex.EncodeToString([]byte(strings.Repeat("a", 64)))
	file, err := hex.DecodeString("636d7001" + "c601" + "ff06000053327354774f" +
		"00300000615d806abe01146300000001001101302a36fe9c97170500666f6f2e611500381c5e3d9e9bed4d09160163000215004e" +
		"a9e2b57408d2e5a2")
	require.NoError(t, err)
	want, err := hex.DecodeString("63000000010000000000000000002a36fe9c97170500666f6f2e61" + payload + "5e3d9e9bed4d0916" +
		"63000000020000000000000000002a36fe9c97170500666f6f2e61" + payload + "a9e2b57408d2e5a2")
	require.NoError(t, err)
	require.Equal(t, want, plainOf(t, file))
	scan := ScanBlock("", 1, NewRecordCodec("COMP", 1), plainOf(t, file), false, nil)
	require.Zero(t, scan.DamageCount)
}

// text is bytes that can be compressed, but not to nothing.
func textOf(random *rand.Rand, n int) []byte {
	words := []string{"orders", "payments", "eu", "us", "created", "cancelled", "\x00\x01", "{\"id\":"}
	var out []byte
	for len(out) < n {
		out = append(out, words[random.IntN(len(words))]...)
		out = binary.AppendUvarint(out, random.Uint64N(1000))
	}
	return out[:n]
}

// TestCompressReadsBack: all of it, and any part of it, also what a nats-server has written, in any way.
func TestCompressReadsBack(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for name, plain := range map[string][]byte{
		"one record": textOf(random, EmptyRecordSize), "one chunk": textOf(random, CompressedChunk+8), "one byte more": textOf(random, CompressedChunk+9),
		"many": textOf(random, 3_000_000), "noise": noise, "zeros": make([]byte, 1_000_000),
	} {
		for how, file := range map[string][]byte{
			"ours": Compress(plain), "a server's": serverCompress(t, plain), "small chunks": serverCompress(t, plain, s2.WriterBlockSize(4<<10)),
			"snappy": serverCompress(t, plain, s2.WriterSnappyCompat()), "padded": serverCompress(t, plain, s2.WriterPadding(4096)),
			"an index": serverCompress(t, plain, s2.WriterAddIndex()), "not at all": serverCompress(t, plain, s2.WriterUncompressed()),
			"none": slices.Concat([]byte("cmp\x00"), binary.AppendUvarint(nil, uint64(len(plain))), plain),
		} {
			if how == "a server's" {
				back, err := io.ReadAll(s2.NewReader(bytes.NewReader(Compress(plain)[4+len(binary.AppendUvarint(nil, uint64(len(plain)))) : len(Compress(plain))-8])))
				require.NoError(t, err)
				require.Equal(t, plain[:len(plain)-8], back, "a server reads %s of ours", name)
			}
			opened, compressed := openPlain(t, file)
			require.True(t, compressed)
			stat, err := opened.Stat()
			require.NoError(t, err)
			require.Equal(t, FileStat{Size: int64(len(plain)), ModTime: 7}, stat, "%s %s", name, how)
			require.Equal(t, plain, plainOf(t, file), "%s %s", name, how)
			for range 20 {
				from := random.IntN(len(plain))
				part := make([]byte, random.IntN(len(plain)-from)+1)
				n, err := opened.ReadAt(part, int64(from))
				require.NoError(t, err)
				require.Equal(t, plain[from:from+n], part, "%s %s at %d", name, how, from)
			}
			n, err := opened.ReadAt(make([]byte, 100), int64(len(plain)-3))
			require.Equal(t, 3, n)
			require.Equal(t, io.EOF, err)
			_, err = opened.WriteAt([]byte{1}, 0)
			require.ErrorIs(t, err, ErrCompressed)
			require.ErrorIs(t, opened.Truncate(0), ErrCompressed)
			require.NoError(t, opened.Close())
		}
	}
	require.Less(t, len(Compress(make([]byte, 1<<20))), 1<<16)
}

// compressedBlock is a block of n messages, plain and compressed.
func compressedBlock(n int) (plain []byte, key *RecordCodec) {
	key = NewRecordCodec("S", 1)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range n {
		plain = key.AppendMessage(plain, uint64(i+1), int64(i), "orders.eu", nil, textOf(random, 400))
	}
	return plain, key
}

// TestDamageToACompressedBlockStaysInItsChunk: any flip costs at most two chunks of messages, and every message
// elsewhere is where it was. Without the list of its chunks, as a nats-server leaves a block, too.
func TestDamageToACompressedBlockStaysInItsChunk(t *testing.T) {
	const messages = 500
	plain, key := compressedBlock(messages)
	all := messagesAt(t, key, plain)
	perChunk := CompressedChunk/(len(plain)/messages) + 2
	listed := Compress(plain)
	heads := chunkHeads(listed)
	for _, file := range [][]byte{listed, slices.Concat(listed[:heads[len(heads)-1]], listed[len(listed)-8:])} {
		check := func(at int, bit uint) {
			damaged := bytes.Clone(file)
			damaged[at] ^= 1 << bit
			found := messagesAt(t, key, plainOf(t, damaged))
			for sequence, offset := range found {
				if at > 16 {
					require.Equal(t, all[sequence], offset, "byte %d bit %d: message %d", at, bit, sequence)
				}
			}
			if at >= 3 {
				require.GreaterOrEqual(t, len(found), len(all)-2*perChunk, "byte %d bit %d", at, bit)
			}
		}
		for at := 0; at < 40; at += stride(7) {
			for bit := range uint(8) {
				check(at, bit)
			}
		}
		for at := 40; at < len(file); at += 997 * stride(10) {
			check(at, uint(at%8))
		}
		for _, at := range chunkHeads(file) {
			for i := range 8 {
				check(at+i, uint(i))
			}
		}
	}
}

// chunkHeads returns where the chunks of a file of ours are.
func chunkHeads(file []byte) (heads []int) {
	_, _, at, _ := compressedAlgorithm(file)
	for at < len(file)-8 {
		heads = append(heads, at)
		at += 4 + int(file[at+1]) + int(file[at+2])<<8 + int(file[at+3])<<16
	}
	return heads
}

func messagesAt(t *testing.T, key *RecordCodec, plain []byte) map[uint64]int64 {
	found := make(map[uint64]int64)
	ScanBlock("", 1, key, plain, false, func(offset int64, r Record) {
		if r.Kind == KindMessage {
			found[r.Sequence] = offset
		}
	})
	return found
}

// TestACutCompressedBlockReadsAsFarAsItGoes, at every length.
func TestACutCompressedBlockReadsAsFarAsItGoes(t *testing.T) {
	plain, key := compressedBlock(800)
	file := Compress(plain)
	most, step := 0, 113
	if testing.Short() {
		step = 1009
	}
	for length := 0; length < len(file); length += step {
		found := messagesAt(t, key, plainOf(t, file[:length]))
		require.GreaterOrEqual(t, len(found)+CompressedChunk/400, most)
		most = max(most, len(found))
	}
	require.Greater(t, most, 600)
}

// TestHostileCompressedBlocksTakeNoMemory: what they claim is not believed.
func TestHostileCompressedBlocksTakeNoMemory(t *testing.T) {
	huge := binary.AppendUvarint(nil, 1<<40)
	bomb := append([]byte(s2StreamStart), 0, 20, 0, 0, 1, 2, 3, 4)
	bomb = append(binary.AppendUvarint(bomb, 1<<32-1), make([]byte, 12)...)
	for name, body := range map[string][]byte{
		"a size of a terabyte": append([]byte(s2StreamStart), make([]byte, 8)...),
		"a chunk of 4 GiB":     bomb,
		"no stream":            []byte("nothing of that kind"),
		"no end of padding":    append([]byte(s2StreamStart), bytes.Repeat([]byte{0xfe, 0, 0, 0}, 100_000)...),
	} {
		file := slices.Concat([]byte("cmp\x01"), huge, body)
		require.Less(t, testing.AllocsPerRun(1, func() {
			opened, _ := openPlain(t, file)
			stat, err := opened.Stat()
			require.NoError(t, err)
			require.LessOrEqual(t, stat.Size, int64(len(file)*mostRatio), name)
		}), 1000.0, name)
	}
}

func FuzzCompressedBlock(f *testing.F) {
	plain, _ := compressedBlock(3)
	f.Add(Compress(plain), uint16(5))
	f.Fuzz(func(t *testing.T, file []byte, at uint16) {
		raw := newMemFile(file)
		stat, err := raw.Stat()
		require.NoError(t, err)
		opened, _, err := plainFile(raw, "1.blk", stat, nil)
		if err != nil {
			return
		}
		stat, err = opened.Stat()
		require.NoError(t, err)
		if stat.Size > 64<<20 {
			return // a real one may be as large
		}
		all, err := readOpen(opened, "1.blk", MaxBlockFile, nil)
		require.NoError(t, err)
		require.Len(t, all, int(stat.Size))
		part := make([]byte, 50)
		n, _ := opened.ReadAt(part, int64(at))
		require.Equal(t, all[min(int(at), len(all)):min(int(at)+50, len(all))], part[:n])
	})
}

// TestTheCacheOfChunks keeps those that were used last, within its bound, and none of a file that is closed.
func TestTheCacheOfChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const most, size = 5, 10
		cache := newChunkCache(most * size)
		files := []*compressedFile{{chunks: make([]chunk, 4)}, {chunks: make([]chunk, 4)}}
		var recent []chunkKey // the one used last at the end
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			key := chunkKey{files[rapid.IntRange(0, 1).Draw(t, "file")], rapid.IntRange(0, 3).Draw(t, "chunk")}
			at := slices.Index(recent, key)
			switch rapid.IntRange(0, 8).Draw(t, "step") {
			case 0:
				cache.forget(key.file)
				recent = slices.DeleteFunc(recent, func(other chunkKey) bool { return other.file == key.file })
			case 1, 2, 3:
				require.Equal(t, at >= 0, cache.get(key.file, key.index) != nil)
				if at >= 0 {
					recent = append(slices.Delete(recent, at, at+1), key)
				}
			default:
				cache.put(key.file, key.index, make([]byte, size))
				if at < 0 {
					recent = append(recent, key)
				}
				if len(recent) > most {
					recent = recent[1:]
				}
			}
			require.Equal(t, int64(len(recent)*size), cache.bytes)
			require.Len(t, cache.found, len(recent))
			require.Equal(t, len(recent), files[0].kept+files[1].kept)
		}
		cache.put(files[0], 0, make([]byte, most*size+1))
		require.LessOrEqual(t, cache.bytes, int64(most*size))
	})
}
