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
	removed, err := b.unlinkBeside(ids...)
	if removed {
		if syncErr := b.fs.SyncDir(b.Dir()); syncErr != nil {
			err = errors.Join(err, fmt.Errorf("remove what is beside blocks of %s: %w", b.stream, syncErr))
		}
	}
	return err
}

// unlinkBeside removes what describes blocks, and reports whether there was anything. That is not durable yet.
func (b *Blocks) unlinkBeside(ids ...uint32) (removed bool, err error) {
	var errs []error
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
	return removed, errors.Join(errs...)
}

// clearAround removes, durably, what describes a block as it is, before the block is
// changed by ourselves: left over, it would speak of a loss. It also removes what is left
// of attempts to write such files and the block anew, and derived, names in the directory
// of the blocks. The directory is synced in any case, as a name that is not there may have
// been removed without that, and come back.
func (b *Blocks) clearAround(id uint32, derived []string) error {
	if _, err := b.unlinkNamed(append(b.around(id), derived...)); err != nil {
		return err
	}
	return b.syncDir()
}

// around returns the names of what describes a block, and of what is left of attempts to write that, and the block, anew.
func (b *Blocks) around(id uint32) []string {
	stem := strings.TrimSuffix(filepath.Base(b.Path(id)), blockSuffix)
	names := []string{stem + rewriteSuffix}
	for _, ending := range b.opts.Beside {
		names = append(names, stem+ending, stem+ending+UnfinishedSuffix)
	}
	return names
}

// unlinkNamed removes files by their names in the directory of the blocks, and reports whether there were any. That is
// not durable yet.
func (b *Blocks) unlinkNamed(names []string) (removed bool, err error) {
	for _, name := range names {
		err := b.fs.Remove(filepath.Join(b.Dir(), name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return removed, fmt.Errorf("remove %s of %s: %w", name, b.stream, err)
		}
		removed = true
	}
	return removed, nil
}

// RemoveOrphans removes files that describe blocks which are not there, but those of
// the numbers that keep reports, and what a crash left of files that were being
// written. It returns how many.
func (b *Blocks) RemoveOrphans(keep func(id uint32) bool) (removed int, err error) {
	entries, err := b.fs.ReadDir(b.Dir())
	if err != nil {
		return 0, fmt.Errorf("list %s: %w", b.Dir(), err)
	}
	there := make(map[string]bool)
	for _, entry := range entries {
		if _, ok := blockID(entry.Name); ok {
			there[strings.TrimSuffix(entry.Name, blockSuffix)] = true
		}
	}
	for _, entry := range entries {
		if entry.IsDir || !b.isOrphan(entry.Name, there, keep) {
			continue
		}
		if err := b.fs.Remove(filepath.Join(b.Dir(), entry.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, fmt.Errorf("remove %s: %w", entry.Name, err)
		}
		removed++
	}
	return removed, nil
}

// isOrphan reports whether RemoveOrphans removes a file. there has the numbers of the blocks
// that are there, as text.
func (b *Blocks) isOrphan(name string, there map[string]bool, keep func(id uint32) bool) bool {
	if name == RoomFile {
		return true
	}
	if number, ok := strings.CutSuffix(name, rewriteSuffix); ok {
		_, ok = blockID(number + blockSuffix)
		return ok
	}
	whole, unfinished := strings.CutSuffix(name, UnfinishedSuffix)
	for _, ending := range b.opts.Beside {
		number, found := strings.CutSuffix(whole, ending)
		if id, ok := blockID(number + blockSuffix); found && ok {
			return unfinished || !there[number] && !keep(id)
		}
	}
	return false
}

// BlocksDescribed returns the numbers of the blocks that are not among the files of a
// directory although one with an ending describes them, ascending.
func BlocksDescribed(entries []Entry, ending string) (ids []uint32) {
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
	return ids
}

// RemoveDerived removes files that can be made again, such as index.db, by
// their names in the directory of the blocks, and is durable on return. What is
// missing is fine.
func (b *Blocks) RemoveDerived(names ...string) error {
	removed, err := b.unlinkNamed(names)
	if err != nil {
		return err
	}
	if !removed {
		return nil
	}
	if err := b.syncDir(); err != nil {
		return fmt.Errorf("remove derived files of %s: %w", b.stream, err)
	}
	return nil
}
