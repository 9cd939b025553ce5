package blockio

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAFlipInASequence of a block in which sequences are missing: the checksum shows which one it was, also where the
// flipped one would be the next.
func TestAFlipInASequence(t *testing.T) {
	b := damagedBlock{key: NewRecordCodec("S", 1)}
	for _, sequence := range []uint64{16, 19, 21, 22, 27} {
		b.message(sequence, 50)
	}
	for i, want := range []uint64{16, 19, 21, 22, 27} {
		for bit := range 62 {
			b.data[b.starts[i]+4+bit/8] ^= 1 << (bit % 8)
			_, scan := b.sequencesOf()
			require.Equal(t, []uint64{want}, scan.Lost, "bit %d", bit)
			b.data[b.starts[i]+4+bit/8] ^= 1 << (bit % 8)
		}
	}
}
