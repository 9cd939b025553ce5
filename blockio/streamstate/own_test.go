package streamstate_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

// ownFile is an index.db body with what Millrace adds.
type ownFile struct {
	index    streamstate.Index
	own      streamstate.Own
	subjects []streamstate.OwnSubject
}

func (f *ownFile) encode() []byte {
	dst := f.index.AppendHead(nil, len(f.subjects))
	for i := range f.subjects {
		dst = streamstate.AppendSubject(dst, f.subjects[i].Name, f.subjects[i].Messages, 1, 2)
	}
	dst = f.index.AppendBlocks(dst)
	start := len(dst)
	dst = streamstate.AppendOwn(dst, &f.own)
	for i := range f.subjects {
		dst = streamstate.AppendOwnSubject(dst, &f.subjects[i])
	}
	return streamstate.EndOwn(streamstate.AppendOwnSum(dst, &f.own), start)
}

func drawOwn(t *rapid.T) (f ownFile) {
	number := rapid.Uint64Range(0, 1<<61)
	time := rapid.Int64()
	f.index.Head = streamstate.Head{Messages: number.Draw(t, "messages"), Bytes: number.Draw(t, "bytes"), First: 1, Last: number.Draw(t, "last")}
	f.index.LastBlock, f.index.LastSum = 7, [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	f.own = streamstate.Own{
		Floor: number.Draw(t, "floor"), FloorBlock: rapid.Uint32().Draw(t, "block"), TTL: 2,
		LastTime: time.Draw(t, "time"), Blocks: []streamstate.OwnBlock{},
	}
	for range rapid.IntRange(0, 3).Draw(t, "blocks") {
		b := streamstate.OwnBlock{
			ID: rapid.Uint32().Draw(t, "id"), Size: time.Draw(t, "size"), FileSize: time.Draw(t, "file"), ModTime: time.Draw(t, "changed"),
			First: number.Draw(t, "first"), Last: number.Draw(t, "last"), LastRecord: number.Draw(t, "record"), Proves: number.Draw(t, "proves"),
			FirstMessage: number.Draw(t, "message"), Messages: number.Draw(t, "count"), Bytes: number.Draw(t, "bytes"),
			FirstLive: number.Draw(t, "live"), FirstTime: time.Draw(t, "t"), MaxTime: time.Draw(t, "t"), AgeFrom: time.Draw(t, "t"),
			AgeTo: math.MaxInt64, MarkCRC: rapid.Uint32().Draw(t, "crc"), Flags: number.Draw(t, "flags") &^ 32,
		}
		next := b.First
		for range rapid.IntRange(0, 3).Draw(t, "removed") {
			r := streamstate.Range{First: next + rapid.Uint64Range(0, 1e6).Draw(t, "gap")}
			r.Last = r.First + rapid.Uint64Range(0, 1e6).Draw(t, "length")
			next = r.Last
			b.Removed = append(b.Removed, r)
		}
		next = b.First
		for range rapid.IntRange(0, 3).Draw(t, "lives") {
			next += rapid.Uint64Range(0, 1e6).Draw(t, "gap")
			b.Lives = append(b.Lives, streamstate.OwnLife{Sequence: next, Flags: 3, Due: time.Draw(t, "due")})
		}
		f.own.Blocks = append(f.own.Blocks, b)
	}
	if len(f.own.Blocks) > 0 {
		f.own.Sum = rapid.Uint64().Draw(t, "sum")
	}
	for range rapid.IntRange(0, 4).Draw(t, "subjects") {
		s := streamstate.OwnSubject{
			Name: []byte(rapid.StringN(1, 300, -1).Draw(t, "name")), Messages: number.Draw(t, "messages"), Last: number.Draw(t, "last"),
			Flags: rapid.Uint64Range(0, 3).Draw(t, "flags"), LastSize: rapid.Uint32().Draw(t, "size"),
		}
		s.First = rapid.Uint64Range(0, s.Last).Draw(t, "first")
		f.subjects = append(f.subjects, s)
	}
	return f
}

// TestOwnIsReadAsItWasWritten, and who looks for the server's fields finds them.
func TestOwnIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawOwn(t)
		body := f.encode()
		got, err := streamstate.DecodeOwn(body)
		require.NoError(t, err)
		require.NotNil(t, got)
		require.Equal(t, f.index.Head, got.Head)
		require.Equal(t, f.index.LastSum, got.LastSum)
		require.Equal(t, f.own, got.Own)
		require.Equal(t, len(f.subjects), got.Subjects)
		for i := range f.subjects {
			var s streamstate.OwnSubject
			require.True(t, got.Next(&s))
			require.Equal(t, f.subjects[i], s)
		}
	})
}

// TestOwnOfAServer is none.
func TestOwnOfAServer(t *testing.T) {
	for _, row := range indexes {
		file := unhex(t, row.file)
		own, err := streamstate.DecodeOwn(file[:len(file)-8])
		require.NoError(t, err)
		require.Nil(t, own)
	}
}

// TestOwnVector: a stream of one block with two messages, of which the first is removed.
func TestOwnVector(t *testing.T) {
	f := ownFile{
		index: streamstate.Index{
			Head:      streamstate.Head{Messages: 1, Bytes: 40, First: 2, FirstTime: 5, Last: 2, LastTime: 5},
			Blocks:    []streamstate.Block{{ID: 1, Bytes: 40, First: 2, FirstTime: 5, Last: 2, LastTime: 5}},
			LastBlock: 1, LastSum: [8]byte{1, 2, 3, 4, 5, 6, 7, 8},
		},
		own: streamstate.Own{TTL: 2, LastTime: 5, Blocks: []streamstate.OwnBlock{{
			ID: 1, Size: 200, FileSize: 200, ModTime: 9, First: 1, Last: 2, LastRecord: 2, Proves: 2, FirstMessage: 1, Messages: 1, Bytes: 40,
			FirstLive: 2, FirstTime: 5, MaxTime: 5, AgeFrom: 4, AgeTo: 5, MarkCRC: 7, Flags: 22,
			Removed: []streamstate.Range{{First: 1, Last: 1}}, Lives: []streamstate.OwnLife{{Sequence: 2, Due: 10}},
		}}},
		subjects: []streamstate.OwnSubject{{Name: []byte("a.b"), Messages: 1, First: 2, Last: 2, Flags: 3, LastSize: 40}},
	}
	want := "0b04 01 28 02 0a 02 0a | 01 03 612e62 01 01 02 | 01 01 28 02 00 02 00 00 00 00 | 01 0102030405060708 |" +
		"01 00 00 02 0a | 01 01 c801 c801 01 02 02 02 01 01 28 02 07 16 12 0a 0a 08 0a | 01 00 00 | 01 01 00 14 |" +
		"02 00 03 28 | 25000000 4d52535441544531"
	require.Equal(t, hex.EncodeToString(unhex(t, want)), hex.EncodeToString(f.encode()))
	require.True(t, bytes.HasSuffix(f.encode(), []byte(blockio.OwnStateMagic)))
	x, err := streamstate.DecodeBody(f.encode())
	require.NoError(t, err, "what is behind the fields is passed over")
	require.NoError(t, x.Check())

	f.own.Sum = 0x0807060504030201
	summed := strings.NewReplacer(" 07 16 12 ", " 07 36 12 ", "02 00 03 28 | 25", "02 00 03 28 | 0102030405060708 | 2d").Replace(want)
	require.Equal(t, hex.EncodeToString(unhex(t, summed)), hex.EncodeToString(f.encode()))
}

// TestOwnThatIsCut or that says of itself what is not so.
func TestOwnThatIsCut(t *testing.T) {
	f := ownFile{own: streamstate.Own{Blocks: []streamstate.OwnBlock{{ID: 1}}, Sum: 9}, subjects: []streamstate.OwnSubject{{Name: []byte("a")}}}
	body := f.encode()
	for at := range body {
		spoilt := append([]byte(nil), body...)
		spoilt[at] ^= 0x80
		if own, err := streamstate.DecodeOwn(spoilt); err != nil {
			require.ErrorIs(t, err, streamstate.ErrInvalid)
		} else if own != nil {
			own.Next(new(streamstate.OwnSubject))
		}
	}
	for size := range body {
		own, err := streamstate.DecodeOwn(body[:size])
		require.NoError(t, err)
		require.Nil(t, own, "the end tells of it")
	}
	end := append([]byte(nil), body[len(body)-12:]...)
	own, err := streamstate.DecodeOwn(end)
	require.ErrorIs(t, err, streamstate.ErrInvalid)
	require.Nil(t, own)
}

// TestOwnWithoutRoomForItsSum says that there is one, and has none.
func TestOwnWithoutRoomForItsSum(t *testing.T) {
	own := streamstate.Own{Blocks: []streamstate.OwnBlock{{ID: 1}}, Sum: 9}
	x := streamstate.Index{}
	body := x.AppendBlocks(x.AppendHead(nil, 0))
	start := len(body)
	body = streamstate.EndOwn(streamstate.AppendOwn(body, &own), start)
	got, err := streamstate.DecodeOwn(body)
	require.ErrorIs(t, err, streamstate.ErrInvalid)
	require.Nil(t, got)
}
