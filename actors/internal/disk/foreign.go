package disk

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/seed-d8b58eba/millrace/blockio"
	"github.com/seed-d8b58eba/millrace/blockio/blockindex"
	"github.com/seed-d8b58eba/millrace/engine"
)

// A nats-server that has the directory open takes no lock of ours. What it does to the files while we look at them for
// the first time, and what it has done to the end of the log when we stop, is noticed here.

// look is what there was in the directory of the blocks.
type look map[string]blockio.Entry

// lookAt returns what there is now.
func (r *Recovery) lookAt() (look, error) {
	entries, err := r.FS.ReadDir(r.Blocks.Dir())
	seen := make(look, len(entries))
	for _, entry := range entries {
		// What describes a block is ours alone, and may just be made anew.
		if !strings.Contains(entry.Name, blockindex.Suffix) {
			seen[entry.Name] = entry
		}
	}
	return seen, err
}

// checkUnchanged returns a *blockio.ChangedError when somebody else has changed a file since the recovery began. It is
// called before anything is changed that somebody else may need.
func (r *Recovery) checkUnchanged() error {
	if r.seen == nil {
		return nil
	}
	now, err := r.lookAt()
	if err != nil {
		return err
	}
	changed := func(name, what string) error {
		if r.mended[name] {
			return nil
		}
		return &blockio.ChangedError{Path: filepath.Join(r.Blocks.Dir(), name), What: what}
	}
	for name, was := range r.seen {
		is, there := now[name]
		switch {
		case !there:
			err = changed(name, "was removed")
		case is.Size != was.Size:
			err = changed(name, fmt.Sprintf("had %d bytes, has %d", was.Size, is.Size))
		case is != was:
			err = changed(name, "was written to")
		}
		if err != nil {
			return err
		}
	}
	for name := range now {
		if _, known := r.seen[name]; !known {
			return changed(name, "was made")
		}
	}
	return nil
}

// checkEnd returns a *blockio.ChangedError when the blocks go beyond where the log ends.
func (f *Files) checkEnd(list []blockio.BlockInfo, end engine.Position) error {
	last := list[len(list)-1]
	switch {
	case end.Block == 0:
	case last.ID > end.Block:
		return &blockio.ChangedError{Path: f.Blocks.Path(last.ID), What: "was made"}
	case last.ID == end.Block && last.Size > end.Offset && f.goesOn(last.ID, end.Offset):
		return &blockio.ChangedError{Path: f.Blocks.Path(last.ID), What: fmt.Sprintf("had %d bytes, has %d", end.Offset, last.Size)}
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

// goesOn reports whether a block has anything but zeros from an offset on, as damaged ones have that were written ahead.
// What cannot be read says nothing.
func (f *Files) goesOn(id uint32, from int64) bool {
	data, err := f.Blocks.ReadAll(id, nil)
	return err == nil && from < int64(len(data)) && len(bytes.Trim(data[from:], "\x00")) > 0
}
