package disk

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

// TestAStateIsMadeInPieces: none is large, and together they are the file.
func TestAStateIsMadeInPieces(t *testing.T) {
	var want []byte
	body, facts := newPieces(1<<30), newPieces(100)
	add := func(p *pieces, n int, with byte) {
		for range n {
			p.last = append(p.last, bytes.Repeat([]byte{with}, 100)...)
			p.next()
		}
	}
	add(body, 30_000, 'a')
	add(facts, 2_000, 'b')
	want = append(bytes.Repeat([]byte{'a'}, 3_000_000), bytes.Repeat([]byte{'b'}, 200_000)...)
	body.take(facts)
	require.Equal(t, len(want), body.len())
	body.last = append(body.last, "end"...)
	want = append(want, "end"...)
	require.Equal(t, len(want), body.len())
	file := body.summed("S")
	for _, piece := range file {
		require.LessOrEqual(t, cap(piece), statePiece)
	}
	require.Equal(t, streamstate.AppendSum(want, "S", 0), bytes.Join(file, nil))
}
