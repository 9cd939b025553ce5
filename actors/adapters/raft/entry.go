package raftstore

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// entryVersion begins the payload of every entry.
const entryVersion = 1

// appendEntry appends the payload of an entry: a version, term, type, how far the commit index is behind the index, the
// time as seconds and nanoseconds, the length of the extensions, these, and the data. Numbers are varints. The index is
// the message's sequence.
func appendEntry(dst []byte, entry *raft.Log, committed uint64) []byte {
	dst = append(dst, entryVersion)
	dst = binary.AppendUvarint(dst, entry.Term)
	dst = binary.AppendUvarint(dst, uint64(entry.Type))
	dst = binary.AppendUvarint(dst, entry.Index-min(committed, entry.Index))
	dst = binary.AppendVarint(dst, entry.AppendedAt.Unix())
	dst = binary.AppendUvarint(dst, uint64(entry.AppendedAt.Nanosecond()))
	dst = binary.AppendUvarint(dst, uint64(len(entry.Extensions)))
	dst = append(dst, entry.Extensions...)
	return append(dst, entry.Data...)
}

// entryOverhead is the most that appendEntry adds to extensions and data.
const entryOverhead = 1 + 6*binary.MaxVarintLen64

// decodeEntry reads what appendEntry wrote for the entry with an index. The entry keeps parts of payload.
func decodeEntry(payload []byte, index uint64, entry *raft.Log) (committed uint64, err error) {
	if len(payload) == 0 || payload[0] != entryVersion {
		return 0, fmt.Errorf("%w: index %d has none of the versions that are known", ErrNoEntry, index)
	}
	r := reader{rest: payload[1:]}
	term, kind, behind := r.uvarint(), r.uvarint(), r.uvarint()
	seconds, nanoseconds := r.varint(), r.uvarint()
	extensions := r.take(r.uvarint())
	if r.short || kind > 0xff || behind > index || nanoseconds >= uint64(time.Second) {
		return 0, fmt.Errorf("%w: index %d is not as an entry is written", ErrNoEntry, index)
	}
	*entry = raft.Log{
		Index: index, Term: term, Type: raft.LogType(kind),
		Data: orNil(r.rest), Extensions: orNil(extensions),
		AppendedAt: time.Unix(seconds, int64(nanoseconds)).UTC(),
	}
	return index - behind, nil
}

// orNil returns bytes that can be appended to without reach into what is behind them, and nil for none.
func orNil(bytes []byte) []byte {
	if len(bytes) == 0 {
		return nil
	}
	return bytes[:len(bytes):len(bytes)]
}

// reader takes parts off the front of some bytes.
type reader struct {
	rest  []byte
	short bool // something was not there
}

func (r *reader) uvarint() uint64 {
	value, n := binary.Uvarint(r.rest)
	r.skip(n)
	return value
}

func (r *reader) varint() int64 {
	value, n := binary.Varint(r.rest)
	r.skip(n)
	return value
}

func (r *reader) skip(n int) {
	if n <= 0 {
		r.short, r.rest = true, nil
		return
	}
	r.rest = r.rest[n:]
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.short = true
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

// entrySubject is the subject of the messages of a type of entries.
func entrySubject(kind raft.LogType) string {
	switch kind {
	case raft.LogCommand:
		return "command"
	case raft.LogNoop:
		return "noop"
	case raft.LogBarrier:
		return "barrier"
	case raft.LogConfiguration:
		return "configuration"
	}
	return fmt.Sprintf("type.%d", kind)
}
