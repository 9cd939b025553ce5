package blockindex

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// writtenFile is a file that has some bytes.
type writtenFile struct {
	*bytes.Reader
	stat blockio.FileStat
}

func (f *writtenFile) Stat() (blockio.FileStat, error) { return f.stat, nil }

func fileOf(b *block) *writtenFile { return &writtenFile{bytes.NewReader(b.data), b.stat()} }

// TestWhatWasWrittenMakesTheSameIndex as the block that is read, whatever is in it and however it is cut into pieces.
func TestWhatWasWrittenMakesTheSameIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBlock()
		var pieces [][]byte
		start, sequence := 0, uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "records") {
			sequence += rapid.Uint64Range(1, 3).Draw(t, "step")
			when := rapid.Int64Range(1, 9).Draw(t, "time")
			switch rapid.IntRange(0, 9).Draw(t, "kind") {
			case 0:
				b.skip(sequence, when)
			case 1:
				b.tombstone(rapid.Uint64Range(1, sequence).Draw(t, "removed"), when)
			case 2:
				b.data = b.key.AppendFloor(b.data, sequence)
			case 3:
				header := []byte("NATS/1.0\r\nNats-TTL: 5\r\n\r\n")
				b.data = b.key.AppendMessage(b.data, sequence, when, "x", header, []byte("payload"))
			case 4:
				at := len(b.data)
				b.data = append(b.data, make([]byte, blockio.EmptyRecordSize)...)
				b.key.PutFrameMark(b.data[at:], 0, 0)
			default:
				b.message(sequence, when, rapid.SampledFrom([]string{"", "a", "b.c", "a.b.c.d"}).Draw(t, "subject"), "p")
			}
			if rapid.Bool().Draw(t, "cut") {
				pieces, start = append(pieces, b.data[start:]), len(b.data)
			}
		}
		pieces = append(pieces, b.data[start:])
		want, scan, err := Build("7.blk", testBlock, b.key, b.data, b.stat())
		require.NoError(t, err)
		require.Zero(t, scan.DamageCount)
		got, err := BuildWritten(fileOf(b), testBlock, pieces)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

// TestWhatWasWrittenIsHeldAgainstTheFile: an index of other bytes would be stale for everybody.
func TestWhatWasWrittenIsHeldAgainstTheFile(t *testing.T) {
	b := newBlock()
	b.message(1, 1, "a", "one")
	first := len(b.data)
	b.message(2, 2, "b", "two")
	whole := [][]byte{b.data}
	_, err := BuildWritten(fileOf(b), testBlock, whole)
	require.NoError(t, err)
	_, err = BuildWritten(fileOf(b), testBlock, [][]byte{b.data[:first]})
	require.ErrorIs(t, err, ErrStale, "the file is longer")
	other := &writtenFile{bytes.NewReader(bytes.Repeat([]byte{1}, len(b.data))), b.stat()}
	_, err = BuildWritten(other, testBlock, whole)
	require.ErrorIs(t, err, ErrStale, "the file has another end")
	_, err = BuildWritten(fileOf(b), testBlock, [][]byte{b.data[:first-1], b.data[first-1:]})
	require.ErrorIs(t, err, blockio.ErrCorrupt, "a piece ends within a record")
	_, err = BuildWritten(&writtenFile{bytes.NewReader(nil), b.stat()}, testBlock, whole)
	require.ErrorIs(t, err, blockio.ErrShort, "the file has become shorter")
}

// TestTheIndexShowsWhatTheFileHasNot: the bytes that were written are what a reader of the index is to find.
func TestTheIndexShowsWhatTheFileHasNot(t *testing.T) {
	b := newBlock()
	b.message(1, 1, "a", "one")
	b.message(2, 2, "b", "two")
	image, err := BuildWritten(fileOf(b), testBlock, [][]byte{bytes.Clone(b.data)})
	require.NoError(t, err)
	x, err := Open(image, b.identity(), Options{})
	require.NoError(t, err)
	b.data[b.record[0].Size-12] ^= 1
	verdict, err := x.CheckBlock(b.key, b.data)
	require.NoError(t, err)
	require.Len(t, verdict.Damaged, 1)
}
