// Package streamstate reads and writes the files in which a nats-server keeps what it knows of a stream beside
// the blocks: index.db (the state of the stream, its subjects and its blocks), thw.db (when messages expire) and
// sched.db (when schedules are due).
//
// All of it can be made again from the blocks, but for what index.db alone says: which messages are deleted whose
// tombstones are gone, how far sequences were used, what a block held that is missing. docs/format.md says what is
// believed of that, and when.
//
// An Index, a TTLs and a Schedules are plain values: DecodeIndex, DecodeTTLs and DecodeSchedules make them, and
// their Append methods write them. A decoder takes any input. It allocates in proportion to the input, whatever
// that says of its counts, and an error wraps ErrInvalid and says what is wrong, and where. Append writes what was
// decoded byte for byte if that was of the newest version.
//
// The package knows no files and no encryption: the body of the index.db of an encrypted stream is decrypted by
// who has the key.
package streamstate

import (
	"errors"
	"fmt"
)

// ErrInvalid: the bytes are no file of the kind that was asked for, or not a whole one.
var ErrInvalid = errors.New("streamstate: invalid file")

// The names of the files, for errors.
const (
	indexName     = "index.db"
	ttlsName      = "thw.db"
	schedulesName = "sched.db"
)

func invalid(file string, at int, format string, args ...any) error {
	return fmt.Errorf("%w: %s, offset %d: %s", ErrInvalid, file, at, fmt.Sprintf(format, args...))
}
