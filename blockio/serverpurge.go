package blockio

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// The directories of a purge by nats-server, beside that of the blocks: it puts the block that is to stay, with a
// tombstone of the last sequence, into a new directory, which then takes the place of the old one.
const (
	purgeNewDir = "__new_msgs__"
	purgeOldDir = "__msgs__"
)

// FinishServerPurge finishes a purge by nats-server that was cut short, as nats-server does when it opens the stream in
// dir: once there is a block in the new directory nothing else is left of the stream; before that nothing has happened.
// It reports whether there was anything to do. A crash at any moment leaves what the next call finishes.
//
// Where there is nothing but the old directory, in which no purge can end, that is given its name back.
func FinishServerPurge(fsys FS, dir string) (did bool, err error) {
	p := serverPurge{fsys, dir}
	begun, hasBlock, err := p.look(purgeNewDir)
	if err != nil {
		return false, p.wrap(err)
	}
	hasBlocks, _, err := p.look(blocksDir)
	if err != nil {
		return false, p.wrap(err)
	}
	hasOld, _, err := p.look(purgeOldDir)
	switch {
	case err != nil || !begun && !hasOld:
		return false, p.wrap(err)
	case hasBlock:
		err = p.replace(hasBlocks)
	case begun:
		if err = p.removeKeyless(); err == nil {
			err = p.removeAll(purgeNewDir)
		}
	}
	if err == nil && !begun && !hasBlocks {
		return true, p.wrap(p.rename(purgeOldDir, blocksDir))
	}
	if err == nil {
		err = p.removeAll(purgeOldDir)
	}
	return true, p.wrap(err)
}

type serverPurge struct {
	fs  FS
	dir string
}

func (p serverPurge) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("finish the purge of a nats-server in %s: %w", p.dir, err)
}

func (p serverPurge) path(name string) string { return filepath.Join(p.dir, name) }

// look reports whether there is a directory, and whether it has a block.
func (p serverPurge) look(name string) (exists, hasBlock bool, err error) {
	entries, err := p.fs.ReadDir(p.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	for _, entry := range entries {
		hasBlock = hasBlock || strings.HasSuffix(entry.Name, blockSuffix)
	}
	return err == nil, hasBlock, err
}

// removeKeyless removes, durably, the blocks of which the key alone is in the new directory: what was to follow it holds nothing but a
// tombstone, and cannot be read.
func (p serverPurge) removeKeyless() error {
	entries, err := p.fs.ReadDir(p.path(purgeNewDir))
	if err != nil {
		return err
	}
	removed := false
	for _, entry := range entries {
		stem, ok := strings.CutSuffix(entry.Name, ".key")
		if !ok {
			continue
		}
		err := p.fs.Remove(filepath.Join(p.path(blocksDir), stem+blockSuffix))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		removed = removed || err == nil
	}
	if !removed {
		return nil
	}
	return p.fs.SyncDir(p.path(blocksDir))
}

// replace puts the new directory into the place of that of the blocks.
func (p serverPurge) replace(hasBlocks bool) error {
	if hasBlocks {
		if err := p.removeAll(purgeOldDir); err != nil {
			return err
		}
		if err := p.rename(blocksDir, purgeOldDir); err != nil {
			return err
		}
	}
	return p.rename(purgeNewDir, blocksDir)
}

// rename gives a directory another name, durably.
func (p serverPurge) rename(from, to string) error {
	if err := p.fs.Rename(p.path(from), p.path(to)); err != nil {
		return err
	}
	return p.fs.SyncDir(p.dir)
}

// removeAll removes a directory and the files in it, durably. What is in a directory in there is an error.
func (p serverPurge) removeAll(name string) error {
	entries, err := p.fs.ReadDir(p.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := p.fs.Remove(filepath.Join(p.path(name), entry.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := p.fs.Remove(p.path(name)); err != nil {
		return err
	}
	return p.fs.SyncDir(p.dir)
}
