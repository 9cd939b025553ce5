package blockio

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// removeBeside removes what describes blocks, and is durable on return.
func (b *Blocks) removeBeside(ids ...uint32) error {
	var errs []error
	removed := false
	for _, id := range ids {
		for _, ending := range b.opts.Beside {
			err := b.fs.Remove(strings.TrimSuffix(b.Path(id), blockSuffix) + ending)
			switch {
			case err == nil:
				removed = true
			case !errors.Is(err, fs.ErrNotExist):
				errs = append(errs, b.wrap("remove what is beside", id, err))
			}
		}
	}
	if removed {
		if err := b.fs.SyncDir(b.Dir()); err != nil {
			errs = append(errs, fmt.Errorf("blockio: remove what is beside blocks of %s: %w", b.stream, err))
		}
	}
	return errors.Join(errs...)
}

// RemoveOrphans removes files that describe blocks which are not there, but those of
// the numbers that keep reports, and what a crash left of files that were being
// written. It returns how many.
func (b *Blocks) RemoveOrphans(keep func(id uint32) bool) (removed int, err error) {
	entries, err := b.fs.ReadDir(b.Dir())
	if err != nil {
		return 0, fmt.Errorf("blockio: list %s: %w", b.Dir(), err)
	}
	there := make(map[string]bool)
	for _, entry := range entries {
		if _, ok := blockID(entry.Name); ok {
			there[strings.TrimSuffix(entry.Name, blockSuffix)] = true
		}
	}
	for _, entry := range entries {
		for _, ending := range b.opts.Beside {
			whole, unfinished := strings.CutSuffix(entry.Name, UnfinishedSuffix)
			name, found := strings.CutSuffix(whole, ending)
			id, number := blockID(name + blockSuffix)
			if !found || !number || entry.IsDir || !unfinished && (there[name] || keep(id)) {
				continue
			}
			if err := b.fs.Remove(filepath.Join(b.Dir(), entry.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return removed, fmt.Errorf("blockio: remove %s: %w", entry.Name, err)
			}
			removed++
		}
	}
	return removed, nil
}

// BlocksDescribed returns the numbers of the blocks that are not there although a file
// with an ending describes them, ascending.
func (b *Blocks) BlocksDescribed(ending string) (ids []uint32, err error) {
	entries, err := b.fs.ReadDir(b.Dir())
	if err != nil {
		return nil, fmt.Errorf("blockio: list %s: %w", b.Dir(), err)
	}
	there := make(map[uint32]bool)
	for _, entry := range entries {
		if id, ok := blockID(entry.Name); ok {
			there[id] = true
		}
	}
	for _, entry := range entries {
		name, found := strings.CutSuffix(entry.Name, ending)
		if id, ok := blockID(name + blockSuffix); found && ok && !there[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// RemoveDerived removes files that can be made again, such as index.db, by
// their names in the directory of the blocks, and is durable on return. What is
// missing is fine.
func (b *Blocks) RemoveDerived(names ...string) error {
	removed := false
	for _, name := range names {
		err := b.fs.Remove(filepath.Join(b.Dir(), name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("blockio: remove %s of %s: %w", name, b.stream, err)
		}
		removed = true
	}
	if !removed {
		return nil
	}
	if err := b.syncDir(); err != nil {
		return fmt.Errorf("blockio: remove derived files of %s: %w", b.stream, err)
	}
	return nil
}
