package blockio

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// damagedBlock is records of a block, one after the other, and where each begins.
type damagedBlock struct {
	key    *RecordCodec
	data   []byte
	starts []int
}

func (b *damagedBlock) message(sequence uint64, size int) {
	b.starts = append(b.starts, len(b.data))
	b.data = b.key.AppendMessage(b.data, sequence, 1, "s", nil, bytes.Repeat([]byte{0xa5}, size))
}

// sequencesOf scans the block as one that is sealed, and returns what it keeps.
func (b *damagedBlock) sequencesOf() (kept []uint64, scan BlockScan) {
	scan = ScanBlock("", 1, b.key, b.data, false, func(_ int64, r Record) {
		if r.Kind == KindMessage {
			kept = append(kept, r.Sequence)
		}
	})
	return kept, scan
}

// TestALengthIsNotBelievedOfAHeadThatMakesNoSense: a record whose sequence is far ahead of
// all others is not believed to reach over those behind it.
func TestALengthIsNotBelievedOfAHeadThatMakesNoSense(t *testing.T) {
	for _, row := range []struct {
		name  string
		ahead uint64
		want  []uint64
	}{
		{"a sequence far ahead", 1 << 40, []uint64{1, 3, 4, 5, 6}},
		// What it claims may be one large record, in which others are part of the payload.
		{"a sequence that can be", 0, []uint64{1, 5, 6}},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := damagedBlock{key: NewRecordCodec("S", 1)}
			for sequence := range uint64(6) {
				b.message(sequence+1, 100)
			}
			second := b.data[b.starts[1]:]
			binary.LittleEndian.PutUint32(second, uint32(b.starts[3]+40-b.starts[1])) // into record 4
			binary.LittleEndian.PutUint64(second[4:], 2+row.ahead)
			second[60] ^= 1 // it is not one record with a bad length
			kept, scan := b.sequencesOf()
			require.Equal(t, row.want, kept)
			require.Equal(t, 1, scan.DamageCount)
		})
	}
}

// TestDamageBehindDamageIsNamed: what was named lost before counts as used when the next
// damaged record is asked for its sequence.
func TestDamageBehindDamageIsNamed(t *testing.T) {
	b := damagedBlock{key: NewRecordCodec("S", 1)}
	b.message(1, 100)
	b.message(2, 100)
	b.data = b.key.AppendTombstone(b.data, 1, 1) // names no sequence of its own
	b.message(3, 100)
	b.data = b.key.AppendTombstone(b.data, 1, 1)
	for _, i := range []int{1, 2} {
		b.data[b.starts[i]+60] ^= 1
	}
	kept, scan := b.sequencesOf()
	require.Equal(t, []uint64{1}, kept)
	require.Equal(t, 2, scan.DamageCount)
	require.Equal(t, []uint64{2, 3}, scan.Lost)
}
