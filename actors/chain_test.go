package actors_test

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// writeChained runs a random script at a store, with restarts in it, half of which find no index.db, and stops the store.
func writeChained(t *testing.T, config actors.Config, random *rand.Rand, commands int) {
	t.Helper()
	s := open(t, config)
	content := func() (string, actors.Header, []byte) {
		header := actors.Header{}
		if random.IntN(3) == 0 {
			header["K"] = []string{fmt.Sprint(random.IntN(1000))}
		}
		return fmt.Sprint("orders.", random.IntN(100)), header, bytes.Repeat([]byte("p"), random.IntN(80))
	}
	for range commands {
		var err error
		subject, header, payload := content()
		switch random.IntN(8) {
		case 0:
			batch := make([]actors.BatchMessage, 1+random.IntN(4))
			for i := range batch {
				batch[i].Subject, batch[i].Header, batch[i].Payload = content()
			}
			_, err = s.StoreBatch(t.Context(), batch)
		case 1:
			_, err = s.Skip(t.Context(), 0, uint64(1+random.IntN(5)))
		case 2:
			require.NoError(t, s.Stop(context.Background()))
			if random.IntN(2) == 0 {
				forgetState(t, config)
			}
			s = open(t, config)
		case 3:
			p := s.Pipeline(8, func(r actors.PipelineResult) { require.NoError(t, r.Err) })
			for range 5 {
				subject, header, payload := content()
				_, err := p.Store(t.Context(), subject, header, payload)
				require.NoError(t, err)
			}
			err = p.Wait(t.Context())
		default:
			_, err = s.StoreMsg(t.Context(), subject, header, payload)
		}
		require.NoError(t, err)
	}
	require.NoError(t, s.Stop(context.Background()))
}

// lengthsUntil returns the CRC of the lengths of the records in a block from its
// beginning on, as one text, and how many marks there are. Each mark has to have it.
func lengthsUntil(t *testing.T, key *blockio.RecordCodec, data []byte) (crc uint32, marks int) {
	t.Helper()
	table := crc32.MakeTable(crc32.Castagnoli)
	var due uint32 // what the last mark says
	left := 0      // bytes of its frame
	for at := 0; at < len(data); {
		r, err := key.Decode(data[at:])
		require.NoError(t, err)
		if n, mark, ok := r.FrameMark(); ok {
			require.Zero(t, left, "a frame ends where the next begins")
			require.Equal(t, due, crc, "at %d", at)
			due, left = mark, int(n)
			marks++
		} else {
			require.NotEqual(t, blockio.KindGroupMark, r.Kind)
			record := data[at : at+r.Size]
			crc = crc32.Update(crc, table, record[:4])
			crc = crc32.Update(crc, table, record[20:22])
			if n := len(r.Header); n > 0 {
				header := 22 + len(r.Subject)
				crc = crc32.Update(crc, table, record[header:header+4])
			}
			left -= r.Size
		}
		at += r.Size
	}
	require.Zero(t, left)
	require.Equal(t, due, crc)
	return crc, marks
}

// TestWhatAStoreWritesIsAChain of frames, at every level and across restarts, in which a
// scan finds nothing wrong.
func TestWhatAStoreWritesIsAChain(t *testing.T) {
	for _, level := range []actors.SyncLevel{actors.SyncAlways, actors.SyncInterval, actors.SyncNever} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint(level, seed), func(t *testing.T) {
				config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4096, Sync: level, FirstSequence: seed * 50}
				writeChained(t, config, rand.New(rand.NewPCG(seed, uint64(level))), 80)
				blocks := len(blockFiles(t, config))
				require.Greater(t, blocks, 1)
				for id := 1; id <= blocks; id++ {
					data, err := os.ReadFile(blockPath(config, id))
					require.NoError(t, err)
					key := blockio.NewRecordCodec("ORDERS", uint32(id))
					crc, marks := lengthsUntil(t, key, data)
					require.Positive(t, marks)
					scan := blockio.ScanBlock("", uint32(id), key, data, id == blocks, nil)
					require.Equal(t, blockio.BlockScan{End: int64(len(data)), MarkCRC: crc}, scan)
				}
			})
		}
	}
}

// TestEveryFlippedBitOfATailIsFound in what a store wrote, without and with the
// knowledge that the block is the last one.
func TestEveryFlippedBitOfATailIsFound(t *testing.T) {
	config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", FirstSequence: 7}
	writeChained(t, config, rand.New(rand.NewPCG(5, 5)), 12)
	data, err := os.ReadFile(blockPath(config, 1))
	require.NoError(t, err)
	key := blockio.NewRecordCodec("ORDERS", 1)
	_, marks := lengthsUntil(t, key, data)
	require.Greater(t, marks, 5)
	for _, tail := range []bool{true, false} {
		for bit := range 8 * len(data) {
			data[bit/8] ^= 1 << (bit % 8)
			if end := len(data) - 1; tail && bit/8 == end && data[end] == 0 {
				data[end] ^= 1 << (bit % 8)
				continue // a last byte of zero may be one that was never written
			}
			scan := blockio.ScanBlock("", 1, key, data, tail, nil)
			data[bit/8] ^= 1 << (bit % 8)
			require.Equal(t, 1, scan.DamageCount, "bit %d of byte %d, tail %v", bit%8, bit/8, tail)
			require.False(t, scan.Torn, "bit %d of byte %d, tail %v", bit%8, bit/8, tail)
		}
	}
}
