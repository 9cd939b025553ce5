package disk

import (
	"fmt"
	"path/filepath"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// A nats-server that has the directory open takes no lock of ours. What it does to the files while we look at them for
// the first time is noticed here.

// look is what there was in the directory of the blocks.
type look map[string]blockio.Entry

// lookAt returns what blocks there are now.
func (r *Recovery) lookAt() (look, error) {
	entries, err := r.FS.ReadDir(r.Blocks.Dir())
	return blocksAmong(entries), err
}

// blocksAmong returns what blocks there are among the files of a directory.
func blocksAmong(entries []blockio.Entry) look {
	seen := make(look, len(entries))
	for _, entry := range entries {
		if _, is := blockio.BlockNumber(entry.Name); is && !entry.IsDir {
			seen[entry.Name] = entry
		}
	}
	return seen
}

// checkUnchanged returns a *blockio.ChangedError when somebody else has made, removed or written on a block since the
// recovery began: which itself cuts blocks at most, but for those that it mends. It is called before anything is changed that
// somebody else may need.
func (r *Recovery) checkUnchanged() error {
	if r.seen == nil {
		return nil
	}
	now, err := r.lookAt()
	if err != nil {
		return err
	}
	changed := func(name, what string) error {
		return &blockio.ChangedError{Path: filepath.Join(r.Blocks.Dir(), name), What: what}
	}
	for name, was := range r.seen {
		is, there := now[name]
		switch {
		case !there:
			return changed(name, "was removed")
		case is.Size > was.Size && !r.mended[name]:
			return changed(name, fmt.Sprintf("had %d bytes, has %d", was.Size, is.Size))
		}
	}
	for name := range now {
		if _, known := r.seen[name]; !known {
			return changed(name, "was made")
		}
	}
	return nil
}

// mending notes that the file of a block is about to be changed, if nobody else has changed anything.
func (r *Recovery) mending(id uint32) error {
	if err := r.checkUnchanged(); err != nil {
		return err
	}
	if r.mended == nil {
		r.mended = make(map[string]bool)
	}
	r.mended[filepath.Base(r.Blocks.Path(id))] = true
	return nil
}

// hasMended reports whether this recovery has changed the file of a block.
func (r *Recovery) hasMended(id uint32) bool { return r.mended[filepath.Base(r.Blocks.Path(id))] }
