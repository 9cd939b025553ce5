package main

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
)

// TestEncodedStates: each decodes what the other encodes of the same stream, and finds the same deleted sequences, of
// which there are few, many, or whole blocks.
func TestEncodedStates(t *testing.T) {
	for seed, share := range []float64{0, 0.02, 0.5, 0.98} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			rng := rand.New(rand.NewSource(int64(seed)))
			our, their := openOurs(t, t.TempDir(), -1, false), openTheirs(t, t.TempDir(), -1)
			const messages = 5000
			for range messages {
				require.NoError(t, our.store("s.a", nil, []byte("payload")))
				require.NoError(t, their.store("s.a", nil, []byte("payload")))
			}
			for sequence := uint64(2); sequence < messages; sequence++ {
				if rng.Float64() < share || sequence > 1000 && sequence < 1000+uint64(1500*share) {
					_, err := our.RemoveMsg(t.Context(), sequence)
					require.NoError(t, err)
					_, err = their.Remove(sequence)
					require.NoError(t, err)
				}
			}
			want := their.State()
			var deleted []uint64
			encoded, err := our.EncodedStreamState(t.Context(), 7)
			require.NoError(t, err)
			decoded, err := server.DecodeStreamState(encoded)
			require.NoError(t, err)
			for _, block := range decoded.Deleted {
				block.Range(func(sequence uint64) bool { deleted = append(deleted, sequence); return true })
			}
			require.Equal(t, want.Deleted, deleted)
			require.Equal(t, []uint64{want.Msgs, want.FirstSeq, want.LastSeq, 7}, []uint64{decoded.Msgs, decoded.FirstSeq, decoded.LastSeq, decoded.Failed})

			encoded, err = their.EncodedState(9)
			require.NoError(t, err)
			state, err := actors.DecodeStreamState(encoded)
			require.NoError(t, err)
			mine, err := our.State(t.Context())
			require.NoError(t, err)
			require.Equal(t, mine.DeletedRanges, state.Deleted)
			require.Equal(t, []uint64{want.Msgs, want.Bytes, want.FirstSeq, want.LastSeq, 9},
				[]uint64{state.Messages, state.Bytes, state.FirstSequence, state.LastSequence, state.Failed})
			require.NoError(t, our.Stop(t.Context()))
			require.NoError(t, their.Stop())
		})
	}
}
