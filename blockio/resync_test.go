package blockio

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestForgeryWithTheSequenceOfItsCarrier: where a payload's record has the very sequence
// that was lost and the gap behind it has room, it leaves none for what is damaged before.
func TestForgeryWithTheSequenceOfItsCarrier(t *testing.T) {
	b := newSweepBlock(unmarked, 1).add(text(40))
	forged := b.key.AppendMessage(b.noise(34), 2, 1, "forged", nil, nil)
	b.add(func(b *sweepBlock, frame []byte) []byte { return b.message(frame, nil, append(forged, b.noise(50)...)) })
	b.last = 9
	b.add(text(40)).add(text(40))
	data := bytes.Clone(b.data)
	carrier := b.spans[1]
	clear(data[carrier.from : carrier.from+headSize])
	for _, tail := range []bool{false, true} {
		scan, got := b.visits(data, tail)
		require.Equal(t, []int{0, b.spans[2].from, b.spans[3].from}, offsets(got))
		require.Contains(t, scan.Lost, uint64(2))
	}
}

// TestLengthThatPointsToALaterRecord: the records that it passes over run exactly on to
// where it points, so it is the length that is wrong, although nothing else proves it.
func TestLengthThatPointsToALaterRecord(t *testing.T) {
	for _, m := range []marking{unmarked, counting, measuring} {
		b := newSweepBlock(m, 2).add(text(40), text(41), text(42), text(43), text(44), text(45))
		spans := b.spans[len(b.spans)-6:]
		data := bytes.Clone(b.data)
		binary.LittleEndian.PutUint32(data[spans[1].from:], uint32(spans[4].from-spans[1].from))
		data[spans[1].from+40] ^= 4
		for _, tail := range []bool{false, true} {
			scan, got := b.visits(data, tail)
			require.Equal(t, []int{spans[0].from, spans[2].from, spans[3].from, spans[4].from, spans[5].from}, offsets(got))
			require.Equal(t, []uint64{2}, scan.Lost)
		}
	}
}

// TestLostSectorsAtTheEndNameNothing: a store that syncs later than it writes can lose
// several commits to a power loss, of which nothing is left. They are damage, but no
// sequence is guessed for them; where no sector is missing, those that may be used are.
func TestLostSectorsAtTheEndNameNothing(t *testing.T) {
	b := newSweepBlock(counting, 3).add(text(400)).add(text(1200), text(1000)).add(text(300), text(300))
	lost, torn := b.spans[1].from, b.spans[4].from
	data := bytes.Clone(b.data)
	clear(data[lost:2048])
	clear(data[torn+EmptyRecordSize+10:])
	scan, got := b.visits(data, true)
	require.True(t, scan.Torn)
	require.Equal(t, 1, scan.DamageCount)
	require.Empty(t, scan.Lost)
	require.True(t, scan.LostEnd)
	require.Equal(t, []int{0}, offsets(got)[:1])

	b = newSweepBlock(measuring, 4).add(text(400)).add(text(40), text(20))
	last := b.spans[len(b.spans)-1]
	data = bytes.Clone(b.data)
	clear(data[last.from-20 : last.from+headSize])
	scan, _ = b.visits(data, true)
	require.False(t, scan.Torn)
	require.Subset(t, scan.Lost, []uint64{2, 3})
}

func offsets(got []testRecord) (list []int) {
	for _, r := range got {
		list = append(list, r.offset)
	}
	return list
}
