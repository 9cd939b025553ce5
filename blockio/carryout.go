package blockio

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// CarryOut makes of the files of the blocks what a truncation says that is written down: blocks that go are taken away with
// what describes them, and so is derived, names in the directory of the blocks; left takes the place of the block that is
// cut, as one of a generation, if there is any; and the new block is made. A block of its number that is there is complete,
// and stays.
//
// All of it is durable on return. The directory is synced once, in the end (and once for each key of an encrypted
// stream): what a crash before that leaves is carried out again, as the truncation is still written down. What was taken
// away may still be there under other names: see Sweep.
func (b *Blocks) CarryOut(t *Truncation, generation uint64, left Left, derived ...string) error {
	_, err := b.unlinkNamed(derived)
	for _, id := range slices.Backward(t.Remove) {
		if err == nil {
			err = b.withdraw(id)
		}
	}
	if err == nil && left.Data != nil {
		err = b.replaceCut(t.Cut, generation, left)
	}
	if err == nil && t.Into > 0 {
		err = b.wrap("create", t.Into, b.createWith(t.Into, t.Content))
	}
	if err == nil {
		err = b.syncDir()
	}
	if err == nil && left.Data != nil {
		err = b.wrap("rewrite", t.Cut, b.settleKey(t.Cut))
	}
	if err == nil && t.Into > 0 {
		err = b.wrap("create", t.Into, b.settleKey(t.Into))
	}
	if err == nil && len(t.Remove) > 0 {
		err = b.removeKeys(t.Remove, true)
	}
	return err
}

// withdraw takes the file of a block away, and what describes it. To remove a file takes as long as it is large, while the
// caller of a truncation waits: so they get the names of files that a crash has left, which Sweep and RemoveOrphans
// remove. Those of encrypted blocks are removed at once, since a key goes by the name. That is not durable yet.
func (b *Blocks) withdraw(id uint32) error {
	if _, sealed := SealerOf(b.fs); sealed {
		_, err := b.unlinkBeside(id)
		if err == nil {
			_, err = b.unlink(id)
		}
		return err
	}
	err := b.withdrawBeside(id)
	if err == nil {
		_, err = b.takeAway(id, func(path string) error { return b.fs.Rename(path, RewritePath(b.dir, id)) })
	}
	return err
}

// withdrawBeside is withdraw of what describes a block alone.
func (b *Blocks) withdrawBeside(id uint32) error {
	stem := strings.TrimSuffix(b.Path(id), blockSuffix)
	for _, ending := range b.opts.Beside {
		if err := b.fs.Rename(stem+ending, stem+ending+UnfinishedSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return b.wrap("remove what is beside", id, err)
		}
	}
	return nil
}

// Sweep removes what CarryOut has left of what went. Nobody depends on that it is gone. No index may be written meanwhile.
func (b *Blocks) Sweep(t *Truncation) error {
	var errs []error
	for _, id := range append([]uint32{t.Cut}, t.Remove...) {
		var names []string
		stem := strings.TrimSuffix(filepath.Base(b.Path(id)), blockSuffix)
		for _, ending := range b.opts.Beside {
			names = append(names, stem+ending+UnfinishedSuffix)
		}
		if id != t.Cut {
			names = append(names, stem+rewriteSuffix)
		}
		_, err := b.unlinkNamed(names)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// replaceCut gives left the place of the block that is cut, which is not durable yet.
func (b *Blocks) replaceCut(id uint32, generation uint64, left Left) error {
	closeErr := b.drop(id) // of interest only when the rewriting fails as well
	err := b.withdrawBeside(id)
	if err == nil {
		err = b.replace(id, generation, func() error {
			if left.written {
				return nil
			}
			return b.writeAnew(id, left.Data)
		})
	}
	if err != nil {
		return b.wrap("rewrite", id, errors.Join(err, closeErr))
	}
	return nil
}

// createWith makes a block with that content, all or nothing, unless there is one of that number. Its name is not durable yet.
func (b *Blocks) createWith(id uint32, content []byte) error {
	file, err := b.fs.OpenFile(b.Path(id), ModeRead)
	if err == nil {
		return file.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, sealed := SealerOf(b.fs); !sealed && len(content) == 0 {
		if file, err = b.fs.OpenFile(b.Path(id), ModeCreate); err != nil {
			return err
		}
		return file.Close()
	}
	return b.putInPlace(id, func() error { return b.writeAnew(id, content) }, func() error { return nil })
}
