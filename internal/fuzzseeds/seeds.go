package main

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"time"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// targets returns the seeds of each fuzz target, by its folder and its name.
func targets() map[string][]seed {
	return map[string][]seed{
		"actors/adapters/raft FuzzDecodeEntry": raftEntries(),
		"actors FuzzParseHeader":               headers(),
		"actors FuzzValidName":                 names(),
		"blockio FuzzDecode":                   records(),
		"blockio FuzzScan":                     blocks(),
		"blockio FuzzCompressedBlock":          compressedBlocks(),
		"blockio FuzzCompact":                  rewrites(uint8(0x55), uint64(9)),
		"blockio FuzzCut":                      rewrites(uint32(blockio.EmptyRecordSize+2*len(message(1, ""))), uint64(3)),
		"blockio FuzzEraseAside":               rewrites(uint64(2)),
		"blockio FuzzMeta":                     metas(),
		"blockio FuzzEndProof":                 endProofs(),
		"blockio FuzzLost":                     lostFiles(),
		"blockio/archive FuzzRead":             archives(),
		"blockio/archive FuzzMessages":         messageArchives(),
		"blockio/blockindex FuzzOpen":          indexes(),
		"blockio/blockindex FuzzPage":          pages(),
		"blockio/sealed FuzzKeyFile":           keyFiles(),
		"blockio/sealed FuzzKeyStreamAhead":    keyStreams(),
		"blockio/sealed FuzzOtherFile":         otherFiles(),
		"blockio/streamstate FuzzIndex":        stateIndexes(),
		"blockio/streamstate FuzzOwn":          stateOwn(),
		"blockio/streamstate FuzzSet":          stateSets(),
		"blockio/streamstate FuzzReplica":      stateReplicas(),
		"blockio/streamstate FuzzTTLs":         stateTTLs(),
		"blockio/streamstate FuzzSchedules":    stateSchedules(),
		"internal/msgheader FuzzBlock":         headerBlocks(),
		"internal/msgheader FuzzValues":        headerValues(),
		"internal/schedule FuzzPattern":        patterns(),
		"internal/subject FuzzMatch":           subjects(),

		"actors/consumer/internal/cursor FuzzRestore": cursors(),
	}
}

const (
	stream = "S"
	block  = uint32(1)
	when   = int64(1_700_000_000_000_000_000)
)

var codec = blockio.NewRecordCodec(stream, block)

func message(sequence uint64, header string) []byte {
	var head []byte
	if header != "" {
		head = []byte(header)
	}
	return codec.AppendMessage(nil, sequence, when, "orders.new", head, []byte("two millstones"))
}

// with returns a copy of data with some bytes changed.
func with(data []byte, change func([]byte)) []byte {
	data = bytes.Clone(data)
	change(data)
	return data
}

// records are single records: the length of a record is in its first four bytes, whose highest bit
// says that there are headers.
func records() []seed {
	plain, headed := message(1, ""), message(1, "NATS/1.0\r\nA: b\r\n\r\n")
	var list []seed
	add := func(name string, data []byte) { list = append(list, seed{name, []any{stream, block, data}}) }
	add("message", plain)
	add("message-with-header", headed)
	add("skip", codec.AppendSkip(nil, 9, when))
	add("tombstone", codec.AppendTombstone(nil, 3, when))
	add("cut-within-the-header", plain[:20])
	add("cut-within-the-checksum", plain[:len(plain)-3])
	add("payload-flipped", with(plain, func(b []byte) { b[len(b)-10] ^= 1 }))
	add("length-zero", with(plain, func(b []byte) { binary.LittleEndian.PutUint32(b, 0) }))
	add("length-highest", with(plain, func(b []byte) { binary.LittleEndian.PutUint32(b, 1<<32-1) }))
	add("subject-longer-than-the-record", with(plain, func(b []byte) { b[20], b[21] = 0xff, 0xff }))
	add("header-longer-than-the-record", with(headed, func(b []byte) { binary.LittleEndian.PutUint32(b[22+10:], 1<<31) }))
	list = append(list, seed{"of-another-stream", []any{"OTHER", block, plain}}, seed{"of-another-block", []any{stream, block + 1, plain}})
	return list
}

// frame is a mark of the second kind and the records that it announces, as the first of a block.
func frame(sequence uint64, records int) []byte {
	var body []byte
	crc := uint32(0)
	for i := range records {
		r := message(sequence+uint64(i), "")
		crc = blockio.LengthsCRC(crc, r)
		body = append(body, r...)
	}
	mark := make([]byte, blockio.EmptyRecordSize)
	codec.PutFrameMark(mark, uint32(len(body)), crc)
	return append(mark, body...)
}

// group is a mark of the first kind and the records that it counts.
func group(sequence uint64, records int) []byte {
	var body []byte
	for i := range records {
		body = append(body, message(sequence+uint64(i), "")...)
	}
	mark := make([]byte, blockio.EmptyRecordSize)
	codec.PutGroupMark(mark, uint32(records), uint32(len(body)))
	return append(mark, body...)
}

// blocks are small blocks, as the tail and as one in front of it.
func blocks() []seed {
	size := len(message(1, ""))
	whole := append(group(1, 3), message(4, "")...)
	whole = append(whole, codec.AppendTombstone(codec.AppendSkip(nil, 9, when), 2, when)...)
	var list []seed
	add := func(name string, data []byte, tail bool) {
		list = append(list, seed{name, []any{stream, block, data, tail}})
	}
	add("whole", whole, false)
	add("whole-tail", whole, true)
	add("zeros-ahead", append(bytes.Clone(whole), make([]byte, 600)...), true)
	add("torn-group", group(1, 3)[:len(group(1, 3))-size-5], true)
	add("torn-sector", with(group(1, 12), func(b []byte) { clear(b[512:]) }), true)
	add("cut-in-front-of-the-tail", whole[:len(whole)-5], false)
	add("length-flipped", with(whole, func(b []byte) { b[blockio.EmptyRecordSize+2] ^= 1 }), true)
	add("length-onto-a-later-record", with(whole, func(b []byte) {
		binary.LittleEndian.PutUint32(b[blockio.EmptyRecordSize:], uint32(2*size))
	}), false)
	add("mark-counts-too-much", with(whole, func(b []byte) {
		codec.PutGroupMark(b[:blockio.EmptyRecordSize], 1<<32-1, 1<<32-1)
	}), true)
	frames := append(frame(1, 3), frame(4, 1)...) // the second does not go on from the first
	add("frames", frame(1, 3), true)
	add("frame-that-does-not-go-on", frames, true)
	add("frame-torn", frame(1, 12)[:blockio.EmptyRecordSize+5*size+9], true)
	add("frame-with-a-longer-subject", with(frame(1, 3), func(b []byte) { b[blockio.EmptyRecordSize+size+20]++ }), true)
	add("mark-announces-too-much", with(frame(1, 3), func(b []byte) {
		codec.PutFrameMark(b[:blockio.EmptyRecordSize], blockio.MaxFrameBytes, 0)
	}), true)
	add("sequences-go-back", append(message(7, ""), message(3, "")...), false)
	inner := codec.AppendMessage(nil, 8, when, "a", nil, message(5, ""))
	add("record-within-a-payload", with(inner, func(b []byte) { b[3] ^= 0x10 }), false)
	return list
}

// rewrites are the blocks, with what else the targets take that change them.
func rewrites(more ...any) []seed {
	var list []seed
	for _, s := range blocks() {
		list = append(list, seed{s.name, append(s.values[:3:3], more...)})
	}
	return list
}

// endProofs are proofs of where a log ends: see blockio.EndProof for the layout.
func endProofs() []seed {
	proof := make([]byte, 40)
	copy(proof, "MRENDPRF")
	binary.LittleEndian.PutUint32(proof[8:], 1)
	binary.LittleEndian.PutUint32(proof[12:], block)
	binary.LittleEndian.PutUint64(proof[16:], 30)
	binary.LittleEndian.PutUint64(proof[24:], 1)
	summed := func(change func([]byte)) []byte {
		return with(proof, func(b []byte) {
			change(b)
			binary.LittleEndian.PutUint32(b[36:], crc32.Checksum(b[:36], crc32.MakeTable(crc32.Castagnoli)))
		})
	}
	var list []seed
	add := func(name string, data []byte) { list = append(list, seed{name, []any{data}}) }
	add("valid", summed(func([]byte) {}))
	add("wrong-checksum", proof)
	add("cut", proof[:36])
	add("of-no-block", summed(func(b []byte) { clear(b[12:16]) }))
	add("of-a-later-version", summed(func(b []byte) { b[8] = 2 }))
	add("size-below-zero", summed(func(b []byte) { b[23] = 0x80 }))
	add("sequence-beyond-the-format", summed(func(b []byte) { b[31] = 0x40 }))
	return list
}

// metas are meta.inf files.
func metas() []seed {
	valid := `{"name":"S","subjects":["orders.>"],"retention":"limits","max_msgs":10,"max_bytes":-1,"max_age":0,` +
		`"max_msg_size":-1,"discard":"old","storage":"file","num_replicas":1,"created":"` +
		time.Unix(0, when).UTC().Format(time.RFC3339Nano) + `"}`
	var list []seed
	add := func(name, data string) { list = append(list, seed{name, []any{stream, []byte(data)}}) }
	add("valid", valid)
	add("cut", valid[:len(valid)/2])
	add("empty", "")
	add("zeros", strings.Repeat("\x00", 64))
	add("no-object", `[1,2]`)
	add("unknown-members", strings.Replace(valid, `{`, `{"later":{"a":[1,null]},`, 1))
	add("a-member-twice", strings.Replace(valid, `{`, `{"max_msgs":3,`, 1))
	add("number-out-of-range", strings.Replace(valid, `"max_msgs":10`, `"max_msgs":1e99`, 1))
	add("name-of-another-stream", strings.Replace(valid, `"S"`, `"T"`, 1))
	add("deeply-nested", `{"a":`+strings.Repeat("[", 2000))
	return list
}

// headers are header blocks.
func headers() []seed {
	var list []seed
	for _, row := range [][2]string{
		{"one", "NATS/1.0\r\nA: b\r\n\r\n"},
		{"status", "NATS/1.0 503 no responders\r\nA: b\r\n\r\n"},
		{"a-name-twice", "NATS/1.0\r\nA: b\r\nA:c\r\n\r\n"},
		{"cut", "NATS/1.0\r\nA: b"},
		{"no-version", "A: b\r\n\r\n"},
		{"no-colon", "NATS/1.0\r\nA\r\n\r\n"},
		{"no-name", "NATS/1.0\r\n: x\r\n\r\n"},
		{"line-feed-alone", "NATS/1.0\nA: b\n\n"},
		{"zero-byte", "NATS/1.0\r\nA\x00: b\r\n\r\n"},
		{"many-lines", "NATS/1.0\r\n" + strings.Repeat("A:\r\n", 200) + "\r\n"},
	} {
		list = append(list, seed{row[0], []any{[]byte(row[1])}})
	}
	return list
}

// names are names of streams, which become names of directories.
func names() []seed {
	var list []seed
	for _, row := range [][2]string{
		{"plain", "ORDERS"}, {"empty", ""}, {"parent", ".."}, {"slash", "a/b"}, {"backslash", `a\b`}, {"dots-and-slash", "a/../b"},
		{"zero-byte", "a\x00b"}, {"device", "NUL"}, {"drive", "C:"}, {"not-utf-8", "a\xff"}, {"long", strings.Repeat("n", 256)},
	} {
		list = append(list, seed{row[0], []any{row[1]}})
	}
	return list
}

// indexes change an index: see FuzzOpen for what the arguments mean. The first argument chooses an index;
// of the edits, four bytes each are a place, a byte, and how often it goes there.
func indexes() []seed {
	at := func(place uint16, value, times byte) []byte {
		return []byte{byte(place), byte(place >> 8), value, times}
	}
	return []seed{
		{"unchanged", []any{uint8(0), []byte{}, false, "a.*.c", uint64(12)}},
		{"sections-beyond-the-file", []any{uint8(0), at(64, 0xff, 64), true, ">", uint64(1)}},
		{"records-lengths-highest", []any{uint8(0), at(4096+8, 0xff, 255), true, ">", uint64(3)}},
		{"dictionary-zeros", []any{uint8(1), at(3*4096+8, 0, 255), true, "a.>", uint64(2)}},
		{"postings-that-go-back", []any{uint8(0), at(5*4096+8, 0, 4), true, "b", uint64(1)}},
		{"a-flip-that-the-checksum-tells", []any{uint8(0), at(4096+40, 1, 1), false, ">", uint64(1)}},
		{"no-file", []any{uint8(4), []byte{}, false, "a", uint64(0)}},
		{"a-page-of-zeros", []any{uint8(4), make([]byte, 4096), true, "a", uint64(0)}},
	}
}

// pages put other content into one page of an index, behind its kind and version: see FuzzPage.
func pages() []seed {
	return []seed{
		{"header-highest", []any{uint8(0), uint8(0), bytes.Repeat([]byte{0xff}, 128), ">", uint64(1)}},
		{"records-zeros", []any{uint8(0), uint8(1), make([]byte, 256), "a.*.c", uint64(12)}},
		{"records-too-many", []any{uint8(0), uint8(1), []byte{0xff, 0xff}, ">", uint64(1)}},
		{"runs-highest", []any{uint8(1), uint8(2), bytes.Repeat([]byte{0xff}, 64), ">", uint64(1) << 62}},
		{"dictionary-offsets-highest", []any{uint8(2), uint8(3), bytes.Repeat([]byte{0xff}, 200), "a.>", uint64(4)}},
	}
}

// subjects are a pattern and two subjects: see FuzzMatch.
func subjects() []seed {
	var list []seed
	for _, row := range [][4]string{
		{"literal", "a.b.c", "a.b.c", "a.b.d"},
		{"token-wildcard", "a.*.c", "a.b.c", "a..c"},
		{"rest-wildcard", "a.>", "a", "a.b.c"},
		{"wildcards-within-tokens", "a*.>b", "ab.c", "a*.>b"},
		{"empty-tokens", "..", ".", "..."},
		{"rest-in-the-middle", "a.>.c", "a.b.c", "a.>.c"},
		{"not-utf-8", "*.\xff", "a.\xff", "a.\xfe"},
		{"long", strings.Repeat("*.", 100) + ">", strings.Repeat("a.", 100) + "a", strings.Repeat("a.", 99)},
	} {
		list = append(list, seed{row[0], []any{row[1], row[2], row[3]}})
	}
	return list
}

// lostFiles are the files that say what was lost.
func lostFiles() []seed {
	file := func(ranges ...uint64) []byte {
		data := []byte("MRLOSTSQ")
		data = binary.LittleEndian.AppendUint32(data, 1)
		data = binary.LittleEndian.AppendUint32(data, uint32(len(ranges)/3))
		for i := 0; i+2 < len(ranges); i += 3 {
			data = binary.LittleEndian.AppendUint32(data, uint32(ranges[i]))
			data = binary.LittleEndian.AppendUint64(data, ranges[i+1])
			data = binary.LittleEndian.AppendUint64(data, ranges[i+2])
		}
		data = binary.LittleEndian.AppendUint32(data, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
		return data
	}
	two := file(1, 4, 7, 2, 9, 9)
	many := file()
	binary.LittleEndian.PutUint32(many[12:], 1<<31)
	return []seed{
		{"none", []any{file()}}, {"two", []any{two}}, {"cut", []any{two[:len(two)-5]}},
		{"backwards", []any{file(1, 9, 4)}}, {"overlapping", []any{file(1, 4, 7, 1, 7, 8)}},
		{"hostile-count", []any{many}},
	}
}
