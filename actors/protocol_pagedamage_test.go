package actors_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// TestPagesPassDamageWithoutASequence: a group mark costs no message when it breaks. Whoever reads page by
// page gets past it, and gets every message once, in both directions. It is told of it once, unless a page
// ends there.
func TestPagesPassDamageWithoutASequence(t *testing.T) {
	for _, indexFrom := range []int64{-1, 1} {
		for _, reverse := range []bool{false, true} {
			for _, most := range []int{1, 3, 0} {
				t.Run(fmt.Sprintf("index %v, reverse %v, %d a page", indexFrom > 0, reverse, most), func(t *testing.T) {
					config := actors.Config{Dir: t.TempDir(), Name: "ORDERS", BlockSize: 4 << 10, IndexFrom: indexFrom}
					s := open(t, config)
					batch := make([]actors.BatchMessage, 5)
					for i := range batch {
						batch[i] = actors.BatchMessage{Subject: "a", Payload: make([]byte, 300)}
					}
					for range 8 {
						_, err := s.StoreBatch(t.Context(), batch)
						require.NoError(t, err)
					}
					stop(t, s)
					path := blockPath(config, 2)
					data, err := os.ReadFile(path)
					require.NoError(t, err)
					data[5] ^= 0x10 // in the mark that the block begins with
					require.NoError(t, os.WriteFile(path, data, 0o600))
					dropIndexFiles(t, config)
					s = open(t, config)
					eventually(t, func() bool { return s.Stats().Unindexed == 0 })

					c := newClient(t, 10)
					var got []uint64
					told := 0
					next := uint64(1)
					if reverse {
						next = 0
					}
					for range 100 {
						r := c.ask(t, s, &actors.ReadRequest{From: next, Max: most, Reverse: reverse}).(*actors.ReadReply)
						for _, m := range r.Messages {
							got = append(got, m.Sequence)
						}
						if r.Err != nil {
							var damage *blockio.CorruptionError
							require.True(t, errors.As(r.Err, &damage), r.Err)
							require.Equal(t, path, damage.Path)
							require.Zero(t, damage.Sequence)
							told++
						}
						if next = r.Next; reverse && next == 0 || next > 40 {
							break
						}
					}
					var want []uint64
					for i := range uint64(40) {
						if reverse {
							i = 39 - i
						}
						want = append(want, i+1)
					}
					require.Equal(t, want, got)
					if most == 0 || !reverse {
						require.Equal(t, 1, told)
					}
					require.LessOrEqual(t, told, 1)
				})
			}
		}
	}
}
