package streamstate

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// DecodeIndex decodes the index.db of a stream that is not encrypted. It does not compare what that says of the
// blocks with what it says of the stream: see Index.Check.
func DecodeIndex(stream string, file []byte) (*Index, error) {
	body, err := Body(stream, file)
	if err != nil {
		return nil, err
	}
	return DecodeBody(body)
}

// Body returns index.db without its checksum, which it verifies. For an encrypted stream that is a nonce and what
// was encrypted with it.
func Body(stream string, file []byte) ([]byte, error) {
	if len(file) < leastIndex {
		return nil, invalid(indexName, 0, "%d bytes", len(file))
	}
	size := len(file) - sumSize
	if got, want := fileSum(stream, file[:size]), binary.LittleEndian.Uint64(file[size:]); got != want {
		return nil, invalid(indexName, size, "the checksum is %016x, and that of the bytes before it %016x", want, got)
	}
	return file[:size], nil
}

// DecodeHead decodes what a body of index.db says of the stream as a whole. It is the same in all versions, and may
// be right where something behind it is not.
func DecodeHead(body []byte) (Head, error) {
	d := decoder{file: indexName, data: body}
	_, h := d.head()
	return h, d.err
}

// DecodeBody is DecodeIndex for a file without its checksum, which the caller has verified. What is behind the
// fields is passed over, as a nats-server does.
func DecodeBody(body []byte) (*Index, error) {
	return decodeBody(body, true)
}

// DecodeBlocks is DecodeBody without the subjects, which are verified and then forgotten: Subjects is nil.
func DecodeBlocks(body []byte) (*Index, error) {
	return decodeBody(body, false)
}

func decodeBody(body []byte, keepSubjects bool) (*Index, error) {
	d := decoder{file: indexName, data: body}
	x := &Index{}
	var version byte
	version, x.Head = d.head()
	x.Subjects = d.subjects(version, keepSubjects)
	n := d.count("number of blocks", 6+int(min(version, 3)))
	if n > 0 {
		x.Blocks = make([]Block, 0, n)
	}
	for range n {
		if d.err != nil {
			break
		}
		x.Blocks = append(x.Blocks, d.blockEntry(version, x.FirstTime))
	}
	x.LastBlock = d.block("number of the last block")
	copy(x.LastSum[:], d.bytes(sumSize, "checksum of the last record"))
	if d.err != nil {
		return nil, d.err
	}
	return x, nil
}

// head takes the magic, the version, and the state of the stream.
func (d *decoder) head() (version byte, h Head) {
	begin := d.bytes(2, "magic and version")
	switch {
	case d.err != nil:
		return 0, h
	case begin[0] != indexMagic:
		d.at = 0
		d.fail("it begins with %d, not with %d", begin[0], indexMagic)
		return 0, h
	case begin[1] < 1 || begin[1] > Version:
		d.at = 1
		d.fail("it is of version %d", begin[1])
		return 0, h
	}
	h.Messages, h.Bytes = d.uvarint("messages"), d.uvarint("bytes")
	h.First, h.FirstTime = d.uvarint("first sequence"), d.varint("first time")
	h.Last, h.LastTime = d.uvarint("last sequence"), d.varint("last time")
	const most = 1<<62 - 1
	if h.Last > most || h.First > h.Last+1 {
		d.fail("the first sequence is %d, and the last %d", h.First, h.Last)
	}
	if d.err != nil {
		h = Head{}
	}
	return begin[1], h
}

// subjects takes the subjects. Their names are parts of one string.
func (d *decoder) subjects(version byte, keep bool) (list []Subject) {
	// A subject without a name has only its length, and counts for nothing.
	n := d.count("number of subjects", 1)
	start := d.at
	var text string
	if keep && n > 0 {
		text = string(d.data[start:])
		list = make([]Subject, 0, min(n, d.rest()/4))
	}
	for range n {
		length := d.uvarint("length of a subject")
		if d.err != nil {
			return nil
		}
		if length == 0 {
			continue
		}
		at := d.at
		name := d.bytes(length, "subject")
		if d.err == nil && !validSubject(name) {
			d.at = at
			d.fail("no valid subject") // its bytes may be anything, and are not for an error
		}
		s := Subject{Messages: d.uvarint("messages of a subject"), First: d.block("first block of a subject")}
		if s.Last = s.First; version >= 4 || s.Messages > 1 {
			s.Last = d.block("last block of a subject")
		}
		if keep && d.err == nil {
			s.Name = text[at-start : at-start+int(length)]
			list = append(list, s)
		}
	}
	return list
}

// blockEntry takes a block. Its times are encoded as differences to the first time of the stream.
func (d *decoder) blockEntry(version byte, base int64) (b Block) {
	b.ID, b.Bytes = d.block("number of a block"), d.uvarint("bytes of a block")
	b.First, b.FirstTime = d.uvarint("first sequence of a block"), d.varint("first time of a block")+base
	b.Last, b.LastTime = d.uvarint("last sequence of a block"), d.varint("last time of a block")+base
	deleted := d.uvarint("deleted messages of a block")
	if version >= 2 {
		b.TTLs = d.uvarint("TTLs of a block")
	}
	if version >= 3 {
		b.Schedules = d.uvarint("schedules of a block")
	}
	if deleted == 0 || d.err != nil {
		return b
	}
	b.Deleted = d.set()
	if d.err == nil && b.Deleted.Len() != deleted {
		d.fail("block %d has %d deleted sequences, and a set of %d", b.ID, deleted, b.Deleted.Len())
	}
	return b
}

// validSubject reports whether a nats-server takes a subject of index.db for one.
func validSubject(name []byte) bool {
	text := string(name)
	if !utf8.Valid(name) || strings.ContainsRune(text, utf8.RuneError) || strings.ContainsAny(text, "\x00\t\n\f\r ") {
		return false
	}
	full := false
	for token := range strings.SplitSeq(text, ".") {
		if token == "" || full {
			return false
		}
		full = token == ">"
	}
	return true
}
