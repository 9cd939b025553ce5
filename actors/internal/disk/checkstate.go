package disk

import (
	"path/filepath"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/streamstate"
)

// CheckServerState returns what is damaged about nats-server's state of the stream, nil if nothing is, or it is not there.
func CheckServerState(blocks *blockio.Blocks) *blockio.CorruptionError {
	state, err := blocks.ReadStateFile()
	if err == nil && state != nil {
		_, err = streamstate.Body(blocks.Stream(), state)
	}
	if err == nil {
		return nil
	}
	return &blockio.CorruptionError{Path: filepath.Join(blocks.Dir(), blockio.StateFile), Reason: "checksum mismatch", Err: err}
}
