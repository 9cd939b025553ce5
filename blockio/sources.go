package blockio

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// SourcesFile is the name of the file in the directory of a stream in which a nats-server, since 2.15, keeps how far it has
// taken messages from each source, as of a sequence of the stream. Without it the server finds that out from the headers of
// the messages that are there.
const SourcesFile = "sources.db"

// RemoveSources removes SourcesFile, durably, if it is there: it would tell a server that it has what was cut off.
func (b *Blocks) RemoveSources() error {
	err := b.fs.Remove(filepath.Join(b.dir, SourcesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = SyncDir(b.fs, b.dir)
	}
	if err != nil {
		return fmt.Errorf("remove %s of %s: %w", SourcesFile, b.stream, err)
	}
	return nil
}
