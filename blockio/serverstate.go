package blockio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// A ServerState is what nats-server last wrote of a stream in its StateFile. The first change that somebody
// else makes to the stream removes that file, so the stream goes at least as far.
type ServerState struct {
	First, Last uint64 // sequences; First is Last+1 when there was no message
}

// maxServerState bounds a file of nats-server's state that is read, in bytes. It grows with the subjects and
// the deleted sequences of the stream.
const maxServerState = 64 << 20

// How a file of nats-server's state begins, and with how many bytes of checksum it ends.
const (
	serverStateMagic    = 11
	serverStateVersions = 4 // 1 to 4 begin alike
	serverStateSumSize  = 8
)

// ReadServerState reads what nats-server has written of the stream in its StateFile. It is false when there is
// no such file that proves anything. The error is of the file system.
func (b *Blocks) ReadServerState() (ServerState, bool, error) {
	name := filepath.Join(b.Dir(), StateFile)
	data, err := readFile(b.fs, name, maxServerState, nil)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrTooLarge) {
		return ServerState{}, false, nil
	}
	if err != nil {
		return ServerState{}, false, fmt.Errorf("blockio: read %s: %w", name, err)
	}
	state, ok := decodeServerState(b.stream, data)
	return state, ok, nil
}

func decodeServerState(stream string, data []byte) (state ServerState, ok bool) {
	size := len(data) - serverStateSumSize
	if size < 2 || data[0] != serverStateMagic || data[1] < 1 || data[1] > serverStateVersions ||
		nameSum(stream, data[:size]) != binary.LittleEndian.Uint64(data[size:]) {
		return state, false
	}
	// The number of messages and their bytes, the first sequence and its time, the last sequence. The times are
	// zigzag numbers, which end where others do.
	var fields [5]uint64
	rest := data[2:size]
	for i := range fields {
		n := 0
		if fields[i], n = binary.Uvarint(rest); n <= 0 {
			return state, false
		}
		rest = rest[n:]
	}
	state = ServerState{First: fields[2], Last: fields[4]}
	return state, state.Last <= MaxSequence && state.First <= state.Last+1
}
