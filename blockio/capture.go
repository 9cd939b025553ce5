package blockio

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// The files of a stream are seen at one instant if none of them changes from before the first one is opened until after
// the last one is. The block with the highest number may grow meanwhile: the instant is when that block is read. As
// soon as another one comes behind it, it may have been replaced, so that is another attempt. Nothing that is in other files then was written for what is stored later, so that what they
// hold belongs together.

// capture sees what there is, holds it open as far as it may, and sees that nothing has changed meanwhile.
func (o *Overlay) capture() error {
	root, err := o.list()
	if err != nil {
		return err
	}
	for _, file := range root.capturedFiles() {
		if err := o.hold(file); err != nil {
			return err
		}
	}
	for _, dir := range root.blockDirs() {
		if err := o.copyLast(dir); err != nil {
			return err
		}
	}
	after, err := o.list()
	if err != nil {
		return err
	}
	if err := unchanged(root, after); err != nil {
		return err
	}
	for _, dir := range after.blockDirs() {
		if root.children[filepath.Base(dir.base)] == nil {
			return &ChangedError{dir.base, "was made"}
		}
	}
	o.root = root
	return nil
}

// list lists the directory of the stream, and those in it that have blocks.
func (o *Overlay) list() (*overlayNode, error) {
	root := &overlayNode{base: o.dir, dir: true}
	if err := o.read(root); err != nil {
		return nil, err
	}
	for _, dir := range root.blockDirs() {
		if err := o.read(dir); errors.Is(err, fs.ErrNotExist) {
			return nil, &ChangedError{dir.base, "was removed"}
		} else if err != nil {
			return nil, err
		}
	}
	for _, dir := range append(root.blockDirs(), root) {
		for name, file := range dir.children {
			passing := dir != root && strings.HasSuffix(name, UnfinishedSuffix)
			file.captured = !file.dir && !passing && name != LockFile
		}
	}
	return root, nil
}

// blockDirs returns those of the directories in the one of a stream that have blocks.
func (n *overlayNode) blockDirs() (dirs []*overlayNode) {
	for _, name := range capturedDirs {
		if dir := n.children[name]; dir != nil && dir.dir {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// capturedFiles returns the files below the directory of a stream that have to be as they were, in the order in which
// it is worth to hold them open: blocks last, and of those the ones first that limits remove first.
func (n *overlayNode) capturedFiles() (files []*overlayNode) {
	number := func(file *overlayNode) uint32 { id, _ := blockID(filepath.Base(file.base)); return id }
	for _, dir := range append(n.blockDirs(), n) {
		for file := range maps.Values(dir.children) {
			if file.captured && !file.isBeside() {
				files = append(files, file)
			}
		}
	}
	slices.SortFunc(files, func(a, b *overlayNode) int {
		return cmp.Or(cmp.Compare(number(a), number(b)), cmp.Compare(a.base, b.base))
	})
	return files
}

// hold opens a file, to be held open.
func (o *Overlay) hold(n *overlayNode) error {
	if len(o.held) == mostHeld {
		return nil
	}
	f := &overlayFile{overlay: o, node: n, name: n.base}
	if id, _ := blockID(filepath.Base(n.base)); id > 0 {
		n.captured = false // it may be the last one, which may grow: the second look tells
		defer func() { n.captured = true }()
	}
	switch err := f.openBase(); {
	case errors.Is(err, fs.ErrNotExist):
		return &ChangedError{n.base, "was removed"}
	case err != nil:
		return nil // whoever needs it is told
	}
	n.held = &heldFile{File: f.base}
	n.held.refs.Store(1)
	o.held = append(o.held, n.held)
	return nil
}

// copyLast reads the block with the highest number of a directory into memory. Where its file is cut, other records
// may be written next in the place of those that were there.
func (o *Overlay) copyLast(dir *overlayNode) error {
	var last *overlayNode
	highest := uint32(0)
	for name, file := range dir.children {
		if id, ok := blockID(name); ok && !file.dir && id >= highest {
			last, highest = file, id
		}
	}
	if last == nil || !last.captured {
		return nil
	}
	last.captured = false
	defer func() { last.captured = true }()
	f := &overlayFile{overlay: o, node: last, name: last.base}
	switch err := f.openBase(); {
	case errors.Is(err, fs.ErrNotExist):
		return &ChangedError{last.base, "was removed"}
	case err != nil:
		return nil // whoever needs it is told
	}
	stat, err := f.base.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if stat.Size < last.stat.Size {
		return errors.Join(&ChangedError{last.base, fmt.Sprintf("had %d bytes, has %d", last.stat.Size, stat.Size)}, f.Close())
	}
	data, err := readSized(f.base, f.name, stat.Size, MaxBlockFile, nil)
	if err == nil {
		last.stat, last.memory, last.data, last.modTime = stat, true, data, stat.ModTime
	} else if Unreadable(err) != nil || errors.Is(err, ErrTooLarge) {
		last.stat, err = stat, nil // whoever reads it is told
	}
	return errors.Join(err, f.Close())
}

// unchanged returns an error unless what has to be as it was is the same in two looks at a directory.
func unchanged(before, after *overlayNode) error {
	for _, dir := range append(before.blockDirs(), before) {
		now := after
		if dir != before {
			if now = after.children[filepath.Base(dir.base)]; now == nil || !now.dir {
				return &ChangedError{dir.base, "was removed"}
			}
		}
		if err := dir.unchanged(now); err != nil {
			return err
		}
	}
	return nil
}

// unchanged is that of one directory.
func (n *overlayNode) unchanged(now *overlayNode) error {
	highest := uint32(0)
	for name := range n.children {
		id, _ := blockID(name)
		highest = max(highest, id)
	}
	for name, file := range n.children {
		id, _ := blockID(name)
		same := now.children[name]
		switch {
		case !file.captured || file.isBeside():
		case same == nil || same.dir:
			return &ChangedError{file.base, "was removed"}
		case id > 0 && id == highest && same.stat.Size >= file.stat.Size:
		default:
			if err := file.compare(file.base, same.stat); err != nil {
				return err
			}
		}
	}
	for name, file := range now.children {
		if n.children[name] == nil && file.captured && !file.isBeside() {
			return &ChangedError{file.base, "was made"}
		}
	}
	return nil
}
