package blockio

import (
	"path/filepath"
	"strconv"
	"strings"
)

// LockFile is the name of the file in the directory of a stream that is locked while a store of ours has it open.
const LockFile = "millrace.lock"

// StateFile is the name of the file beside the blocks in which nats-server keeps the state of the stream.
const StateFile = "index.db"

// SchedulesFile is the name of the file beside the blocks in which nats-server keeps when schedules are due.
const SchedulesFile = "sched.db"

// TTLFile is the name of the one beside it in which nats-server keeps which messages expire, and when. It has the
// last sequence at that time and no checksum: once the stream has changed, nobody can tell whether it is right.
const TTLFile = "thw.db"

// Where the blocks of a stream are: <directory of the stream>/msgs/<number>.blk.
const (
	blocksDir   = "msgs"
	blockSuffix = ".blk"
)

// BlocksDir returns the directory of the block files of a stream, given the one that
// holds the stream's meta.inf.
func BlocksDir(dir string) string { return filepath.Join(dir, blocksDir) }

// BlockPath returns the file of a block of the stream in dir.
func BlockPath(dir string, id uint32) string {
	return filepath.Join(dir, blocksDir, strconv.FormatUint(uint64(id), 10)+blockSuffix)
}

// MaxBlockID is the highest number of a block. There are more that fit into 32 bits, but
// none of those was ever reached by counting from 1, and the numbers above a block must
// not run out.
const MaxBlockID = 1<<31 - 1

// blockID reads the number out of a block's file name.
func blockID(name string) (uint32, bool) {
	digits, ok := strings.CutSuffix(name, blockSuffix)
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || id == 0 || id > MaxBlockID || strconv.FormatUint(id, 10) != digits {
		return 0, false
	}
	return uint32(id), true
}
