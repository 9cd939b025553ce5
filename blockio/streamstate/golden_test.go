package streamstate_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

// t0 is the time of the first message of the files below, which a nats-server has written.
const t0 = int64(1_700_000_000_000_000_000)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(strings.NewReplacer(" ", "", "|", "").Replace(text))
	require.NoError(t, err)
	return data
}

func single(sequences ...uint64) iter.Seq2[uint64, uint64] {
	return func(yield func(first, last uint64) bool) {
		for _, s := range sequences {
			if !yield(s, s) {
				return
			}
		}
	}
}

// deletedSet is {3,4,6..10} as it stands in the file of the stream DEL.
var deletedSet = "160201000000 07000000" + strings.Repeat("00", 8) + "d807" + strings.Repeat("00", 254) + "0100"

var indexes = []struct {
	stream, file string
	want         streamstate.Index
}{
	{"EMPTY", "0b04 00 00 00 00 00 00 | 00 | 01 | 01 00 01 00 00 00 00 00 00 | 01 0000000000000000 | ea09ca03d0d24706",
		streamstate.Index{Blocks: []streamstate.Block{{ID: 1, First: 1}}, LastBlock: 1}},
	{"BASIC", "0b04 03 8901 01 8080d0e2c6bfce972f 03 8480d0e2c6bfce972f | 02 05666f6f2e62 01 01 01 05666f6f2e61 02 01 01 |" +
		"01 | 01 8901 01 00 03 04 00 00 00 | 01 9096064038c4599e | 17b80c4f771e6f50", streamstate.Index{
		Head:     streamstate.Head{Messages: 3, Bytes: 137, First: 1, FirstTime: t0, Last: 3, LastTime: t0 + 2},
		Subjects: []streamstate.Subject{{"foo.b", 1, 1, 1}, {"foo.a", 2, 1, 1}},
		Blocks:   []streamstate.Block{{ID: 1, Bytes: 137, First: 1, FirstTime: t0, Last: 3, LastTime: t0 + 2}}, LastBlock: 1,
		LastSum: [8]byte{0x90, 0x96, 0x06, 0x40, 0x38, 0xc4, 0x59, 0x9e}}},
	{"PRG", "0b04 00 00 06 00 05 8a80d0e2c6bfce972f | 00 | 01 | 02 00 06 00 05 8a80d0e2c6bfce972f 00 00 00 | 02 50ef6185d37ad4ba | bfc7b21b2c4dceeb",
		streamstate.Index{
			Head:   streamstate.Head{First: 6, Last: 5, LastTime: t0 + 5},
			Blocks: []streamstate.Block{{ID: 2, First: 6, Last: 5, LastTime: t0 + 5}}, LastBlock: 2,
			LastSum: [8]byte{0x50, 0xef, 0x61, 0x85, 0xd3, 0x7a, 0xd4, 0xba}}},
	{"DEL", "0b04 02 4a 02 8480d0e2c6bfce972f 0a 8a80d0e2c6bfce972f | 01 05666f6f2e61 02 01 01 |" +
		"01 | 01 4a 02 00 0a 06 07 00 00" + deletedSet + "| 01 cd419de2ee4108f1 | 83da522ea6a56056", streamstate.Index{
		Head:     streamstate.Head{Messages: 2, Bytes: 74, First: 2, FirstTime: t0 + 2, Last: 10, LastTime: t0 + 5},
		Subjects: []streamstate.Subject{{"foo.a", 2, 1, 1}},
		Blocks: []streamstate.Block{{ID: 1, Bytes: 74, First: 2, FirstTime: t0 + 2, Last: 10, LastTime: t0 + 5,
			Deleted: streamstate.NewSet(single(3, 4, 6, 7, 8, 9, 10))}}, LastBlock: 1,
		LastSum: [8]byte{0xcd, 0x41, 0x9d, 0xe2, 0xee, 0x41, 0x08, 0xf1}}},
}

// TestIndexOfServer is read as a server wrote it, and written as it was; every bit of it and every length matters.
func TestIndexOfServer(t *testing.T) {
	for _, row := range indexes {
		file := unhex(t, row.file)
		x, err := streamstate.DecodeIndex(row.stream, file)
		require.NoError(t, err, row.stream)
		require.NoError(t, x.Check(), row.stream)
		require.Equal(t, row.want, *x)
		require.Equal(t, file, x.Append(nil, row.stream))
		head, err := streamstate.DecodeHead(file[:len(file)-8])
		require.NoError(t, err)
		require.Equal(t, row.want.Head, head)
		few, err := streamstate.DecodeBlocks(file[:len(file)-8])
		require.NoError(t, err)
		require.Nil(t, few.Subjects)
		require.Equal(t, row.want.Blocks, few.Blocks)
		for i := range 8 * len(file) {
			flipped := append([]byte(nil), file...)
			flipped[i/8] ^= 1 << (i % 8)
			_, err := streamstate.DecodeIndex(row.stream, flipped)
			require.ErrorIs(t, err, streamstate.ErrInvalid, "%s: bit %d", row.stream, i)
		}
		for n := range file {
			_, err := streamstate.DecodeIndex(row.stream, file[:n])
			require.ErrorIs(t, err, streamstate.ErrInvalid, "%s: %d bytes", row.stream, n)
			if n < len(file)-8 {
				_, err = streamstate.DecodeBody(file[:n])
				require.ErrorIs(t, err, streamstate.ErrInvalid, "%s: body of %d bytes", row.stream, n)
			}
		}
		_, err = streamstate.DecodeIndex("OTHER", file)
		require.ErrorContains(t, err, "checksum", "another stream's")
	}
}

// TestIndexOfEarlierVersions lacks what those did not have: the last block of a subject with one message, the TTLs
// and the schedules of a block.
func TestIndexOfEarlierVersions(t *testing.T) {
	for version, body := range map[string]string{
		"01": "03 8901 01 8080d0e2c6bfce972f 03 8480d0e2c6bfce972f 02 05666f6f2e62 01 01 05666f6f2e61 02 01 02 01 01 8901 01 00 03 04 00",
		"02": "03 8901 01 8080d0e2c6bfce972f 03 8480d0e2c6bfce972f 02 05666f6f2e62 01 01 05666f6f2e61 02 01 02 01 01 8901 01 00 03 04 00 01",
		"03": "03 8901 01 8080d0e2c6bfce972f 03 8480d0e2c6bfce972f 02 05666f6f2e62 01 01 05666f6f2e61 02 01 02 01 01 8901 01 00 03 04 00 01 02",
	} {
		x, err := streamstate.DecodeBody(unhex(t, "0b"+version+body+"01 9096064038c4599e"))
		require.NoError(t, err, version)
		require.NoError(t, x.Check())
		require.Equal(t, []streamstate.Subject{{"foo.b", 1, 1, 1}, {"foo.a", 2, 1, 2}}, x.Subjects)
		require.Equal(t, version >= "02", x.Blocks[0].TTLs == 1, version)
		require.Equal(t, version >= "03", x.Blocks[0].Schedules == 2, version)
		require.Equal(t, indexes[1].want.LastSum, x.LastSum)
	}
}

// TestIndexSaysWhatIsWrong with a body whose checksum is right.
func TestIndexSaysWhatIsWrong(t *testing.T) {
	const head, block, end = "03 8901 01 8080d0e2c6bfce972f 03 8480d0e2c6bfce972f", "01 8901 01 00 03 04 00 00 00", "01 9096064038c4599e"
	set := func(change func(s []byte)) string {
		s := unhex(t, deletedSet)
		change(s)
		return hex.EncodeToString(s)
	}
	for _, row := range []struct{ body, want string }{
		{"0c04" + head + "00 01" + block + end, "index.db, offset 0: it begins with 12, not with 11"},
		{"0b05" + head + "00 01" + block + end, "offset 1: it is of version 5"},
		{"0b04 00 00 05 00 03 00 00 01" + block + end, "the first sequence is 5, and the last 3"},
		{"0b04" + head + "ffffffff0f 01" + block + end, "number of subjects: 4294967295, for which there is no room in"},
		{"0b04" + head + "01 05666f6f2e20 01 01 01 01" + block + end, "offset 27: no valid subject"},
		{"0b04" + head + "01 05666f2e2e61 01 01 01 01" + block + end, "no valid subject"},
		{"0b04" + head + "01 05666f6f2eff 01 01 01 01" + block + end, "no valid subject"},
		{"0b04" + head + "01 05666f6f2e62 01 ffffffff7f 01 01" + block + end, "first block of a subject: 34359738367 is no number of a block"},
		{"0b04" + head + "01 ffffffffffffffffff01 01 01 01 01" + block + end, "subject: 18446744073709551615 bytes, of which"},
		{"0b04" + head + "00 05" + block + end, "number of blocks: 5, for which there is no room in"},
		{"0b04" + head + "00 01 01 8901 01 00 03 04 07 00 00 1602", "head of a set: 10 bytes, of which"},
		{"0b04" + head + "00 01 01 8901 01 00 03 04 07 00 00" + set(func(s []byte) { s[0]++ }) + end, "a set begins with 23, not with 22"},
		{"0b04" + head + "00 01 01 8901 01 00 03 04 07 00 00" + set(func(s []byte) { s[1]++ }) + end, "a set of version 3"},
		{"0b04" + head + "00 01 01 8901 01 00 03 04 07 00 00" + set(func(s []byte) { s[5] = 1 }) + end, "nodes of a set: 16777217, for which"},
		{"0b04" + head + "00 01 01 8901 01 00 03 04 07 00 00" + set(func(s []byte) { s[6] = 9 }) + end, "a set of 7 sequences says that it has 9"},
		{"0b04" + head + "00 01 01 8901 01 00 03 04 07 00 00" + set(func(s []byte) { s[17] = 0x80 }) + end, "beyond all sequences"},
		{"0b04" + head + "00 01 01 8901 01 00 03 04 06 00 00" + deletedSet + end, "block 1 has 6 deleted sequences, and a set of 7"},
		{"0b04" + head + "00 01" + block + "01 909606403", "checksum of the last record: 8 bytes, of which 4 are there"},
	} {
		if len(strings.ReplaceAll(row.body, " ", ""))%2 == 1 {
			row.body = strings.TrimSpace(row.body)[:len(row.body)-1]
		}
		_, err := streamstate.DecodeBody(unhex(t, row.body))
		require.ErrorIs(t, err, streamstate.ErrInvalid, row.want)
		require.ErrorContains(t, err, row.want)
	}
}

// TestIndexThatContradictsItself is not to be believed.
func TestIndexThatContradictsItself(t *testing.T) {
	for want, change := range map[string]func(x *streamstate.Index){
		"4 messages in all, and 3 in the blocks":       func(x *streamstate.Index) { x.Messages++ },
		"136 bytes in all, and 137 in the blocks":      func(x *streamstate.Index) { x.Bytes-- },
		"the last sequence is 4, and 3 in the blocks":  func(x *streamstate.Index) { x.Last++ },
		"the first sequence is 1, and 2 in the blocks": func(x *streamstate.Index) { x.Blocks[0].First++; x.Messages-- },
		"the last block is not 2":                      func(x *streamstate.Index) { x.LastBlock++ },
		"the last block is not 1":                      func(x *streamstate.Index) { x.Blocks = nil },
		"block 1 follows block 1":                      func(x *streamstate.Index) { x.Blocks = append(x.Blocks, x.Blocks[0]) },
	} {
		x, err := streamstate.DecodeIndex("BASIC", unhex(t, indexes[1].file))
		require.NoError(t, err)
		change(x)
		require.ErrorIs(t, x.Check(), streamstate.ErrInvalid, want)
		require.ErrorContains(t, x.Check(), want)
	}
}

// TestSetsOfServer are what a server made of sequences that were inserted in some order.
func TestSetsOfServer(t *testing.T) {
	for _, row := range []struct {
		sequences []uint64
		size      int
		sum       string
	}{
		{[]uint64{1}, 276, "6e2082a1715d23087a4568c1b194fdf2508d6db42bbb780f0124e3d38adacd5c"},
		{[]uint64{3, 64, 2047}, 276, "388147158f1c294912fa3ac7a337f4ef6ec5dd1512f6336c543b398a39c63352"},
		{[]uint64{1, 2048, 4096}, 808, "7949a984ef2df66f5a863546c8f114328b2771ef7b34eb2a8c8dfc6b6e21f6ad"},
	} {
		data := streamstate.NewSet(single(row.sequences...)).Append(nil)
		require.Len(t, data, row.size)
		require.Equal(t, row.sum, fmt.Sprintf("%x", sha256.Sum256(data)))
		checkSet(t, data, row.sequences)
	}
	// The order of the nodes tells of the order in which the sequences came. It stays as it is.
	grown := unhex(t, "160205000000 05000000")
	for _, n := range []struct {
		base   uint64
		at     int
		height byte
	}{{4096, 5000 - 4096, 3}, {0, 1, 1}, {18432, 20000 - 18432, 2}, {8192, 10000 - 8192, 1}, {28672, 30000 - 28672, 1}} {
		node := make([]byte, 266)
		node[0], node[1] = byte(n.base), byte(n.base>>8)
		node[8+n.at/8] = 1 << (n.at % 8)
		node[264] = n.height
		grown = append(grown, node...)
	}
	require.Equal(t, "fe863848b916e05da861013d98435a48150e5b9a483029bd0fc1d54a2eb943eb", fmt.Sprintf("%x", sha256.Sum256(grown)))
	checkSet(t, grown, []uint64{1, 5000, 10000, 20000, 30000})
}

func checkSet(t *testing.T, data []byte, want []uint64) {
	t.Helper()
	s, n, err := streamstate.DecodeSet(append(data[:len(data):len(data)], 0xff))
	require.NoError(t, err)
	require.Equal(t, len(data), n)
	require.Equal(t, data, s.Append(nil))
	var got []uint64
	for first, last := range s.Ranges() {
		require.Equal(t, first, last)
		got = append(got, first)
	}
	require.Equal(t, want, got)
	require.Equal(t, uint64(len(want)), s.Len())
	for _, sequence := range want {
		require.True(t, s.Contains(sequence))
		require.False(t, s.Contains(sequence+1))
		require.False(t, s.Contains(sequence+100_000))
	}
	for n := range data {
		_, _, err := streamstate.DecodeSet(data[:n])
		require.ErrorIs(t, err, streamstate.ErrInvalid)
	}
}

// TestSetsOfTheFirstVersion have nodes of 4,096 sequences.
func TestSetsOfTheFirstVersion(t *testing.T) {
	node := func(base uint64, bits ...int) []byte {
		b := make([]byte, 8+512+2)
		b[0], b[1] = byte(base), byte(base>>8)
		for _, at := range bits {
			b[8+at/8] |= 1 << (at % 8)
		}
		return b
	}
	data := unhex(t, "160102000000 05000000")
	data = append(append(data, node(4096, 0, 4095)...), node(0, 1, 2, 3)...)
	s, n, err := streamstate.DecodeSet(data)
	require.NoError(t, err)
	require.Equal(t, len(data), n)
	var got [][2]uint64
	for first, last := range s.Ranges() {
		got = append(got, [2]uint64{first, last})
	}
	require.Equal(t, [][2]uint64{{1, 3}, {4096, 4096}, {8191, 8191}}, got)
	again, _, err := streamstate.DecodeSet(s.Append(nil))
	require.NoError(t, err)
	require.Equal(t, s, again, "it is written in the newest version")
	_, _, err = streamstate.DecodeSet(append(unhex(t, "160202000000 00000000"), make([]byte, 2*266)...))
	require.ErrorContains(t, err, "two nodes have the same sequences")
}

// TestTTLsAndSchedulesOfServer are read as a server wrote them, and written as they were.
func TestTTLsAndSchedulesOfServer(t *testing.T) {
	file := unhex(t, "01 0200000000000000 2d01000000000000 8090afa391c0ce972f 07 80c09ad6cbe2d0972f ac02")
	ttls, err := streamstate.DecodeTTLs(file)
	require.NoError(t, err)
	require.Equal(t, &streamstate.TTLs{Next: 301, Entries: []streamstate.TTL{{t0 + 10e9, 7}, {t0 + 5000e9, 300}}}, ttls)
	require.Equal(t, file, ttls.Append(nil))
	schedules := unhex(t, "01 0100000000000000 0a00000000000000 0700 73636865642e61 80a08ee4dbc0ce972f 09")
	s, err := streamstate.DecodeSchedules(schedules)
	require.NoError(t, err)
	require.Equal(t, &streamstate.Schedules{Next: 10, Entries: []streamstate.Schedule{{"sched.a", t0 + 20e9, 9}}}, s)
	require.Equal(t, schedules, s.Append(nil))
	for n := range file {
		_, err := streamstate.DecodeTTLs(file[:n])
		require.ErrorIs(t, err, streamstate.ErrInvalid)
	}
	for n := range schedules {
		_, err := streamstate.DecodeSchedules(schedules[:n])
		require.ErrorIs(t, err, streamstate.ErrInvalid)
	}
	file[0], schedules[0], schedules[8] = 2, 1, 0xff
	_, err = streamstate.DecodeTTLs(file)
	require.ErrorContains(t, err, "thw.db, offset 0: it is of version 2")
	_, err = streamstate.DecodeSchedules(schedules)
	require.ErrorContains(t, err, "sched.db, offset 17: number of entries: 18374686479671623681, for which there is no room in 19 bytes")
}
