package disk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

// TestBlockOfASequenceIsTheOneThatHasItsMessage: where several blocks begin with one sequence, all but the last of them
// have no message.
func TestBlockOfASequenceIsTheOneThatHasItsMessage(t *testing.T) {
	e := stateEncoder{starts: []uint64{5, 101, 101, 101, 120}}
	for id := range e.starts {
		e.index.Blocks = append(e.index.Blocks, streamstate.Block{ID: uint32(id) + 1})
	}
	for _, row := range []struct {
		sequence uint64
		block    uint32
	}{{1, 1}, {5, 1}, {100, 1}, {101, 4}, {119, 4}, {120, 5}, {1 << 60, 5}} {
		require.Equal(t, row.block, e.blockOf(row.sequence), "sequence %d", row.sequence)
	}
}
