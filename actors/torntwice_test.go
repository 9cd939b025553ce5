package actors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
)

// An opened is all that an opening of a stream shows and leaves.
type opened struct {
	state actors.State
	seen  []string // each message or loss
	block string   // the damaged one, as it is left
}

// openedOnce opens a stream, and returns the files as a crash leaves them that loses nothing.
func openedOnce(t *testing.T, config actors.Config, block string) (opened, *blocktest.MemFS) {
	t.Helper()
	s, err := actors.Open(t.Context(), quiet, config)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Stop(context.Background())) }()
	o := opened{state: stateOf(t, s)}
	for sequence := o.state.FirstSequence; sequence <= o.state.LastSequence; sequence++ {
		m, err := s.LoadMsg(t.Context(), sequence)
		o.seen = append(o.seen, fmt.Sprintf("%d %s %x %v", sequence, m.Subject, m.Payload, err))
	}
	o.state.Durable = 0
	left := config.FS.(*blocktest.MemFS).Clone()
	data, err := blockio.ReadFile(left, block, 1<<20)
	if !errors.Is(err, fs.ErrNotExist) { // all of it was torn
		require.NoError(t, err)
	}
	o.block = string(data)
	return o, left
}

// tornStream returns the files of a stream of several blocks that was not stopped, and the paths of its last
// block and of the one before that. Some payloads hold records, as those of a stream do in which blocks of others are kept.
func tornStream(t *testing.T, config actors.Config, random *rand.Rand) (files *blocktest.MemFS, blocks []string) {
	t.Helper()
	mem := blocktest.NewMemFS()
	config.FS = mem
	s := openToFail(t, config)
	for i := range 66 {
		payload := make([]byte, 100+random.Intn(500))
		for at := range payload {
			payload[at] = byte(1 + random.Intn(255))
		}
		payload = append(payload, bytes.Repeat([]byte("compressible "), 10)...)
		if i%7 == 3 {
			for id := range uint32(10) {
				payload = blockio.NewRecordCodec(config.Name, id+1).AppendMessage(payload, uint64(i+3), 1, "forged", nil, []byte("within a payload"))
			}
		}
		_, err := s.StoreMsg(t.Context(), fmt.Sprint("a.", i%3), nil, payload)
		require.NoError(t, err)
		if i%5 != 0 {
			require.NoError(t, s.Flush(t.Context()))
		}
	}
	require.NoError(t, s.Flush(t.Context()))
	list, err := blockio.NewBlocks(mem, filepath.Join(config.Dir, config.Name), config.Name, blockio.BlocksOptions{}).List()
	require.NoError(t, err)
	require.Greater(t, len(list), 2)
	for _, b := range list[len(list)-2:] {
		blocks = append(blocks, filepath.Join(config.Dir, config.Name, "msgs", fmt.Sprint(b.ID, ".blk")))
	}
	if config.Compression == actors.On && config.Key == nil {
		eventually(t, func() bool {
			data, err := blockio.ReadFile(mem, blocks[0], 1<<20)
			return err == nil && bytes.HasPrefix(data, []byte("cmp"))
		})
	}
	return mem.Clone(), blocks
}

// TestTornSectorsReadAlikeAtEachOpening: what a stream that has lost sectors, in the block that was written to or in the one
// before it, shows at its first opening, it shows at the next ones, and they change nothing of the blocks any more.
func TestTornSectorsReadAlikeAtEachOpening(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(c *actors.Config)
	}{
		{"plain", func(*actors.Config) {}},
		{"compressed", func(c *actors.Config) { c.Compression = actors.On }},
		{"ChaCha20", func(c *actors.Config) { c.Key, c.Cipher = key1, actors.CipherChaCha20 }},
		{"AES", func(c *actors.Config) { c.Key, c.Cipher, c.Compression = key1, actors.CipherAES, actors.On }},
	} {
		t.Run(row.name, func(t *testing.T) {
			random := rand.New(rand.NewSource(1))
			config := actors.Config{Dir: "data", Name: "ORDERS", Sync: actors.SyncNever, BlockSize: 9 << 10, IndexFrom: 1 << 30}
			row.change(&config)
			whole, blocks := tornStream(t, config, random)
			for i := range 40 {
				files := whole.Clone()
				name := blocks[i%2]
				require.NoError(t, files.Rot(name, func(content []byte) []byte { return withoutSectors(content, i/2, random) }))
				var first opened
				for n := range 3 {
					config.FS = files
					o, left := openedOnce(t, config, name)
					if n == 0 {
						first = o
					}
					require.Equal(t, first, o, "%s, sectors %d, opening %d", name, i, n+1)
					files = left
				}
			}
		})
	}
}

// withoutSectors returns the content of a block that has lost one sector, several, its end, or some of all that.
func withoutSectors(content []byte, i int, random *rand.Rand) []byte {
	content = bytes.Clone(content)
	const sector = 512
	sectors := (len(content) + sector - 1) / sector
	from := random.Intn(sectors)
	for s := from; s < sectors; s++ {
		if s == from || i%3 > 0 && random.Intn(3) == 0 {
			clear(content[s*sector : min(len(content), (s+1)*sector)])
		}
	}
	switch i % 4 {
	case 1:
		content = append(content, make([]byte, random.Intn(1000))...)
	case 2:
		content = content[:from*sector+random.Intn(len(content)-from*sector)]
	}
	return content
}
