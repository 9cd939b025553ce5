package blockio

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAFlipInARemoval does not bring back what it has removed: any bit of a tombstone and of a floor, between others,
// at the end of a sealed block, and of the tail.
func TestAFlipInARemoval(t *testing.T) {
	for _, m := range markings {
		b := newSweepBlock(m, 5).add(text(40), text(30)).add(tomb(1)).add(tomb(2), tomb(40)).add(func(b *sweepBlock, frame []byte) []byte {
			return b.key.AppendFloor(frame, 2)
		}).add(text(20)).add(tomb(3))
		type removal struct {
			kind     Kind
			sequence uint64
			floor    uint64
		}
		scan := func(data []byte, tail bool) (list []removal, places []int64, found BlockScan) {
			found = ScanBlock("", 9, b.key, data, tail, func(offset int64, r Record) {
				if first, _ := r.Floor(); r.Kind == KindTombstone || r.Kind == KindFloor {
					list, places = append(list, removal{r.Kind, r.Sequence, first}), append(places, offset)
				}
			})
			return list, places, found
		}
		want, places, _ := scan(b.data, false)
		require.Len(t, want, 5)
		for _, place := range places {
			for bit := range int64(8 * EmptyRecordSize) {
				data := bytes.Clone(b.data)
				data[place+bit/8] ^= 1 << (bit % 8)
				for _, tail := range []bool{false, true} {
					got, _, found := scan(data, tail)
					require.Equal(t, want, got, "%v, record at %d, bit %d, tail %v", m, place, bit, tail)
					require.Equal(t, 1, found.DamageCount)
					require.Empty(t, found.Lost)
				}
			}
		}
	}
}

// TestWhatIsNoRemovalIsNotMended into one.
func TestWhatIsNoRemovalIsNotMended(t *testing.T) {
	key := NewRecordCodec("S", 1)
	mark := make([]byte, EmptyRecordSize)
	key.PutFrameMark(mark, 100, 7)
	for _, record := range [][]byte{mark, key.AppendSkip(nil, 9, 1), key.AppendMessage(nil, 9, 1, "", nil, nil), make([]byte, EmptyRecordSize)} {
		for bit := range 8 * EmptyRecordSize {
			flipped := bytes.Clone(record)
			flipped[bit/8] ^= 1 << (bit % 8)
			_, ok := key.mendRemoval(flipped)
			require.False(t, ok)
		}
	}
	two := key.AppendTombstone(nil, 9, 1)
	two[5] ^= 1
	two[14] ^= 1
	_, ok := key.mendRemoval(two)
	require.False(t, ok)
}
