package blockio

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// eraseAt returns the block with the record of one of its messages erased.
func (b *sweepBlock) eraseAt(t *testing.T, s span) []byte {
	t.Helper()
	data := bytes.Clone(b.data)
	require.NoError(t, b.key.putErased(data[s.from:s.to], s.Sequence, bytes.NewReader(b.noise(s.Size))))
	return data
}

// TestErasedRecord: as long as it was, with nothing left of it but its sequence.
func TestErasedRecord(t *testing.T) {
	key := NewRecordCodec("S", 3)
	for _, row := range [][3]string{{"a.b", "NATS/1.0\r\nA: b\r\n\r\n", "secret"}, {"a.b", "", "secret"}, {"a", "", ""}, {"", "", ""}} {
		record := key.AppendMessage(nil, 77, goldenTime, row[0], []byte(row[1]), []byte(row[2]))
		size := len(record)
		require.NoError(t, key.putErased(record, 77, bytes.NewReader(bytes.Repeat([]byte{0xee}, size))))
		r, err := key.Decode(record)
		require.NoError(t, err)
		require.Equal(t, uint64(77), r.Sequence)
		require.Equal(t, size, r.Size)
		require.Zero(t, r.Time)
		require.Empty(t, r.Subject)
		require.Nil(t, r.Header)
		require.Equal(t, bytes.Repeat([]byte{0xee}, size-EmptyRecordSize), append([]byte{}, r.Payload...))
		want := KindErased
		if size == EmptyRecordSize {
			want = KindSkip // to a reader the same
		}
		require.Equal(t, want, r.Kind)
	}
	none := errors.New("no more")
	require.ErrorIs(t, key.putErased(make([]byte, 40), 1, errReader{none}), none)
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// TestAnErasedRecordAnywhereInAFrame: the frame, and those behind it, are judged as before.
func TestAnErasedRecordAnywhereInAFrame(t *testing.T) {
	for _, m := range markings {
		b := newSweepBlock(m, 4).add(titled(30)).add(text(20), titled(40), text(0), titled(9)).add(text(3), titled(3))
		for _, s := range b.spans {
			if s.Kind != KindMessage {
				continue
			}
			data := b.eraseAt(t, s)
			for _, tail := range []bool{false, true} {
				scan, got := b.visits(data, tail)
				require.Equal(t, BlockScan{End: int64(len(data)), MarkCRC: scan.MarkCRC}, scan, "%v: %d, tail %v", m, s.Sequence, tail)
				require.Len(t, got, int(b.last))
				for _, r := range got {
					require.Equal(t, r.Sequence == s.Sequence, r.Kind == KindErased, "%v: %d", m, s.Sequence)
				}
			}
		}
	}
}

// TestATornErase: whatever part of the write reached the disk, by bytes or by sectors, the others are kept, and
// the damage is of the sequence that was erased. A frame behind it shows that it was durable.
func TestATornErase(t *testing.T) {
	for _, m := range markings {
		b := newSweepBlock(m, 4).add(titled(30)).add(text(20), titled(1400), text(50), titled(9)).add(text(3), titled(3)).add(tomb(1))
		for _, s := range b.spans {
			if s.Kind != KindMessage {
				continue
			}
			erased := b.eraseAt(t, s)
			check := func(data []byte) {
				t.Helper()
				for _, tail := range []bool{false, true} {
					scan, got := b.visits(data, tail)
					require.False(t, scan.Torn, "%v: %d", m, s.Sequence)
					for _, r := range got {
						if r.Sequence != s.Sequence || r.Kind == KindTombstone {
							want := b.spans[0]
							for _, w := range b.spans {
								if w.from == r.offset {
									want = w
								}
							}
							require.True(t, sameRecord(want.Record, r.Record))
						}
					}
					if len(got) == int(b.last)+1 {
						continue // the old record, or the new one
					}
					require.Len(t, got, int(b.last), "%v: %d", m, s.Sequence)
					require.Equal(t, []uint64{s.Sequence}, scan.Lost, "%v: %d", m, s.Sequence)
					require.False(t, scan.LostHead || scan.LostEnd)
				}
			}
			for n := range s.Size {
				check(append(append(bytes.Clone(b.data[:s.from]), erased[s.from:s.from+n]...), b.data[s.from+n:]...))
			}
			first := s.from / sectorSize
			for mask := range 1 << ((s.to-1)/sectorSize - first + 1) {
				data := bytes.Clone(b.data)
				for at := s.from; at < s.to; at++ {
					if mask>>(at/sectorSize-first)&1 > 0 {
						data[at] = erased[at]
					}
				}
				check(data)
			}
		}
	}
}
