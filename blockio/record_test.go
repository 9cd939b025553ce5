package blockio

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/minio/highwayhash"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const goldenTime = 1700000000000000000

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

func TestHashVectors(t *testing.T) {
	for data, want := range map[string]string{
		"":                                 "cbf4052e1804b7b1",
		"a":                                "fe8ea122c9eae103",
		"0123456789abcdef0123456789abcdef": "b21aeacc8f35bc5e",
		"0123456789abcdef0123456789abcdef0123456789": "1db3fa66bb24f1af",
	} {
		got := binary.LittleEndian.AppendUint64(nil, nameSum("BASIC", []byte(data)))
		require.Equal(t, want, hex.EncodeToString(got), "data %q", data)
	}
	require.Equal(t, "a7a133ce5c3364e98e28d4f74729ce9e7a89bfd5295d529c13415623e96c9dbd",
		hex.EncodeToString(NewRecordCodec("BASIC", 1).key[:]))
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(i)
	}
	got := binary.LittleEndian.AppendUint64(nil, highwayhash.Sum64([]byte{0}, raw))
	require.Equal(t, "78ddcdc7aa43ab7e", hex.EncodeToString(got))
}

func TestRecordVectors(t *testing.T) {
	basic, del := NewRecordCodec("BASIC", 1), NewRecordCodec("DEL", 1)
	header := []byte("NATS/1.0\r\nK: v\r\n\r\n")
	rows := []struct {
		name string
		got  []byte
		want string
	}{
		{"message", basic.AppendMessage(nil, 1, goldenTime, "foo.a", nil, []byte("hello")),
			"28000000010000000000000000002a36fe9c97170500666f6f2e6168656c6c6f 712ebc5f64ac9d3a"},
		{"with headers", basic.AppendMessage(nil, 2, goldenTime+1, "foo.b", header, []byte("world")),
			"3e0000800200000000000000 01002a36fe9c9717 0500 666f6f2e62 12000000 4e4154532f312e300d0a4b3a20760d0a0d0a 776f726c64 fd08f8ccddff1476"},
		{"no payload", basic.AppendMessage(nil, 3, goldenTime+2, "foo.a", nil, nil),
			"23000000030000000000000002002a36fe9c97170500666f6f2e61 9096064038c4599e"},
		{"empty header is none", basic.AppendMessage(nil, 3, goldenTime+2, "foo.a", []byte{}, nil),
			"23000000030000000000000002002a36fe9c97170500666f6f2e61 9096064038c4599e"},
		{"tombstone", del.AppendTombstone(nil, 3, goldenTime+3),
			"1e000000030000000000004003002a36fe9c97170000 f9b0c3429ca44fc0"},
		{"tombstone of 1", del.AppendTombstone(nil, 1, goldenTime+1),
			"1e000000010000000000004001002a36fe9c97170000 51aaf77833f23aa9"},
		{"skip", del.AppendSkip(nil, 6, goldenTime+5),
			"1e000000060000000000008005002a36fe9c97170000 17d6dbbb9f89a9b3"},
		{"skip of several", del.AppendSkip(nil, 10, goldenTime+5),
			"1e0000000a0000000000008005002a36fe9c97170000 8ad3393532121216"},
		{"first sequence", NewRecordCodec("FSEQ", 2).AppendTombstone(nil, 99, -6795364578871345152),
			"1e000000630000000000004000001a3deb03b2a10000 e56d0e1d640e4167"},
	}
	for _, row := range rows {
		require.Equal(t, hex.EncodeToString(unhex(t, row.want)), hex.EncodeToString(row.got), row.name)
	}

	erased := unhex(t, "3a00000001000000000000800000000000000000000037cc7948d9625cb184d565a08de43eec523671309b3dfbc5454b3015200b14a4275a7632")
	r, err := NewRecordCodec("ER", 1).Decode(erased)
	require.NoError(t, err)
	require.Equal(t, KindErased, r.Kind)
	require.Equal(t, uint64(1), r.Sequence)
	require.Equal(t, 58, r.Size)
	require.Nil(t, r.Header)
}

func TestAppendGrowsTheSlice(t *testing.T) {
	key := NewRecordCodec("S", 1)
	dst := []byte("before")
	dst = key.AppendMessage(dst, 1, 2, "a", nil, []byte("b"))
	dst = key.AppendSkip(dst, 2, 3)
	require.Equal(t, "before", string(dst[:6]))
	r, err := key.Decode(dst[6:])
	require.NoError(t, err)
	require.Equal(t, "a", string(r.Subject))
	r, err = key.Decode(dst[6+r.Size:])
	require.NoError(t, err)
	require.Equal(t, KindSkip, r.Kind)
}

func TestWhatHasNoEncodingIsNotAppended(t *testing.T) {
	key := NewRecordCodec("S", 1)
	for _, sequence := range []uint64{0, MaxSequence + 1, 1 << 63} {
		require.Empty(t, key.AppendMessage(nil, sequence, 1, "a", nil, nil))
		require.Empty(t, key.AppendSkip(nil, sequence, 1))
		require.Empty(t, key.AppendTombstone(nil, sequence, 1))
	}
	require.Empty(t, key.AppendMessage(nil, 1, 1, strings.Repeat("s", MaxSubjectLength+1), nil, nil))
	dst := make([]byte, EmptyRecordSize)
	key.PutGroupMark(dst, 1<<31, 5)
	require.Equal(t, make([]byte, EmptyRecordSize), dst)
	key.PutGroupMark(dst[:10], 1, 5)
	require.Equal(t, make([]byte, EmptyRecordSize), dst)
}

func TestSizeLimits(t *testing.T) {
	require.NoError(t, CheckSize(MaxSubjectLength, 0, 0))
	require.NoError(t, CheckSize(5, 0, MaxRecordSize-EmptyRecordSize-5))
	require.NoError(t, CheckSize(5, 10, MaxRecordSize-EmptyRecordSize-5-4-10))
	rows := []struct {
		what                     string
		subject, header, payload int
	}{
		{"subject", MaxSubjectLength + 1, 0, 0},
		{"record", 5, 0, MaxRecordSize - EmptyRecordSize - 4},
		{"record", 5, 10, MaxRecordSize - EmptyRecordSize - 5 - 4 - 9},
		{"header", 5, MaxRecordSize + 1, 0},
		{"payload", 5, 0, 1<<63 - 1},
	}
	for _, row := range rows {
		err := CheckSize(row.subject, row.header, row.payload)
		require.ErrorIs(t, err, ErrTooLarge)
		var size *SizeError
		require.True(t, errors.As(err, &size))
		require.Equal(t, row.what, size.What)
	}
}

func TestGroupMark(t *testing.T) {
	key := NewRecordCodec("S", 3)
	dst := make([]byte, EmptyRecordSize)
	key.PutGroupMark(dst, MaxGroupRecords, 1<<32-1)
	r, err := key.Decode(dst)
	require.NoError(t, err)
	require.Equal(t, KindGroupMark, r.Kind)
	require.Zero(t, r.Sequence)
	require.Positive(t, r.Time, "nats-server must not see a time before 1970")
	records, bytes := r.GroupMark()
	require.Equal(t, uint32(MaxGroupRecords), records)
	require.Equal(t, uint32(1<<32-1), bytes)
}

// TestDecodeTellsKinds covers the flag bits, made by hand.
func TestDecodeTellsKinds(t *testing.T) {
	key := NewRecordCodec("S", 1)
	rows := []struct {
		name     string
		sequence uint64
		subject  string
		kind     Kind
		err      error
	}{
		{"message", 5, "a", KindMessage, nil},
		{"sequence 0 is a skip", 0, "", KindSkip, nil},
		{"sequence 0 with content is an erased one", 0, "a", KindErased, nil},
		{"skip", 5 | erasedBit, "", KindSkip, nil},
		{"erased", 5 | erasedBit, "x", KindErased, nil},
		{"tombstone", 5 | tombstoneBit, "", KindTombstone, nil},
		{"tombstone of nothing", tombstoneBit, "x", KindTombstone, nil},
		{"mark", tombstoneBit, "", KindGroupMark, nil},
		{"both flags", erasedBit | tombstoneBit | 1, "", 0, errFlags},
	}
	for _, row := range rows {
		raw := key.AppendMessage(nil, 1, 7, row.subject, nil, nil)
		binary.LittleEndian.PutUint64(raw[4:], row.sequence)
		fixSum(key, raw)
		r, err := key.Decode(raw)
		require.ErrorIs(t, err, row.err, row.name)
		if row.err == nil {
			require.Equal(t, row.kind, r.Kind, row.name)
			require.Equal(t, row.sequence&^(erasedBit|tombstoneBit), r.Sequence, row.name)
		}
	}
}

// fixSum gives a record without headers a new checksum.
func fixSum(key *RecordCodec, record []byte) {
	subjectLength := int(binary.LittleEndian.Uint16(record[20:]))
	header := record[3]&0x80 != 0
	binary.LittleEndian.PutUint64(record[len(record)-8:], key.sum(record, subjectLength, header))
}

func TestDecodeRefuses(t *testing.T) {
	key := NewRecordCodec("S", 1)
	good := key.AppendMessage(nil, 1, 7, "subject", []byte("header"), []byte("payload"))
	change := func(edit func(b []byte)) []byte {
		b := append([]byte(nil), good...)
		edit(b)
		return b
	}
	rows := []struct {
		name string
		data []byte
		err  error
	}{
		{"nothing", nil, ErrShort},
		{"part of a head", good[:21], ErrShort},
		{"all but a byte", good[:len(good)-1], ErrShort},
		{"length below a record", change(func(b []byte) { b[0] = 29 }), errLength},
		{"length above the limit", change(func(b []byte) { binary.LittleEndian.PutUint32(b, MaxRecordSize+1) }), errLength},
		{"subject beyond the record", change(func(b []byte) { b[20] = 200 }), errSubjectLength},
		{"header beyond the record", change(func(b []byte) { b[29] = 200 }), errHeaderLength},
		{"header far beyond", change(func(b []byte) { b[32] = 0xff }), errHeaderLength},
		{"payload", change(func(b []byte) { b[len(b)-9]++ }), errChecksum},
		{"checksum", change(func(b []byte) { b[len(b)-1]++ }), errChecksum},
		{"header bit", change(func(b []byte) { b[3] = 0 }), errChecksum},
	}
	for _, row := range rows {
		_, err := key.Decode(row.data)
		require.ErrorIs(t, err, row.err, row.name)
		require.ErrorIs(t, err, ErrCorrupt, row.name)
	}
	_, err := NewRecordCodec("S", 2).Decode(good)
	require.ErrorIs(t, err, errChecksum, "a record of another block")
}

// TestRoundTrip is the law of the codec, for sizes on both sides of where the
// hash goes from one step to several.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := NewRecordCodec(rapid.StringN(1, 20, 40).Draw(t, "stream"), rapid.Uint32().Draw(t, "block"))
		sequence := rapid.Uint64Range(1, MaxSequence).Draw(t, "sequence")
		time := rapid.Int64().Draw(t, "time")
		subject := rapid.StringN(0, 100, 300).Draw(t, "subject")
		header := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "header")
		payload := rapid.SliceOfN(rapid.Byte(), 0, 700).Draw(t, "payload")
		record := key.AppendMessage(nil, sequence, time, subject, header, payload)
		require.Equal(t, RecordSize(len(subject), len(header), len(payload)), len(record))
		r, err := key.Decode(append(record, 1, 2, 3)[:len(record)+3])
		require.NoError(t, err)
		var into Record
		require.NoError(t, key.DecodeInto(record, &into))
		require.Equal(t, r, into)
		require.Equal(t, KindMessage, r.Kind)
		require.Equal(t, sequence, r.Sequence)
		require.Equal(t, time, r.Time)
		require.Equal(t, len(record), r.Size)
		require.Equal(t, subject, string(r.Subject))
		require.Equal(t, string(header), string(r.Header))
		require.Equal(t, string(payload), string(r.Payload))
	})
}

func TestCodecAllocatesNothing(t *testing.T) {
	key := NewRecordCodec("S", 1)
	header, payload := []byte("header"), make([]byte, 1000)
	dst := make([]byte, 0, 4096)
	for _, size := range []int{0, 128, 1000} {
		require.Zero(t, testing.AllocsPerRun(100, func() {
			dst = key.AppendMessage(dst[:0], 1, 2, "subject", header, payload[:size])
		}), "encode %d", size)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if _, err := key.Decode(dst); err != nil {
				t.Error(err)
			}
		}), "decode %d", size)
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		dst = key.AppendSkip(dst[:0], 1, 2)
		dst = key.AppendTombstone(dst, 1, 2)
		key.PutGroupMark(dst[:EmptyRecordSize], 1, 2)
	}))
}

// TestSlicesOfARecordCannotGrow: appending to a field must not write over the
// block it lies in.
func TestSlicesOfARecordCannotGrow(t *testing.T) {
	key := NewRecordCodec("S", 1)
	raw := key.AppendMessage(nil, 1, 2, "subject", []byte("header"), []byte("payload"))
	before := string(raw)
	r, err := key.Decode(raw)
	require.NoError(t, err)
	_ = append(r.Subject, 'x')
	_ = append(r.Header, 'x')
	_ = append(r.Payload, 'x')
	require.Equal(t, before, string(raw))
}
