package disk

import (
	"context"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blocktest"
	"github.com/seed-d8b58eba/millrace/engine"
)

// tornBlock returns a block of commits, with payloads that hold records as those of the block are, which has lost sectors at
// its end.
func tornBlock(codec *blockio.RecordCodec, random *rand.Rand) (data []byte) {
	crc, sequence := uint32(0), uint64(0)
	noise := func(n int) []byte {
		out := make([]byte, n)
		for i := range out {
			out[i] = byte(1 + random.Intn(255))
		}
		return out
	}
	for range 3 + random.Intn(8) {
		var frame []byte
		for range 1 + random.Intn(4) {
			sequence++
			payload := noise(random.Intn(600))
			for i := range uint64(random.Intn(4)) {
				payload = codec.AppendMessage(payload, sequence+1+i, 1, "forged", nil, noise(random.Intn(20)))
			}
			record := codec.AppendMessage(nil, sequence, int64(sequence), "a.b", nil, append(payload, noise(random.Intn(100))...))
			crc = blockio.LengthsCRC(crc, record)
			frame = append(frame, record...)
		}
		mark := make([]byte, blockio.EmptyRecordSize)
		codec.PutFrameMark(mark, uint32(len(frame)), crc)
		data = append(append(data, mark...), frame...)
	}
	const sector = 512
	from := random.Intn(len(data))
	for s := from - from%sector; s < len(data); s += sector {
		if random.Intn(3) == 0 {
			clear(data[max(s, from):min(len(data), s+sector)])
		}
	}
	return data
}

// TestARecoveryGoesByWhatItLeaves: where the tail that is cut has shown where damage before it ends, the records are those
// that every later recovery finds.
func TestARecoveryGoesByWhatItLeaves(t *testing.T) {
	seeds := []int64{209, 1268, 1472, 1473, 1646, 1679, 1722, 2290, 7178, 8355, 8469} // it is so in these
	for seed := range int64(200) {
		seeds = append(seeds, seed)
	}
	for _, seed := range seeds {
		mem := blocktest.NewMemFS()
		data := tornBlock(newTestFiles(t, mem).Blocks.Codec(1), rand.New(rand.NewSource(seed)))
		f := newTestFiles(t, mem)
		require.NoError(t, f.Commit(&engine.Commit{Ops: []engine.Op{
			{Kind: engine.OpCreate, Block: 1},
			{Kind: engine.OpWrite, Block: 1, Data: [][]byte{data}, Sync: true},
		}}))
		require.NoError(t, f.Blocks.Close())
		var states [2]engine.State
		for i := range states {
			f := newTestFiles(t, mem)
			r := Recovery{Files: f, Config: testConfig(), Published: f.Published, Scanners: 1}
			_, err := r.Run(context.Background())
			require.NoError(t, err)
			states[i] = f.Published.State()
			require.NoError(t, f.Blocks.Close())
		}
		require.Equal(t, states[0], states[1], "seed %d", seed)
	}
}
